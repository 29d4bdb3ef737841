import type { Event, Turn } from '@berth/contract';
import type { Answered } from './approvals.ts';
import { checkLog, type LoggedEvent } from './check-log.ts';
import type { Received } from './kinds.ts';
import type { SentTurn } from './person.ts';
import type { Seen } from './reader.ts';

/** All that can be known of one session from outside, when everything is quiet again. */
export interface Evidence {
  readonly index: number;
  readonly sent: readonly SentTurn[];
  readonly turns: readonly Turn[];
  readonly log: readonly LoggedEvent[];
  readonly live: readonly Seen[];
  /** The agent's own: one entry per prompt that it received, over all its lives. */
  readonly diary: readonly Received[];
  /** Nothing else comes from the agent than what its prompts say. */
  readonly exact: boolean;
  /** One mark a line, for every command that ran. */
  readonly ran: readonly string[];
  readonly answered: readonly Answered[];
}
export interface Violation {
  readonly session: number | null;
  readonly what: string;
  /** Words by which its history is found. */
  readonly names: readonly string[];
}
export interface Tally {
  /** Turns that the agent received exactly once. */
  delivered: number;
  /** Never to be delivered, and not: taken back or stopped before. */
  undelivered: number;
  unknown: number;
  /** Turns whose agent died in the middle and was told to go on. */
  interrupted: number;
}

const goOnStart = 'You were interrupted: your process ended';
/** To go on when all was done, and only its end was not heard. */
const nothingLeft = 'Nothing was left to do.';
const ends = ['done', 'cancelled', 'failed'];

/** Pure. Everything that is wrong. */
export function check(evidence: Evidence): { violations: Violation[]; tally: Tally } {
  const { index, sent, log } = evidence;
  const violations: Violation[] = [];
  const tally: Tally = { delivered: 0, undelivered: 0, unknown: 0, interrupted: 0 };
  const fault = (what: string, ...names: string[]): void => {
    violations.push({ session: index, what: `session ${String(index)}: ${what}`, names });
  };
  checkLog(evidence, fault);

  const started: string[] = [];
  for (const { event } of log)
    if (event.kind === 'turn.started') started.push(event.payload.turnId);
  // One that was moved has its place somewhere in its step.
  const fixed = sent.filter(({ moved }) => !moved);
  const order = fixed.map(({ id }) => id).filter((id) => started.includes(id));
  const firsts = [...new Set(started)].filter((id) => order.includes(id));
  if (firsts.join() !== order.join())
    fault(
      `turns began in the order ${firsts.join()}, they were sent as ${order.join()}`,
      ...firsts,
    );

  const steps = [...new Set(started)].flatMap(
    (id) => sent.find((one) => one.id === id)?.step ?? [],
  );
  if (steps.some((step, at) => step < (steps[at - 1] ?? 0)))
    fault(`turns of an earlier step began after later ones: steps ${steps.join()}`);

  for (const one of sent) checkTurn(evidence, one, tally, fault);
  checkDiary(evidence, fault);
  checkApprovals(evidence, fault);
  return { violations, tally };
}
type Fault = (what: string, ...names: string[]) => void;

const textOf = (event: Event & { kind: 'message' }): string =>
  event.payload.content.map((block) => (block.type === 'text' ? block.text : '')).join('');

