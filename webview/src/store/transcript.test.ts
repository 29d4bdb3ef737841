import type { Turn } from '@berth/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { append, openTranscript, prepend, type Span, type Transcript } from './transcript.ts';

const sessionId = '01936d5e-0000-7000-8000-000000000001';
const uuid = (n: number) => `01936d5e-0000-7000-8000-${String(n).padStart(12, '0')}`;
interface Raw {
  sessionId: string;
  seq: number;
  at: string;
  kind: string;
  payload: Record<string, unknown>;
}
const event = (seq: number, kind: string, payload: Record<string, unknown>): Raw => ({
  sessionId,
  seq,
  at: new Date(1_790_000_000_000 + seq * 100).toISOString(),
  kind,
  payload,
});
const text = (value: string) => [{ type: 'text', text: value }];

interface Open {
  kind: 'message' | 'thought';
  id: string;
  from: number;
  text: string;
}
/** A log as it might be, from a list of small choices: turns with messages in deltas, tools, questions, boots. */
function logOf(choices: readonly number[]): Raw[] {
  const log: Raw[] = [];
  const state: { open: Open | null } = { open: null };
  let turn = 0;
  let tools = 0;
  let asks = 0;
  const add = (kind: string, payload: Record<string, unknown>) => {
    log.push(event(log.length + 1, kind, payload));
    return log.length;
  };
  const finish = () => {
    if (!state.open) return;
    const { kind, id, from, text: whole } = state.open;
    add(kind, { messageId: id, content: text(whole), supersedes: { from, to: log.length } });
    state.open = null;
  };
  for (const choice of choices) {
    switch (choice % 14) {
      case 0:
        turn += 1;
        add('turn.queued', { turnId: uuid(turn), prompt: text(`do ${turn}`), position: turn });
        break;
      case 1:
        if (turn > 0)
          add('message.user', {
            messageId: `u${turn}`,
            turnId: uuid(turn),
            content: text(`do ${turn}`),
          });
        break;
      case 2:
        if (turn > 0) add('turn.started', { turnId: uuid(turn) });
        break;
      case 3:
      case 4:
      case 5: {
        const part = `w${choice} `;
        const kind = choice % 2 ? 'message' : 'thought';
        if (state.open && state.open.kind !== kind) finish();
        const seq = add(`${kind}.delta`, {
          messageId: state.open?.id ?? `m${log.length}`,
          text: part,
        });
        state.open = state.open
          ? { ...state.open, text: state.open.text + part }
          : { kind, id: `m${seq - 1}`, from: seq, text: part };
        break;
      }
      case 6:
        finish();
        break;
      case 7:
        tools += 1;
        add('tool', {
          toolCallId: `t${tools}`,
          title: `Read ${tools}`,
          kind: 'read',
          status: 'running',
        });
        break;
      case 8:
        if (tools > 0)
          add('tool', {
            toolCallId: `t${(choice % tools) + 1}`,
            status: 'completed',
            output: { text: 'x' },
          });
        break;
      case 9:
        asks += 1;
        add('approval.requested', {
          approvalId: uuid(500 + asks),
          revision: 1,
          title: 'May I?',
          toolCallId: `t${tools}`,
          options: [{ optionId: 'a', name: 'Yes', kind: 'allow_once' }],
        });
        break;
      case 10:
        if (asks > 0)
          add('approval.resolved', {
            approvalId: uuid(500 + asks),
            state: 'decided',
            optionId: 'a',
          });
        break;
      case 11:
        if (turn > 0)
          add('turn.ended', { turnId: uuid(turn), state: choice > 60 ? 'unknown' : 'done' });
        break;
      case 12:
        add('sandbox.phase', {
          phase: ['requested', 'creating', 'ready', 'waking', 'failed', 'lost'][choice % 6],
        });
        break;
      case 13:
        add(
          ['plan', 'notice', 'a.kind.of.the.future'][choice % 3] ?? '',
          choice % 3 === 0
            ? { entries: [{ content: `step ${choice}`, status: 'pending' }] }
            : { code: 'x', text: 'note' },
        );
        break;
    }
  }
  finish();
  return log;
}
/** What a replay leaves out. */
function withoutSuperseded(log: readonly Raw[]): Raw[] {
  return log.filter((one) => {
    if (!one.kind.endsWith('.delta')) return true;
    return !log.some((whole) => {
      const range = whole.payload['supersedes'] as { from: number; to: number } | undefined;
      return (
        range !== undefined &&
        `${whole.kind}.delta` === one.kind &&
        whole.payload['messageId'] === one.payload['messageId'] &&
        one.seq >= range.from &&
        one.seq <= range.to
      );
    });
  });
}
const span = (log: readonly Raw[], after: number, to: number): Span => ({
  after,
  to,
  events: log.filter((one) => one.seq > after && one.seq <= to),
});
const merged = (transcript: Transcript, next: Span): Transcript => {
  const result = append(transcript, next);
  if (result.kind === 'gap') throw new Error('a gap where there is none');
  return result.transcript;
};
const whole = (log: readonly Raw[]) => openTranscript(span(log, 0, log.length), false);

