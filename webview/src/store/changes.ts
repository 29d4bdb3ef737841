import { plainText, type Event, type EventKind } from '@berth/contract';
import { millis } from '../clock.ts';
import {
  isOver,
  type AskEntry,
  type BootEntry,
  type EndEntry,
  type TextEntry,
  type ToolEntry,
} from './entries.ts';
import type { Draft, TurnInfo } from './view.ts';

type EventOf<K extends EventKind> = Extract<Event, { kind: K }>;
export type Change = (draft: Draft, event: Event) => void;

/** What each kind of event does to the view. A kind that changes nothing here says so with an empty function. */
export const change: { [K in EventKind]: (draft: Draft, event: EventOf<K>) => void } = {
  'session.status': () => undefined, // the session itself says it, with more
  'sandbox.phase': boot,
  'turn.queued': (draft, { payload, seq }) => {
    const before = draft.turn(payload.turnId);
    settleQuestion(draft, payload.turnId);
    draft.putTurn({
      ...blankTurn(payload.turnId, seq),
      ...before,
      state: 'queued',
      prompt: payload.prompt ?? before?.prompt ?? null,
      by: payload.by ?? before?.by,
      position: payload.position ?? before?.position ?? null,
    });
  },
  'turn.started': (draft, { payload, seq, at }) => {
    settleQuestion(draft, payload.turnId);
    // A plan that was carried out says nothing about the next turn.
    if (draft.isPlanDone()) draft.set({ plan: [] });
    const before = draft.turn(payload.turnId);
    draft.putTurn({
      ...blankTurn(payload.turnId, seq),
      ...before,
      state: 'running',
      startedAt: before?.startedAt ?? millis(at),
    });
  },
  'turn.ended': ended,
  'message.user': (draft, { payload, seq, at }) => {
    const id = `user:${payload.turnId}`;
    settleQuestion(draft, payload.turnId);
    const before = draft.turn(payload.turnId);
    if (before?.state === 'queued') draft.putTurn({ ...before, state: 'running' });
    // The same message sent again keeps its first place.
    if (draft.find(id)) return;
    draft.put({
      kind: 'user',
      id,
      order: seq,
      at: millis(at),
      turnId: payload.turnId,
      content: payload.content,
      by: payload.by ?? before?.by,
      ...(payload.via === undefined ? {} : { via: payload.via }),
    });
  },
  'message.delta': (draft, event) => delta(draft, event, 'agent'),
  message: (draft, event) => whole(draft, event, 'agent'),
  'thought.delta': (draft, event) => delta(draft, event, 'thought'),
  thought: (draft, event) => whole(draft, event, 'thought'),
  tool,
  plan: (draft, { payload }) => draft.set({ plan: payload.entries }),
  commands: (draft, { payload }) => draft.set({ commands: payload.commands }),
  mode: (draft, { payload }) => draft.set({ mode: payload }),
  'approval.requested': (draft, { payload, seq, at }) => {
    const id = `ask:${payload.approvalId}`;
    const before = draft.find(id);
    const ask: AskEntry = {
      kind: 'ask',
      id,
      order: before?.order ?? seq,
      at: millis(at),
      approvalId: payload.approvalId,
      revision: payload.revision,
      toolCallId: payload.toolCallId,
      title: payload.title,
      facts: payload.facts ?? [],
      options: payload.options,
      state: 'waiting',
    };
    draft.put(ask);
  },
  'approval.resolved': (draft, { payload, at }) => {
    const ask = draft.find(`ask:${payload.approvalId}`);
    if (ask?.kind !== 'ask') return; // it was asked before the window
    draft.put({
      ...ask,
      state: payload.state,
      optionId: payload.optionId,
      by: payload.by,
      note: payload.note,
      resolvedAt: millis(at),
    });
  },
  usage: () => undefined, // the session carries the sums
  'terminal.opened': (draft, { payload }) => {
    draft.terminals().set(payload.terminalId, payload);
  },
  'terminal.closed': (draft, { payload }) => {
    draft.terminals().delete(payload.terminalId);
  },
  notice: (draft, { payload, seq, at }) =>
    draft.put({
      kind: 'notice',
      id: `notice:${seq}`,
      order: seq,
      at: millis(at),
      code: payload.code,
      text: payload.text,
    }),
  error: (draft, { payload, seq, at }) =>
    draft.put({
      kind: 'error',
      id: `error:${seq}`,
      order: seq,
      at: millis(at),
      code: payload.code,
      text: payload.detail,
    }),
};

const blankTurn = (turnId: string, seq: number): TurnInfo => ({
  turnId,
  state: 'queued',
  prompt: null,
  position: null,
  queuedSeq: seq,
});

function settleQuestion(draft: Draft, turnId: string): void {
  const question = draft.find(`unknown:${turnId}`);
  if (question?.kind === 'end' && !question.settled) draft.put({ ...question, settled: true });
}