function checkTurn(evidence: Evidence, sent: SentTurn, tally: Tally, fault: Fault): void {
  const { log, diary, ran, exact } = evidence;
  const { id, mark } = sent;
  const name = `turn ${mark} (${id})`;
  const wrong: Fault = (what) => fault(`${name}: ${what}`, id.slice(0, 8), mark);
  const turn = evidence.turns.find((one) => one.id === id);
  if (turn === undefined) {
    wrong('is lost: the server has no such turn');
    return;
  }
  const of = (kind: Event['kind']): LoggedEvent[] =>
    log.filter(
      ({ event }) =>
        event.kind === kind &&
        (event.turnId === id || ('turnId' in event.payload && event.payload.turnId === id)),
    );
  const times = (hash: string): number => diary.filter(({ sha256 }) => sha256 === hash).length;
  const endings = of('turn.ended').map(({ event }) => event as Event & { kind: 'turn.ended' });
  const unknown = endings.filter(({ payload }) => payload.state === 'unknown').length;
  const last = endings.at(-1);
  if (!ends.includes(turn.state)) wrong(`has no end: it is ${turn.state}`);
  if (endings.length - unknown !== 1)
    wrong(`has ${String(endings.length - unknown)} ends in the log`);
  if (last !== undefined && last.payload.state !== turn.state)
    wrong(`ended as ${last.payload.state} in the log and is ${turn.state}`);
  const queued = of('turn.queued').length;
  const { done, inDoubt } = sent.changes;
  // Not said before its process died, and changed before anybody looked: the change says both.
  const saidAtOnce = sent.sentAgain && done > 0 ? 1 : 0;
  if (queued < 1 + done - saidAtOnce || queued > 1 + done + inDoubt)
    wrong(`was queued ${String(queued)} times in the log, and changed ${String(done)} times`);
  for (const kind of ['message.user', 'turn.started'] as const)
    if (of(kind).length > 1 + (sent.settled === 'resend' ? 1 : 0))
      wrong(`has ${String(of(kind).length)} × ${kind}`);

  const received = times(sent.prompt.sha256);
  const other = sent.instead === undefined ? 0 : times(sent.instead.sha256);
  const count = received + other;
  if (unknown > 0) {
    tally.unknown += unknown;
    const told = log.some(
      ({ event }) =>
        event.kind === 'notice' &&
        ['delivery-unknown', 'journal-lost'].includes(event.payload.code),
    );
    if (!told) wrong('became unknown, and nothing says why');
  }
  if (count > 1) wrong(`was delivered ${String(count)} times`);
  const began = of('turn.started').length > 0;
  if (sent.withdrawn) {
    if (turn.state !== 'cancelled') wrong(`was withdrawn and is ${turn.state}`);
    if (count > 0) wrong('was withdrawn and yet delivered');
  } else if (count === 0 && turn.state !== 'cancelled')
    wrong(`is ${turn.state} and was never delivered`);
  if (count === 1) {
    tally.delivered++;
    if (!began) wrong('was delivered and never started in the log');
  } else if (count === 0) tally.undelivered++;

  const from = of('turn.queued')[0]?.event.seq ?? 0;
  const notices = log.flatMap(({ event }) =>
    event.kind === 'notice' && event.seq > from && event.seq < (last?.seq ?? Infinity)
      ? [event.payload.code]
      : [],
  );
  const interrupted = notices.includes('agent-restarted') || unknown > 0;
  if (interrupted && count > 0) tally.interrupted++;
  if (turn.state === 'failed' && !(interrupted && turn.error?.code === 'agent-died'))
    wrong(`failed: ${JSON.stringify(turn.error)}`);
  if (turn.state === 'cancelled' && !sent.cancelled && !sent.withdrawn)
    wrong('was cancelled by nobody');
  if (sent.prompt.hangs && turn.state === 'done' && !interrupted && sent.settled === undefined)
    wrong('cannot have ended by itself');

  if (!exact) return;
  const prompt = other > 0 ? (sent.instead ?? sent.prompt) : sent.prompt;
  const said = of('message')
    .map(({ event }) => textOf(event as Event & { kind: 'message' }))
    .filter((words) => !interrupted || words !== nothingLeft);
  const expected = prompt.says.map((text) =>
    typeof text === 'string' ? [text] : decidedFor(log, text.asked),
  );
  const detail = wrongTexts(expected, said, turn.state === 'done' && !interrupted);
  if (detail !== null) wrong(detail);

  const left = ran.filter((line) => line === prompt.mark).length;
  if (left > 1) wrong(`ran its command ${String(left)} times`);
  if (prompt.runs && left === 0 && turn.state === 'done' && !interrupted)
    wrong('is done and did not run its command');
}

/** What the agent may say to a question that two people answered: it may have been asked again by another life of the agent. */
function decidedFor(log: readonly LoggedEvent[], title: string): string[] {
  return log.flatMap(({ event }) => {
    if (event.kind !== 'approval.requested' || event.payload.title !== title) return [];
    const { approvalId, options } = event.payload;
    return log.flatMap(({ event: end }) => {
      if (end.kind !== 'approval.resolved' || end.payload.approvalId !== approvalId) return [];
      const option = options.find(({ optionId }) => optionId === end.payload.optionId);
      return option === undefined ? [] : [`You chose: ${option.name}`];
    });
  });
}

