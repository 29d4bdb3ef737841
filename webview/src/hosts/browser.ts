import {
  codeOf,
  createMentions,
  explain,
  ServerUnreachable,
  type BerthClient,
  type Channels,
} from '@berth/client';
import { Problem, type Event, type Session } from '@berth/contract';
import type { Clock } from '../clock.ts';
import {
  draft as draftSchema,
  Refused,
  type Connection,
  type Handlers,
  type Hello,
  type Host,
  type NoteListener,
  type Opened,
  type Refusal,
} from '../ipc/index.ts';
import * as z from 'zod/mini';

/** What the page around the chat does for it. */
export interface Surroundings {
  openTerminal(kind: 'agent' | 'shell'): Promise<void>;
  openChanges(path?: string): void;
  openText(title: string, text: string): void;
}

const tailSize = 400;
const headSize = 100;

export function refusalOf(error: unknown): Refusal {
  const code = codeOf(error);
  if (error instanceof ServerUnreachable)
    return { code: 'unreachable', detail: 'The server does not answer. Nothing was changed.' };
  if (code === undefined) return { code: 'internal-error', detail: explain(error) };
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const requestId =
    typeof cause === 'object' && cause !== null && 'requestId' in cause
      ? String(cause.requestId)
      : undefined;
  const by = error instanceof Problem ? error.extra.decision?.by?.name : undefined;
  return {
    code,
    detail: explain(error),
    ...(requestId === undefined ? {} : { requestId }),
    ...(by === undefined ? {} : { by }),
  };
}

/** The same, as the chat throws it. */
export const refusedBy = (error: unknown): Refused =>
  error instanceof Refused ? error : new Refused(refusalOf(error));

export function connectionOf(state: Channels['state']): Connection {
  switch (state.kind) {
    case 'connected':
      return { state: 'connected' };
    case 'awaiting-retry':
      return { state: 'waiting', nextTryMs: state.delayMs };
    case 'disconnected':
      return state.reason === 'protocol'
        ? {
            state: 'incompatible',
            detail: 'The server was updated. Load this page again to go on.',
          }
        : { state: 'signedOut' };
    case 'idle':
    case 'connecting':
    case 'disposed':
      return { state: 'connecting' };
  }
}

