import type { ContentBlock, Session } from '@berth/contract';
import {
  Refused,
  type Refusal,
  calls,
  type CallName,
  type Host,
  type Hello,
  type NoteListener,
} from '../src/ipc/index.ts';

/** A conversation as data: what a server would have told of it. Times are relative to the fixture's now. */
export interface Scene {
  session: Session;
  events: readonly { seq: number; [key: string]: unknown }[];
  hello?: Partial<Hello>;
  connection?: { state: 'connected' | 'waiting' | 'signedOut'; nextTryMs?: number };
  draft?: { text: string; blocks: ContentBlock[] };
  tail?: number;
}

/** A host that plays a scene and remembers what it was asked to do. */
export function createFixtureHost(scene: Scene): Host & {
  readonly asked: { name: CallName; params: unknown }[];
  emit: NoteListener;
  /** The next calls of this name are refused. */
  refuse: (name: CallName, refusal: Refusal) => void;
} {
  const listeners = new Set<NoteListener>();
  const asked: { name: CallName; params: unknown }[] = [];
  const refusals = new Map<CallName, Refusal>();
  const emit: NoteListener = (name, data) => {
    for (const listener of listeners) listener(name, data);
  };
  const lastSeq = scene.events.at(-1)?.seq ?? 0;
  const between = (after: number, to: number) =>
    scene.events.filter((event) => event.seq > after && event.seq <= to);
  const answers: Partial<Record<CallName, (params: never) => unknown>> = {
    ready: () => ({
      host: 'vscode',
      sessionId: scene.session.id,
      me: { id: 'ana', name: 'Ana Ruiz', team: 'Payments' },
      canWrite: true,
      sendKey: 'enter',
      isolated: true,
      editor: true,
      ...scene.hello,
    }),
    openSession: ({ knownSeq }: { knownSeq?: number }) => {
      const after = knownSeq ?? Math.max(0, lastSeq - (scene.tail ?? 400));
      setTimeout(() => {
        if (scene.connection) emit('connection', scene.connection);
      }, 0);
      return {
        session: scene.session,
        after,
        to: lastSeq,
        events: between(after, lastSeq),
        hasOlder: after > 0,
        turns: [],
        context: [],
        models: ['claude-sonnet-4-5', 'gpt-5-codex'],
      };
    },
    page: ({ before, limit }: { before: number; limit: number }) => {
      const after = Math.max(0, before - 1 - limit);
      return { after, to: before - 1, events: between(after, before - 1), hasOlder: after > 0 };
    },
    loadDraft: () => ({ draft: scene.draft ?? null }),
    mention: ({ query }: { query: string }) => ({
      items: [
        'test/',
        'src/refunds/policy.ts',
        'src/refunds/partial.ts',
        'test/refunds/api.test.ts',
      ]
        .filter((name) => name.includes(query))
        .map((name) => ({ name, uri: `file:///workspace/${name}` })),
    }),
    blob: () => ({ text: 'the whole output\n' }),
  };
  const names = Object.keys(calls) as CallName[];
  const table = Object.fromEntries(
    names.map((name) => [
      name,
      async (params: unknown) => {
        asked.push({ name, params });
        const refusal = refusals.get(name);
        if (refusal) throw new Refused(refusal);
        return (answers[name] as ((params: unknown) => unknown) | undefined)?.(params) ?? {};
      },
    ]),
  ) as unknown as Host;
  return {
    ...table,
    asked,
    emit,
    refuse: (name, refusal) => refusals.set(name, refusal),
    onNote: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
