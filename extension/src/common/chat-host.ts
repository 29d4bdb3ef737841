import { codeOf, createMentions } from '@berth/client';
import {
  note,
  Refused,
  serveCalls,
  type Draft,
  type Handlers,
  type Hello,
  type HostMessage,
  type Note,
  type NoteName,
  type Opened,
} from '../../../webview/src/ipc/index.ts';
import { modelsOf } from '../../../webview/src/store/models.ts';
import { inWorkspace } from './addresses.ts';
import { connectionOf, refusalOf } from './chat-words.ts';
import type { Clock, Timers } from './clock.ts';
import type { Hub, Link } from './hub.ts';
import { plainEvents, readLog } from './log-reader.ts';
import { canWrite } from './state.ts';

/** What the editor around the chat does for it. */
export interface Surroundings {
  openTerminal(sessionId: string, kind: 'agent' | 'shell'): Promise<void>;
  openChanges(sessionId: string, path?: string): Promise<void>;
  openFile(sessionId: string, path: string, line?: number): Promise<void>;
  openText(title: string, text: string): Promise<void>;
  openLink(url: string): Promise<void>;
  insertAtCursor(text: string): Promise<void>;
  copy(text: string): Promise<void>;
  signIn(): Promise<void>;
  sendKey(): Hello['sendKey'];
}
export interface Drafts {
  load(sessionId: string): Draft | null;
  save(sessionId: string, draft: Draft | null): Promise<void>;
}
export interface ChatHost {
  receive(message: unknown): Promise<void>;
  focusComposer(): void;
  addToDraft(draft: Draft): void;
  /** Stops reading the log: nobody looks. The page says `ready` again when somebody does. */
  pause(): void;
  close(): void;
}

const tailSize = 400;
const headSize = 100;
const linkMs = 10_000;
const helloMs = 1500;