function ended(draft: Draft, { payload, seq, at }: EventOf<'turn.ended'>): void {
  const { turnId, state } = payload;
  const unknown = state === 'unknown';
  if (!unknown) settleQuestion(draft, turnId);
  const turn = draft.turn(turnId);
  const started = turn !== null && turn.startedAt !== undefined;
  draft.putTurn({
    ...blankTurn(turnId, seq),
    ...turn,
    state: unknown ? 'unknown' : 'over',
  });
  // A message that was withdrawn from the queue leaves no trace: the agent never saw it.
  const seen = started || draft.find(`user:${turnId}`) !== null;
  if (!unknown && !seen && state === 'cancelled') return;
  const id = unknown ? `unknown:${turnId}` : `end:${turnId}`;
  const entry: EndEntry = {
    kind: 'end',
    id,
    order: draft.find(id)?.order ?? seq,
    at: millis(at),
    turnId,
    state,
    stopReason: payload.stopReason,
    error: payload.error,
    usage: payload.usage,
    startedAt: turn?.startedAt,
    settled: false,
  };
  draft.put(entry);
}

function delta(
  draft: Draft,
  { payload, seq, at }: EventOf<'message.delta' | 'thought.delta'>,
  kind: TextEntry['kind'],
): void {
  const id = `${kind}:${payload.messageId}`;
  const before = draft.find(id);
  if (before?.kind === kind) {
    // A delta after its whole message is late and already part of it.
    if (before.open) draft.put({ ...before, text: before.text + payload.text });
    return;
  }
  draft.put({
    kind,
    id,
    order: seq,
    at: millis(at),
    text: payload.text,
    content: null,
    open: true,
  });
}

function whole(
  draft: Draft,
  { payload, seq, at }: EventOf<'message' | 'thought'>,
  kind: TextEntry['kind'],
): void {
  const id = `${kind}:${payload.messageId}`;
  draft.put({
    kind,
    id,
    // Where its first delta stood: a replay without deltas must show it in the same place.
    order: payload.supersedes?.from ?? draft.find(id)?.order ?? seq,
    at: millis(at),
    text: plainText(payload.content.filter((block) => block.type !== 'image')),
    content: payload.content,
    open: false,
  });
}

function tool(draft: Draft, { payload, seq, at, turnId }: EventOf<'tool'>): void {
  const id = `tool:${payload.toolCallId}`;
  const found = draft.find(id);
  const before = found?.kind === 'tool' ? found : null;
  const time = millis(at);
  const status = payload.status ?? before?.status ?? 'pending';
  const entry: ToolEntry = {
    kind: 'tool',
    id,
    order: before?.order ?? seq,
    at: before?.at ?? time,
    turnId: before?.turnId ?? turnId,
    toolCallId: payload.toolCallId,
    title: payload.title ?? before?.title ?? '',
    tool: payload.kind ?? before?.tool ?? 'other',
    status,
    locations: payload.locations ?? before?.locations ?? [],
    content: payload.content ?? before?.content ?? [],
    diff: payload.diff ?? before?.diff ?? [],
    rawInput: payload.rawInput ?? before?.rawInput,
    output: payload.output ?? before?.output,
    exitCode: payload.exitCode ?? before?.exitCode,
    startedAt: before?.startedAt ?? (status === 'running' ? time : undefined),
    endedAt: before?.endedAt,
  };
  draft.put(isOver(entry) ? { ...entry, endedAt: entry.endedAt ?? time } : entry);
}

const bootStarts = new Set(['requested', 'installing', 'creating', 'starting', 'agent-starting']);

function boot(draft: Draft, { payload, seq, at }: EventOf<'sandbox.phase'>): void {
  const { phase, detail, progress, logs } = payload;
  const time = millis(at);
  const last = draft.entries.findLast((entry) => entry.kind === 'boot');
  const open = last?.kind === 'boot' && last.state === 'starting' ? last : null;
  if (phase === 'lost') {
    draft.put({
      kind: 'error',
      id: `error:${seq}`,
      order: seq,
      at: time,
      code: 'sandbox-lost',
      text: detail ?? '',
    });
    return;
  }
  if (phase === 'suspending' || phase === 'suspended' || phase === 'removed') return; // the header says it
  if (!open && phase === 'ready') return; // its beginning lies before the window
  const base: BootEntry = open ?? {
    kind: 'boot',
    id: `boot:${seq}`,
    order: seq,
    at: time,
    waking: phase === 'waking',
    phases: [],
    state: 'starting',
    logs: [],
  };
  const over = phase === 'ready' || phase === 'failed';
  const same = base.phases.at(-1)?.phase === phase;
  // Progress of one phase replaces its line; only another phase adds one.
  const phases =
    over || !(bootStarts.has(phase) || phase === 'waking')
      ? base.phases
      : [
          ...(same ? base.phases.slice(0, -1) : base.phases),
          {
            phase,
            detail: detail ?? (same ? base.phases.at(-1)?.detail : undefined),
            progress,
            at: same ? (base.phases.at(-1)?.at ?? time) : time,
          },
        ];
  draft.put({
    ...base,
    phases,
    state: phase === 'ready' ? 'ready' : phase === 'failed' ? 'failed' : 'starting',
    detail: over ? detail : base.detail,
    logs: logs ?? base.logs,
    endedAt: over ? time : undefined,
  });
}