/**
 * Null: right. `expected`: for each text what it may be. An interrupted or stopped turn may lack texts or have the beginning of one, but none twice and
 * none out of order.
 */
export function wrongTexts(
  expected: readonly (readonly string[])[],
  said: readonly string[],
  complete: boolean,
): string | null {
  if (complete)
    return expected.length === said.length &&
      said.every((text, at) => expected[at]?.includes(text) === true)
      ? null
      : `said ${JSON.stringify(said)}, expected ${JSON.stringify(expected)}`;
  let at = 0;
  for (const text of said) {
    const fits = (one: readonly string[] | undefined): boolean =>
      one?.some((each) => each.startsWith(text.trimEnd())) === true;
    while (at < expected.length && !fits(expected[at])) at++;
    if (at === expected.length)
      return `said ${JSON.stringify(text)} twice, out of order or wrong; expected ${JSON.stringify(expected)}`;
    at++;
  }
  return null;
}

/** Every prompt that the agent received is one that somebody sent, in that order, or a word to go on after a death that was told. */
function checkDiary({ sent, diary, log, exact }: Evidence, fault: Fault): void {
  const known = new Map<string, string>();
  for (const one of sent) {
    known.set(one.prompt.sha256, one.id);
    if (one.instead !== undefined) known.set(one.instead.sha256, one.id);
  }
  let goOns = 0;
  const order: string[] = [];
  for (const { n, sha256, text } of diary) {
    const id = known.get(sha256);
    if (id !== undefined) order.push(id);
    else if (text.startsWith(goOnStart)) goOns++;
    else if (exact && text !== '/diary')
      fault(`the agent received what nobody sent: ${String(n)} ${text}`);
  }
  const moved = new Set(sent.filter((one) => one.moved).map(({ id }) => id));
  const received = order.filter((id) => !moved.has(id));
  const wanted = sent.map(({ id }) => id).filter((id) => received.includes(id));
  if (new Set(received).size === received.length && received.join() !== wanted.join())
    fault('the agent received the turns in another order than they were sent in', ...order);
  const told = log.filter(
    ({ event }) => event.kind === 'notice' && event.payload.code === 'agent-restarted',
  ).length;
  if (goOns > told)
    fault(`the agent was told ${String(goOns)} times to go on, the log says ${String(told)}`);
}

/** One question has one end; what the server took as the answer is the end that the log has. */
function checkApprovals({ log, answered }: Evidence, fault: Fault): void {
  const asked = new Map<string, number>();
  const resolved = new Map<string, (Event & { kind: 'approval.resolved' })[]>();
  for (const { event } of log) {
    if (event.kind === 'approval.requested')
      asked.set(event.payload.approvalId, (asked.get(event.payload.approvalId) ?? 0) + 1);
    if (event.kind === 'approval.resolved') {
      const { approvalId } = event.payload;
      resolved.set(approvalId, [...(resolved.get(approvalId) ?? []), event]);
    }
  }
  for (const [id, times] of asked) {
    const ends = resolved.get(id) ?? [];
    const wrong = (what: string): void => fault(`approval ${id}: ${what}`, id.slice(-12));
    if (times > 1) wrong(`was asked ${String(times)} times`);
    if (ends.length !== 1) wrong(`has ${String(ends.length)} ends in the log`);
    const won = answered.filter((one) => one.approvalId === id && one.outcome === 'won');
    const [end] = ends;
    if (won.length > 0 && end !== undefined && end.payload.state !== 'decided')
      wrong(`was answered, and is ${end.payload.state} in the log`);
    if (won[0] !== undefined && end?.payload.optionId !== won[0].optionId)
      wrong(`was answered ${won[0].optionId}, the log says ${String(end?.payload.optionId)}`);
    if (won.length > 1) wrong(`was decided ${String(won.length)} times`);
    for (const { by, told } of answered.filter((one) => one.approvalId === id)) {
      if (told === undefined || end === undefined) continue;
      const decided = JSON.stringify([end.payload.optionId, end.payload.by?.name]);
      if (JSON.stringify([told.optionId, told.by]) !== decided)
        wrong(`${by} was told ${JSON.stringify(told)}, the log says ${decided}`);
    }
  }
  for (const id of resolved.keys())
    if (!asked.has(id)) fault(`approval ${id} has an end and was never asked`, id.slice(-12));
}
