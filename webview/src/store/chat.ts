import type { ContentBlock, Session, Turn } from '@berth/contract';
import type { Clock } from '../clock.ts';
import {
  Refused,
  type Connection,
  type Draft,
  type Hello,
  type Host,
  type Note,
} from '../ipc/index.ts';
import { createStore, type Observable } from './observable.ts';
import type { Outgoing } from './queue.ts';
import { noRows, rowsOf, type Rows } from './rows.ts';
import { append, openTranscript, prepend, type Transcript } from './transcript.ts';

export interface ChatState {
  readonly hello: Hello | null;
  readonly sessionId: string | null;
  readonly session: Session | null;
  readonly transcript: Transcript | null;
  readonly rows: Rows;
  readonly turns: readonly Turn[];
  readonly outgoing: readonly Outgoing[];
  /** What the agent may be set to. */
  readonly models: readonly string[];
  readonly connection: Connection;
  /** When the next attempt is due, by our clock. */
  readonly nextTryAt: number | null;
  readonly lastHeardAt: number;
  /** The session could not be opened. */
  readonly missing: { code: string; detail: string } | null;
  /** Words for the last thing that was refused, until the next thing is done. */
  readonly refusal: string | null;
  readonly loadingOlder: boolean;
  /** What the person had written here and not sent, when the session was opened. */
  readonly kept: Draft | null;
}

/** Text and blocks that the person chose elsewhere, to be added to what is written here. */
export type DraftListener = (draft: Draft) => void;

export interface Chat {
  readonly state: Observable<ChatState>;
  readonly host: Host;
  readonly clock: Clock;
  /** Says hello to the host and shows the session that it asks for. */
  readonly start: () => Promise<void>;
  readonly open: (sessionId: string | null) => Promise<void>;
  readonly loadOlder: () => Promise<void>;
  send(prompt: ContentBlock[], turnId: string): Promise<boolean>;
  /** Runs a call whose refusal is shown to the person. False: it was refused. */
  readonly attempt: (action: Promise<unknown>) => Promise<boolean>;
  onFocusComposer(listener: () => void): () => void;
  onDraft(listener: DraftListener): () => void;
  close(): void;
}

/** Text simply appears, at most 30 times a second. */
const paintMs = 33;
const pageSize = 500;

const wordsFor: Record<string, string> = {
  'turn-already-sent': 'The agent already has this message.',
  'body-too-large': 'This message is too large to send.',
  'runner-unreachable': 'The sandbox does not answer at the moment. Try again in a few seconds.',
  'session-archived': 'This session is archived.',
};
export function wordsOf(error: unknown): string {
  if (!(error instanceof Refused)) return 'The server could not do this. Nothing was changed.';
  const { code, detail, requestId, by } = error.refusal;
  if (code === 'already-decided') return by ? `Already answered by ${by}.` : detail;
  if (code === 'internal-error')
    return `The server could not do this. Nothing was changed.${requestId ? ` Request ${requestId}` : ''}`;
  return wordsFor[code] ?? detail;
}

