import type { CreateSession, LogLines, Page, PatchSession, Session } from '@berth/contract';
import { logLines, page, session } from '@berth/contract';
import * as z from 'zod/mini';
import type { FileContent } from './content.ts';
import { contentOf } from './content.ts';
import { codeOf } from './errors.ts';
import type { EventPage } from './events.ts';
import { readEventPage } from './events.ts';
import type { Calls, CreateOptions, PageQuery } from './options.ts';
import { base, creating, listQuery, matching, part, sessionPath } from './options.ts';
import type { RequestOptions } from './request.ts';

const sessionPage = page(session);
const eventPage = z.object({ items: z.array(z.unknown()), lastSeq: z.int() });

export function sessionCalls({ http, newId }: Calls) {
  const order =
    (what: string) =>
    (id: string, { signal }: RequestOptions = {}): Promise<Session> =>
      http.json({ method: 'POST', path: `${sessionPath(id)}/${what}`, signal }, session);

  const sessions = {
    list: (
      query: PageQuery & {
        agentId?: string | undefined;
        status?: Session['status'] | undefined;
        archived?: boolean | undefined;
      } = {},
    ): Promise<Page<Session>> =>
      http.json(
        {
          method: 'GET',
          path: `${base}/sessions`,
          query: listQuery(query),
          signal: query.signal,
        },
        sessionPage,
      ),
    get: (id: string, { signal }: RequestOptions = {}): Promise<Session> =>
      http.json({ method: 'GET', path: sessionPath(id), signal }, session),
    create: (body: CreateSession, given: CreateOptions = {}): Promise<Session> =>
      http.json(
        {
          method: 'POST',
          path: `${base}/sessions`,
          body,
          signal: given.signal,
          ...creating(newId, given),
        },
        session,
      ),
    patch: (
      id: string,
      version: number,
      body: PatchSession,
      { signal }: RequestOptions = {},
    ): Promise<Session> =>
      http.json(
        { method: 'PATCH', path: sessionPath(id), body, signal, ...matching(version) },
        session,
      ),
    /** Removes the session, its sandbox and its volumes. */
    remove: (id: string, { signal }: RequestOptions = {}): Promise<Session> =>
      http.json({ method: 'DELETE', path: sessionPath(id), signal }, session),
    suspend: order('suspend'),
    resume: order('resume'),
    archive: order('archive'),
    unarchive: order('unarchive'),
    cancel: order('cancel'),
    restartAgent: order('restart-agent'),
    takeBack: order('take-back'),
    events: async (
      id: string,
      query: RequestOptions & {
        after?: number | undefined;
        before?: number | undefined;
        tail?: number | undefined;
        limit?: number | undefined;
      } = {},
    ): Promise<EventPage> =>
      readEventPage(
        await http.json(
          {
            method: 'GET',
            path: `${sessionPath(id)}/events`,
            query: listQuery(query),
            signal: query.signal,
          },
          eventPage,
        ),
      ),
    /** Output of a tool that was too long for its event. */
    blob: async (
      id: string,
      blobId: string,
      { signal }: RequestOptions = {},
    ): Promise<FileContent> =>
      contentOf(
        await http.raw({
          method: 'GET',
          path: `${sessionPath(id)}/blobs/${part(blobId)}`,
          headers: { accept: '*/*' },
          signal,
        }),
      ),
    /** The whole conversation as Markdown. */
    export: async (id: string, { signal }: RequestOptions = {}): Promise<string> =>
      (
        await http.raw({
          method: 'GET',
          path: `${sessionPath(id)}/export`,
          headers: { accept: 'text/markdown' },
          signal,
        })
      ).text(),
    /** Marks what was seen. What a person has read is no change of the session that two could make against each other: a stale version is looked up again. */
    markRead: async (
      id: string,
      seq: number,
      given: RequestOptions & { version?: number | undefined } = {},
    ): Promise<Session> => {
      let version = given.version ?? (await sessions.get(id, given)).version;
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await sessions.patch(id, version, { readSeq: seq }, given);
        } catch (error) {
          if (codeOf(error) !== 'version-stale' || attempt === 3) throw error;
          version = (await sessions.get(id, given)).version;
        }
      }
    },
    logs: (
      id: string,
      query: RequestOptions & { source?: LogLines['source']; tail?: number | undefined } = {},
    ): Promise<LogLines> =>
      http.json(
        {
          method: 'GET',
          path: `${sessionPath(id)}/logs`,
          query: listQuery(query),
          signal: query.signal,
        },
        logLines,
      ),
  };

  return sessions;
}