const logs = fc.array(fc.nat(99), { maxLength: 60 }).map(logOf);
const cuts = fc.array(fc.nat(1000), { maxLength: 8 });
const places = (log: readonly Raw[], at: readonly number[]) =>
  [...new Set([...at.map((n) => n % (log.length + 1)), log.length])].sort((a, b) => a - b);

test('a plan that was carried out goes when the next turn begins; an open one stays', () => {
  const plan = (status: string) => ({ entries: [{ content: 'Look', priority: 'high', status }] });
  const left = (status: string) =>
    openTranscript(
      {
        after: 0,
        to: 3,
        events: [
          event(1, 'turn.started', { turnId: uuid(1) }),
          event(2, 'plan', plan(status)),
          event(3, 'turn.started', { turnId: uuid(2) }),
        ],
      },
      false,
    ).view.plan.length;
  expect([left('completed'), left('in_progress')]).toEqual([0, 1]);
});

describe('the replica converges', () => {
  test('however the log is cut, the state is the same', () => {
    fc.assert(
      fc.property(logs, cuts, (log, at) => {
        let transcript = openTranscript(span(log, 0, 0), false);
        let from = 0;
        for (const to of places(log, at)) {
          transcript = merged(transcript, span(log, from, to));
          from = to;
        }
        expect(transcript).toEqual(whole(log));
      }),
    );
  });
  test('what comes twice or overlaps changes nothing', () => {
    fc.assert(
      fc.property(logs, cuts, cuts, (log, at, back) => {
        let transcript = openTranscript(span(log, 0, 0), false);
        places(log, at).forEach((to, index) => {
          const overlap = Math.max(0, transcript.to - ((back[index] ?? 0) % 20));
          transcript = merged(transcript, span(log, overlap, to));
          transcript = merged(transcript, span(log, 0, overlap));
        });
        expect(transcript).toEqual(whole(log));
      }),
    );
  });
  test('a replay without deltas shows what was seen live with them', () => {
    fc.assert(
      fc.property(logs, (log) => {
        const live = whole(log);
        const replay = openTranscript(span(withoutSuperseded(log), 0, log.length), false);
        expect(replay.events).toEqual(live.events);
        expect(replay.view.entries).toEqual(live.view.entries);
        expect(replay).toEqual(live);
      }),
    );
  });
  test('older pages, put in front one by one, give the whole', () => {
    fc.assert(
      fc.property(logs, cuts, (log, at) => {
        const replay = withoutSuperseded(log);
        const [tail = log.length, ...older] = places(log, at).reverse();
        // What waits does not come from older pages: the server lists it when the session is opened.
        const turns = whole(log).queue.map((id, position) => ({ id, position, state: 'queued' }));
        const newest = span(replay, tail, log.length);
        let transcript = openTranscript(newest, tail > 0, [], turns as Turn[]);
        for (const after of [...older, 0]) {
          if (after >= transcript.after) continue;
          transcript = prepend(transcript, span(replay, after, transcript.after), after > 0);
        }
        if (transcript.after > 0)
          transcript = prepend(transcript, span(replay, 0, transcript.after), false);
        expect(transcript).toEqual(whole(log));
      }),
    );
  });
  test('an older state is not touched by what is merged later', () => {
    fc.assert(
      fc.property(logs, fc.nat(1000), (log, at) => {
        const cut = at % (log.length + 1);
        const before = openTranscript(span(log, 0, cut), false);
        const copy = structuredClone(before);
        merged(before, span(log, cut, log.length));
        expect(before).toEqual(copy);
      }),
    );
  });
});

