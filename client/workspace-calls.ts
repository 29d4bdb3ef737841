import type { Changes, CreateTerminal, FileList, Terminal, TerminalScreen } from '@berth/contract';
import { changes, fileList, terminal, terminalScreen } from '@berth/contract';
import * as z from 'zod/mini';
import type { FileContent } from './content.ts';
import { contentOf } from './content.ts';
import type { Calls, CreateOptions } from './options.ts';
import { base, creating, part, sessionPath } from './options.ts';
import type { ByteSource, RequestOptions } from './request.ts';

const terminals = z.object({ items: z.array(terminal) });
const written = z.object({ etag: z.string() });

export function terminalCalls({ http, newId }: Calls) {
  return {
    list: async (sessionId: string, { signal }: RequestOptions = {}): Promise<Terminal[]> =>
      (
        await http.json(
          { method: 'GET', path: `${sessionPath(sessionId)}/terminals`, signal },
          terminals,
        )
      ).items,
    open: (sessionId: string, body: CreateTerminal, given: CreateOptions = {}): Promise<Terminal> =>
      http.json(
        {
          method: 'POST',
          path: `${sessionPath(sessionId)}/terminals`,
          body,
          signal: given.signal,
          ...creating(newId, given),
        },
        terminal,
      ),
    /** Ends it and what runs in it. Detaching is `close()` of the attachment. */
    close: (id: string, { signal }: RequestOptions = {}): Promise<void> =>
      http.nothing({ method: 'DELETE', path: `${base}/terminals/${part(id)}`, signal }),
    screen: (id: string, { signal }: RequestOptions = {}): Promise<TerminalScreen> =>
      http.json(
        { method: 'GET', path: `${base}/terminals/${part(id)}/screen`, signal },
        terminalScreen,
      ),
  };
}

export function fileCalls({ http }: Calls) {
  return {
    list: (sessionId: string, path?: string, { signal }: RequestOptions = {}): Promise<FileList> =>
      http.json(
        { method: 'GET', path: `${sessionPath(sessionId)}/files`, query: { path }, signal },
        fileList,
      ),
    read: async (
      sessionId: string,
      path: string,
      given: RequestOptions & { rev?: 'base' | undefined } = {},
    ): Promise<FileContent> =>
      contentOf(
        await http.raw({
          method: 'GET',
          path: `${sessionPath(sessionId)}/files/content`,
          query: { path, rev: given.rev },
          headers: { accept: '*/*' },
          signal: given.signal,
        }),
      ),
    write: (
      sessionId: string,
      path: string,
      bytes: ByteSource,
      given: RequestOptions & { ifMatch?: string | undefined } = {},
    ): Promise<{ etag: string }> =>
      http.json(
        {
          method: 'PUT',
          path: `${sessionPath(sessionId)}/files/content`,
          query: { path },
          headers: {
            'content-type': 'application/octet-stream',
            ...(given.ifMatch === undefined ? {} : { 'if-match': `"${given.ifMatch}"` }),
          },
          bytes,
          signal: given.signal,
        },
        written,
      ),
    /** A tar, gzip allowed, unpacked into the workspace; it becomes the session's base. */
    archive: (
      sessionId: string,
      bytes: ByteSource,
      given: RequestOptions & { overwrite?: boolean | undefined } = {},
    ): Promise<void> =>
      http.nothing({
        method: 'PUT',
        path: `${sessionPath(sessionId)}/files/archive`,
        query: { overwrite: given.overwrite },
        headers: { 'content-type': 'application/x-tar' },
        bytes,
        signal: given.signal,
      }),
  };
}

export function changeCalls({ http }: Calls) {
  return {
    list: (sessionId: string, { signal }: RequestOptions = {}): Promise<Changes> =>
      http.json({ method: 'GET', path: `${sessionPath(sessionId)}/changes`, signal }, changes),
    diff: async (
      sessionId: string,
      path: string,
      { signal }: RequestOptions = {},
    ): Promise<FileContent> =>
      contentOf(
        await http.raw({
          method: 'GET',
          path: `${sessionPath(sessionId)}/changes/diff`,
          query: { path },
          headers: { accept: '*/*' },
          signal,
        }),
      ),
    /** One patch that `git apply` takes. */
    patch: async (sessionId: string, { signal }: RequestOptions = {}): Promise<FileContent> =>
      contentOf(
        await http.raw({
          method: 'GET',
          path: `${sessionPath(sessionId)}/changes/patch`,
          headers: { accept: '*/*' },
          signal,
        }),
      ),
  };
}