/** One chat: the replica of a session's log and what is done with it. Calls go to the host, everything seen comes from its notes. */
export function createChat(options: {
  host: Host;
  clock: Clock;
  schedule: (run: () => void, afterMs: number) => void;
}): Chat {
  const { host, clock, schedule } = options;
  const store = createStore<ChatState>({
    hello: null,
    sessionId: null,
    session: null,
    transcript: null,
    rows: noRows,
    turns: [],
    outgoing: [],
    models: [],
    connection: { state: 'connected' },
    nextTryAt: null,
    lastHeardAt: clock.now(),
    missing: null,
    refusal: null,
    loadingOlder: false,
    kept: null,
  });
  const focusListeners = new Set<() => void>();
  const draftListeners = new Set<DraftListener>();
  let waiting: Note<'events'>[] = [];
  let painted = -Infinity;
  let scheduled = false;
  let asking = false;

  const show = (transcript: Transcript, part: Partial<ChatState> = {}): void =>
    store.update({
      transcript,
      rows: rowsOf(transcript.view.entries, store.get().rows),
      outgoing: store.get().outgoing.filter(({ turnId }) => !transcript.view.turns.has(turnId)),
      lastHeardAt: clock.now(),
      ...part,
    });

  const flush = (): void => {
    scheduled = false;
    painted = clock.now();
    const spans = waiting;
    waiting = [];
    const { sessionId, transcript } = store.get();
    if (!transcript) {
      // The answer to `openSession` is still under way and these come after it.
      waiting = spans.filter((span) => span.sessionId === sessionId);
      return;
    }
    let next = transcript;
    for (const span of spans) {
      if (span.sessionId !== sessionId) continue;
      const merged = append(next, span);
      if (merged.kind === 'gap') {
        askAgain(span.sessionId, next.to);
        break;
      }
      next = merged.transcript;
    }
    if (next !== transcript) show(next);
  };
  const take = (span: Note<'events'>): void => {
    waiting.push(span);
    if (scheduled) return;
    scheduled = true;
    schedule(flush, Math.max(0, painted + paintMs - clock.now()));
  };

  /** Something is missing between what we hold and what came: ask for all of it. */
  const askAgain = (sessionId: string, knownSeq: number): void => {
    if (asking) return;
    asking = true;
    host
      .openSession({ sessionId, knownSeq })
      .then((answer) => {
        const { transcript, sessionId: shown } = store.get();
        if (!transcript || shown !== sessionId) return;
        const merged = append(transcript, answer);
        // The log was trimmed or the host lost its place: begin at its tail.
        const next =
          merged.kind === 'merged'
            ? merged.transcript
            : openTranscript(answer, answer.hasOlder, answer.context, answer.turns);
        const { session, turns, models } = answer;
        show(next, { session, turns, models });
      })
      .catch((error: unknown) => store.update({ refusal: wordsOf(error) }))
      .finally(() => {
        asking = false;
      });
  };

  const leave = host.onNote((name, data) => {
    const { sessionId } = store.get();
    switch (name) {
      case 'events':
        take(data as Note<'events'>);
        break;
      case 'session': {
        const { session } = data as Note<'session'>;
        if (session.id === sessionId) store.update({ session, lastHeardAt: clock.now() });
        break;
      }
      case 'connection': {
        const connection = data as Connection;
        const nextTryAt =
          connection.nextTryMs === undefined ? null : clock.now() + connection.nextTryMs;
        store.update({ connection, nextTryAt });
        break;
      }
      case 'show':
        open((data as Note<'show'>).sessionId).catch((error: unknown) =>
          store.update({ refusal: wordsOf(error) }),
        );
        break;
      case 'focusComposer':
        for (const listener of focusListeners) listener();
        break;
      case 'draft': {
        const { sessionId: of, draft } = data as Note<'draft'>;
        if (of === sessionId) for (const listener of draftListeners) listener(draft);
        break;
      }
      case 'theme':
        break;
    }
  });

  const open = async (sessionId: string | null): Promise<void> => {
    waiting = [];
    store.update({
      sessionId,
      session: null,
      transcript: null,
      rows: noRows,
      turns: [],
      outgoing: [],
      missing: null,
      refusal: null,
      kept: null,
    });
    if (sessionId === null) return;
    try {
      const [answer, kept] = await Promise.all([
        host.openSession({ sessionId }),
        host.loadDraft({ sessionId }),
      ]);
      if (store.get().sessionId !== sessionId) return;
      const transcript = openTranscript(answer, answer.hasOlder, answer.context, answer.turns);
      const { session, turns, models } = answer;
      show(transcript, { session, turns, models, kept: kept.draft });
      if (waiting.length > 0) flush();
    } catch (error) {
      if (store.get().sessionId !== sessionId) return;
      const refusal =
        error instanceof Refused ? error.refusal : { code: 'internal-error', detail: '' };
      store.update({ missing: { code: refusal.code, detail: wordsOf(error) } });
    }
  };

  const attempt = async (action: Promise<unknown>): Promise<boolean> => {
    try {
      await action;
      if (store.get().refusal !== null) store.update({ refusal: null });
      return true;
    } catch (error) {
      store.update({ refusal: wordsOf(error) });
      return false;
    }
  };

  return {
    state: store,
    host,
    clock,
    open,
    start: async () => {
      const hello = await host.ready({});
      store.update({ hello });
      if (hello.sessionId !== null) await open(hello.sessionId);
    },
    attempt,
    loadOlder: async () => {
      const { transcript, sessionId, loadingOlder } = store.get();
      if (!transcript?.hasOlder || !sessionId || loadingOlder) return;
      store.update({ loadingOlder: true });
      await attempt(
        host
          .page({ sessionId, before: transcript.after + 1, limit: pageSize })
          .then(({ hasOlder, ...span }) => {
            const state = store.get();
            if (state.sessionId === sessionId && state.transcript)
              show(prepend(state.transcript, span, hasOlder));
          }),
      );
      store.update({ loadingOlder: false });
    },
    send: async (prompt, turnId) => {
      const { sessionId } = store.get();
      if (!sessionId) return false;
      store.update({ outgoing: [...store.get().outgoing, { turnId, prompt }], refusal: null });
      const sent = await attempt(host.send({ sessionId, turnId, prompt }));
      if (!sent)
        store.update({
          outgoing: store.get().outgoing.filter((message) => message.turnId !== turnId),
        });
      return sent;
    },
    onFocusComposer: (listener) => {
      focusListeners.add(listener);
      return () => focusListeners.delete(listener);
    },
    onDraft: (listener) => {
      draftListeners.add(listener);
      return () => draftListeners.delete(listener);
    },
    close: leave,
  };
}