test('what is missing is asked for, not skipped', () => {
  const log = logOf([0, 1, 2, 3, 3, 6, 7, 8]);
  const transcript = openTranscript(span(log, 0, 2), false);
  expect(append(transcript, span(log, 3, 5))).toEqual({ kind: 'gap' });
  expect(append(transcript, span(log, 2, 5)).kind).toBe('merged');
});

test('kinds of the future and broken payloads are passed over, their numbers count', () => {
  const transcript = openTranscript(
    {
      after: 0,
      to: 4,
      events: [
        event(1, 'hologram', { x: 1 }),
        event(2, 'message', { messageId: 7, content: 'no' }),
        'not an event',
        event(4, 'notice', { code: 'x', text: 'seen' }),
      ],
    },
    false,
  );
  expect(transcript.to).toBe(4);
  expect(transcript.view.entries).toMatchObject([{ kind: 'notice', text: 'seen' }]);
});

const turn = uuid(7);
describe('single cases', () => {
  const entries = (...events: Raw[]) =>
    openTranscript({ after: 0, to: 99, events }, false).view.entries;
  test('tool updates merge by field', () => {
    expect(
      entries(
        event(1, 'tool', { toolCallId: 'a', title: 'Edit', kind: 'edit', status: 'pending' }),
        event(2, 'tool', { toolCallId: 'a', status: 'running' }),
        event(5, 'tool', {
          toolCallId: 'a',
          status: 'completed',
          diff: [{ path: 'x', newText: 'y' }],
        }),
      ),
    ).toMatchObject([
      {
        kind: 'tool',
        title: 'Edit',
        tool: 'edit',
        status: 'completed',
        diff: [{ path: 'x' }],
        order: 1,
      },
    ]);
  });
  test('a message that was withdrawn leaves no trace; one that ran shows its end', () => {
    expect(
      entries(
        event(1, 'turn.queued', { turnId: turn, prompt: text('x') }),
        event(2, 'turn.ended', { turnId: turn, state: 'cancelled' }),
      ),
    ).toEqual([]);
    expect(
      entries(
        event(1, 'message.user', { messageId: 'u', turnId: turn, content: text('x') }),
        event(2, 'turn.started', { turnId: turn }),
        event(3, 'turn.ended', { turnId: turn, state: 'cancelled' }),
      ),
    ).toMatchObject([{ kind: 'user' }, { kind: 'end', state: 'cancelled' }]);
  });
  test('what was typed in the terminal is a message with a mark, and waits in no queue', () => {
    const content = text('x');
    expect(
      entries(
        event(1, 'message.user', { messageId: 'u', turnId: turn, content, via: 'terminal' }),
        event(2, 'message', { messageId: 'm', content: text('y') }),
      ),
    ).toMatchObject([{ kind: 'user', via: 'terminal', content }, { kind: 'agent' }]);
  });
  test('a question about delivery is settled by whatever happens to its turn', () => {
    const unknown = [
      event(1, 'message.user', { messageId: 'u', turnId: turn, content: text('x') }),
      event(2, 'turn.ended', { turnId: turn, state: 'unknown' }),
    ];
    expect(entries(...unknown)).toMatchObject([{ kind: 'user' }, { kind: 'end', settled: false }]);
    expect(entries(...unknown, event(3, 'turn.started', { turnId: turn }))).toMatchObject([
      { kind: 'user' },
      { kind: 'end', settled: true },
    ]);
  });
  test('a boot is one entry, progress of a phase one line', () => {
    expect(
      entries(
        event(1, 'sandbox.phase', { phase: 'requested' }),
        event(2, 'sandbox.phase', {
          phase: 'installing',
          progress: { done: 1, total: 9, unit: 'MB' },
        }),
        event(3, 'sandbox.phase', {
          phase: 'installing',
          progress: { done: 9, total: 9, unit: 'MB' },
        }),
        event(4, 'sandbox.phase', { phase: 'ready' }),
      ),
    ).toMatchObject([
      { kind: 'boot', state: 'ready', phases: [{ phase: 'requested' }, { progress: { done: 9 } }] },
    ]);
  });
  test('a decision that nobody asked for in this window is passed over', () => {
    expect(
      entries(event(9, 'approval.resolved', { approvalId: uuid(1), state: 'decided' })),
    ).toEqual([]);
  });
});