/** The chat in a browser: the API over the cookie of the page, one socket for what is live. */
export function createBrowserHost(options: {
  client: BerthClient;
  channels: Channels;
  hello: Hello;
  clock: Clock;
  /** What this session's agent may be set to. */
  models: (session: Session) => string[];
  around: Surroundings;
  storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
}): Host & { close(): void } {
  const { client, channels, around, storage } = options;
  const listeners = new Set<NoteListener>();
  const tell: NoteListener = (name, data) => {
    for (const listener of [...listeners]) listener(name, data);
  };
  const sessions = new Map<string, Session>();
  let stopReading: () => void = () => undefined;
  const stops = [
    channels.onState((state) => tell('connection', connectionOf(state))),
    channels.sessions(({ upsert }) => {
      for (const session of upsert) {
        sessions.set(session.id, session);
        tell('session', { session });
      }
    }),
  ];

  const read = (sessionId: string, from: number): void => {
    stopReading();
    let cursor = from;
    stopReading = channels.session(
      sessionId,
      { after: from },
      {
        events: (events: readonly Event[]) => {
          const to = events.at(-1)?.seq ?? cursor;
          tell('events', {
            sessionId,
            after: cursor,
            to,
            events: events.map((event) => ({ ...event, payload: { ...event.payload } })),
          });
          cursor = to;
        },
      },
    );
  };
  const plain = (events: readonly Event[]) =>
    events.map((event) => ({ ...event, payload: { ...event.payload } }));
  const version = async (id: string) =>
    (sessions.get(id) ?? (await client.sessions.get(id))).version;

  const openSession = async (sessionId: string, knownSeq?: number): Promise<Opened> => {
    const [session, page, turns] = await Promise.all([
      client.sessions.get(sessionId),
      client.sessions.events(
        sessionId,
        knownSeq === undefined ? { tail: tailSize } : { after: knownSeq, limit: 1000 },
      ),
      client.turns.list(sessionId, { limit: 100 }),
    ]);
    sessions.set(sessionId, session);
    const after = knownSeq ?? (page.from === null ? page.lastSeq : page.from - 1);
    const to = page.to ?? after;
    // Modes and commands are told at the beginning, plans anywhere: the head says most of what still holds.
    const head =
      after > 0 && knownSeq === undefined
        ? (await client.sessions.events(sessionId, { after: 0, limit: headSize })).items
        : [];
    read(sessionId, to);
    return {
      session,
      after,
      to,
      events: plain(page.items),
      hasOlder: after > 0,
      turns: turns.items.filter((turn) => turn.state === 'queued' || turn.state === 'unknown'),
      context: plain(head),
      models: options.models(session),
    };
  };

  const done = async (action: Promise<unknown>): Promise<object> => {
    await action;
    return {};
  };
  const order = (action: (id: string) => Promise<unknown>) => (params: { sessionId: string }) =>
    done(action(params.sessionId));
  const patched = async (sessionId: string, patch: { mode?: string; model?: string }) =>
    done(client.sessions.patch(sessionId, await version(sessionId), patch));
  const mentionsOf = (sessionId: string) => ({
    sessionId,
    find: createMentions({
      list: (folder) => client.files.list(sessionId, folder),
      clock: options.clock,
    }),
  });
  let mentions: ReturnType<typeof mentionsOf> | null = null;
  const key = (sessionId: string) => `berth.draft.${sessionId}`;

  const handlers: Handlers = {
    ready: () => options.hello,
    openSession: ({ sessionId, knownSeq }) => openSession(sessionId, knownSeq),
    page: async ({ sessionId, before, limit }) => {
      const page = await client.sessions.events(sessionId, { before, limit });
      const after = page.from === null ? 0 : page.from - 1;
      return { after, to: before - 1, events: plain(page.items), hasOlder: after > 0 };
    },
    send: ({ sessionId, turnId, prompt }) =>
      done(client.turns.create(sessionId, { id: turnId, prompt })),
    cancel: order(client.sessions.cancel),
    queueEdit: ({ sessionId, turnId, prompt }) =>
      done(client.turns.patch(sessionId, turnId, { prompt })),
    queueMove: ({ sessionId, turnId, position }) =>
      done(client.turns.patch(sessionId, turnId, { position })),
    queueWithdraw: ({ sessionId, turnId }) => done(client.turns.withdraw(sessionId, turnId)),
    decide: ({ approvalId, ...decision }) => done(client.approvals.decide(approvalId, decision)),
    settle: ({ sessionId, turnId, answer }) =>
      done(client.turns.settle(sessionId, turnId, { answer })),
    setMode: ({ sessionId, mode }) => patched(sessionId, { mode }),
    setModel: ({ sessionId, model }) => patched(sessionId, { model }),
    suspend: order(client.sessions.suspend),
    resume: order(client.sessions.resume),
    restartAgent: order(client.sessions.restartAgent),
    takeBack: order(client.sessions.takeBack),
    archive: order(client.sessions.archive),
    unarchive: order(client.sessions.unarchive),
    markRead: ({ sessionId, seq }) => done(client.sessions.markRead(sessionId, seq)),
    openTerminal: ({ kind }) => done(around.openTerminal(kind)),
    openChanges: ({ path }) => {
      around.openChanges(path);
      return {};
    },
    openFile: async ({ sessionId, path }) => {
      const file = await client.files.read(sessionId, path.replace(/^\/workspace\//, ''));
      around.openText(path, await file.text());
      return {};
    },
    openText: ({ title, text }) => {
      around.openText(title, text);
      return {};
    },
    openLink: ({ url }) => {
      window.open(url, '_blank', 'noopener,noreferrer');
      return {};
    },
    showLog: async ({ sessionId }) => {
      const sources = ['sandbox', 'runner', 'agent'] as const;
      const logs = await Promise.all(
        sources.map((source) => client.sessions.logs(sessionId, { source, tail: 200 })),
      );
      const text = logs
        .filter(({ lines }) => lines.length > 0)
        .map(({ source, lines }) => `${source}\n${lines.map((line) => `  ${line}`).join('\n')}`)
        .join('\n\n');
      around.openText('Log', text || 'The log is empty.');
      return {};
    },
    insertAtCursor: () => {
      throw new Refused({ code: 'no-editor', detail: 'There is no editor here.' });
    },
    copy: ({ text }) => done(navigator.clipboard.writeText(text)),
    saveDraft: ({ sessionId, draft }) => {
      if (draft === null) storage.removeItem(key(sessionId));
      else storage.setItem(key(sessionId), JSON.stringify(draft));
      return {};
    },
    loadDraft: ({ sessionId }) => {
      const kept = storage.getItem(key(sessionId));
      if (kept === null) return { draft: null };
      const read = z.safeParse(draftSchema, parseJson(kept));
      return { draft: read.success ? read.data : null };
    },
    blob: async ({ sessionId, blobId }) => ({
      text: await (await client.sessions.blob(sessionId, blobId)).text(),
    }),
    mention: async ({ sessionId, query }) => {
      if (mentions?.sessionId !== sessionId) mentions = mentionsOf(sessionId);
      return mentions.find(query);
    },
    reconnect: () => {
      channels.reconnectNow();
      return {};
    },
    signIn: () => {
      location.reload();
      return {};
    },
  };

  const checked = Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => [
      name,
      async (params: unknown) => {
        try {
          return await (handler as (params: unknown) => unknown)(params);
        } catch (error) {
          throw refusedBy(error);
        }
      },
    ]),
  ) as unknown as Host;
  return {
    ...checked,
    onNote: (listener) => {
      listeners.add(listener);
      listener('connection', connectionOf(channels.state));
      return () => listeners.delete(listener);
    },
    close: () => {
      stopReading();
      for (const stop of stops) stop();
      listeners.clear();
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // written by something else: no draft
  }
}