/** The extension's side of one chat: answers its calls through the hub, and tells it what happens in its session. */
export function createChatHost(options: {
  hub: Hub;
  sessionId: string;
  around: Surroundings;
  drafts: Drafts;
  clock: Clock;
  timers: Timers;
  post: (message: HostMessage) => void;
  onError: (error: unknown) => void;
}): ChatHost {
  const { hub, sessionId, around, drafts, post } = options;
  const tell = <N extends NoteName>(name: N, data: Note<N>): void => post(note(name, data));
  let stopReading: () => void = () => undefined;
  let reading = false;
  /** The page could not be filled, or was filled by a server that is gone. */
  let stale = false;
  let openedOn: Link | null = null;
  let started = false;

  const linked = async (): Promise<Link> => {
    const link = hub.link ?? (await hub.whenLinked(linkMs));
    if (link !== null) return link;
    throw new Refused({
      code: 'unreachable',
      detail: 'No Berth server answers. The session opens when the connection is there.',
    });
  };

  function read(link: Link, from: number): void {
    stopReading();
    const stop = readLog({
      link,
      sessionId,
      from,
      timers: options.timers,
      give: (span) => tell('events', { sessionId, ...span }),
    });
    reading = true;
    stopReading = () => {
      reading = false;
      stop();
    };
  }

  const openSession = async (knownSeq?: number): Promise<Opened> => {
    stale = true;
    const link = await linked();
    const { client } = link;
    const [session, page, turns] = await Promise.all([
      client.sessions.get(sessionId),
      client.sessions.events(
        sessionId,
        knownSeq === undefined ? { tail: tailSize } : { after: knownSeq, limit: 1000 },
      ),
      client.turns.list(sessionId, { limit: 100 }),
    ]);
    const after = knownSeq ?? (page.from === null ? page.lastSeq : page.from - 1);
    const to = page.to ?? after;
    // Modes and commands are told at the beginning, plans anywhere: the head says most of what still holds.
    const head =
      after > 0 && knownSeq === undefined
        ? (await client.sessions.events(sessionId, { after: 0, limit: headSize })).items
        : [];
    read(link, to);
    stale = false;
    openedOn = link;
    return {
      session,
      after,
      to,
      events: plainEvents(page.items),
      hasOlder: after > 0,
      turns: turns.items.filter((turn) => turn.state === 'queued' || turn.state === 'unknown'),
      context: plainEvents(head),
      models: modelsOf(session, hub.state.get().agents, hub.state.get().harnesses),
    };
  };

  /** Who we are comes with the first answers of the server; a page does not wait long for a server that is away. */
  const weAreKnown = (): Promise<void> =>
    new Promise((resolve) => {
      if (hub.state.get().me !== null) {
        resolve();
        return;
      }
      const done = (): void => {
        stopWaiting();
        stopListening();
        resolve();
      };
      const stopWaiting = options.timers.after(helloMs, done);
      const stopListening = hub.state.onChange(({ me }) => {
        if (me !== null) done();
      });
    });
  const hello = async (): Promise<Hello> => {
    started = true;
    await weAreKnown();
    const { me, meta } = hub.state.get();
    return {
      host: 'vscode',
      sessionId,
      me: { id: me?.id ?? '', name: me?.name ?? '', team: me?.team.name ?? '' },
      canWrite: canWrite(me),
      sendKey: around.sendKey(),
      isolated: meta?.isolation.isolated ?? true,
      editor: true,
    };
  };

  const mentions = createMentions({
    list: async (folder) => (await linked()).client.files.list(sessionId, folder),
    clock: options.clock,
  });

  /** A page shows one session: a call about another is of another page. */
  const own = (params: { sessionId: string }): string => {
    if (params.sessionId === sessionId) return sessionId;
    throw new Refused({ code: 'invalid-request', detail: 'This chat shows another session.' });
  };
  const done = async (action: Promise<unknown>): Promise<object> => {
    await action;
    return {};
  };
  const order =
    (
      name: 'cancel' | 'suspend' | 'resume' | 'restartAgent' | 'takeBack' | 'archive' | 'unarchive',
    ) =>
    async (params: { sessionId: string }) =>
      done((await linked()).client.sessions[name](own(params)));
  const patched = async (params: { sessionId: string; mode?: string; model?: string }) => {
    const { sessions } = (await linked()).client;
    const { sessionId: _id, ...patch } = params;
    const known = hub.state.get().sessions.get(own(params)) ?? (await sessions.get(sessionId));
    return done(sessions.patch(sessionId, known.version, patch));
  };
  const below = (path: string): string => {
    const found = inWorkspace(path);
    if (found !== null) return found;
    throw new Refused({ code: 'outside-workspace', detail: `${path} is not in the workspace.` });
  };

  const handlers: Handlers = {
    ready: hello,
    openSession: ({ knownSeq, ...params }) => {
      own(params);
      return openSession(knownSeq);
    },
    page: async ({ before, limit, ...params }) => {
      const { client } = await linked();
      const page = await client.sessions.events(own(params), { before, limit });
      const after = page.from === null ? 0 : page.from - 1;
      return { after, to: before - 1, events: plainEvents(page.items), hasOlder: after > 0 };
    },
    send: async ({ turnId, prompt, ...params }) =>
      done((await linked()).client.turns.create(own(params), { id: turnId, prompt })),
    cancel: order('cancel'),
    queueEdit: async ({ turnId, prompt, ...params }) =>
      done((await linked()).client.turns.patch(own(params), turnId, { prompt })),
    queueMove: async ({ turnId, position, ...params }) =>
      done((await linked()).client.turns.patch(own(params), turnId, { position })),
    queueWithdraw: async ({ turnId, ...params }) =>
      done((await linked()).client.turns.withdraw(own(params), turnId)),
    decide: async ({ approvalId, ...decision }) =>
      done((await linked()).client.approvals.decide(approvalId, decision)),
    settle: async ({ turnId, answer, ...params }) =>
      done((await linked()).client.turns.settle(own(params), turnId, { answer })),
    setMode: patched,
    setModel: patched,
    suspend: order('suspend'),
    resume: order('resume'),
    restartAgent: order('restartAgent'),
    takeBack: order('takeBack'),
    archive: order('archive'),
    unarchive: order('unarchive'),
    markRead: async ({ seq, ...params }) =>
      done((await linked()).client.sessions.markRead(own(params), seq)),
    openTerminal: ({ kind, ...params }) => done(around.openTerminal(own(params), kind)),
    openChanges: ({ path, ...params }) =>
      done(around.openChanges(own(params), path === undefined ? undefined : below(path))),
    openFile: ({ path, line, ...params }) => done(around.openFile(own(params), below(path), line)),
    openText: ({ title, text }) => done(around.openText(title, text)),
    openLink: ({ url }) => done(around.openLink(url)),
    showLog: async (params) => {
      const { client } = await linked();
      const sources = ['sandbox', 'runner', 'agent'] as const;
      const logs = await Promise.all(
        sources.map((source) => client.sessions.logs(own(params), { source, tail: 200 })),
      );
      const text = logs
        .filter(({ lines }) => lines.length > 0)
        .map(({ source, lines }) => `${source}\n${lines.map((line) => `  ${line}`).join('\n')}`)
        .join('\n\n');
      return done(around.openText('log', text === '' ? 'The log is empty.' : text));
    },
    insertAtCursor: ({ text }) => done(around.insertAtCursor(text)),
    copy: ({ text }) => done(around.copy(text)),
    saveDraft: ({ draft, ...params }) => done(drafts.save(own(params), draft)),
    loadDraft: (params) => ({ draft: drafts.load(own(params)) }),
    blob: async ({ blobId, ...params }) => ({
      text: await (await (await linked()).client.sessions.blob(own(params), blobId)).text(),
    }),
    mention: async ({ query, ...params }) => {
      own(params);
      return mentions(query);
    },
    reconnect: () => {
      hub.look();
      return {};
    },
    signIn: () => done(around.signIn()),
  };

  const serve = serveCalls({
    handlers,
    post,
    refuse: (error) => {
      if (codeOf(error) === undefined && !(error instanceof Refused)) options.onError(error);
      return refusalOf(error);
    },
  });
  const leave = hub.state.onChange((now, before) => {
    if (now.server !== before.server) tell('connection', connectionOf(now.server));
    const session = now.sessions.get(sessionId);
    if (session && session !== before.sessions.get(sessionId)) tell('session', { session });
    // The page was opened on a server that is no longer ours, or could not be opened at all: from the beginning.
    const elsewhere = started && (stale || (reading && openedOn !== hub.link));
    if (elsewhere && now.server.kind === 'online' && before.server.kind !== 'online')
      tell('show', { sessionId });
  });

  return {
    receive: async (message) => {
      await serve(message);
      const isReady =
        typeof message === 'object' && message !== null && Reflect.get(message, 'name') === 'ready';
      if (isReady) tell('connection', connectionOf(hub.state.get().server));
    },
    focusComposer: () => tell('focusComposer', {}),
    addToDraft: (draft) => tell('draft', { sessionId, draft }),
    pause: () => stopReading(),
    close() {
      leave();
      stopReading();
    },
  };
}
