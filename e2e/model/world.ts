import type { SettleTurn, TurnState } from '@berth/contract';
import { deliveryId } from '../../control-plane/src/sessions/delivery.ts';
import { nextTurnState, type TurnEvent } from '../../control-plane/src/sessions/turn.ts';
import {
  currentTurn,
  emptyLedger,
  foldItem,
  foldNote,
  type Ledger,
  type Note,
} from '../../harnesses/runner/journal/ledger.ts';
import { hashText, look, settlement } from '../../harnesses/runner/session/settle.ts';

/**
 * One session as the sum of what each side knows, small enough to be explored whole. What decides is the code itself (`rules`): the turn's reducer, the journal's
 * ledger, the judge of a replay, the settlement. What the shells around it do is said here in one line each, in the order in which they do it.
 */
export interface Row {
  readonly state: TurnState;
  readonly resends: number;
  readonly cancel: boolean;
}
export interface Item {
  readonly n: number;
  readonly kind: 'turn.started' | 'message.delta' | 'turn.ended' | 'agent.session';
  readonly delivery?: string;
  readonly ends?: TurnState;
  readonly agentSession?: string;
}
/** A journal: what is on disk, and in a living runner what it is about to be. */
export interface Journal {
  readonly source: number;
  readonly lastN: number;
  readonly ledger: Ledger;
  /** Not acknowledged. */
  readonly items: readonly Item[];
}
export type Frame = { op: 'turn'; delivery: string } | { op: 'cancel'; delivery: string };
export interface World {
  /** Postgres. Null: the client's request has not been stored. */
  readonly rows: readonly (Row | null)[];
  readonly head: { source: number | null; lastN: number };
  readonly server: 'up' | 'down';
  readonly link: boolean;
  readonly toRunner: readonly Frame[];
  readonly toServer: readonly string[];
  /** Items of `mem` that were sent over this link. */
  readonly sentN: number;
  readonly disk: Journal;
  /** What the disk was at an earlier time; null: nobody keeps a backup. */
  readonly backup: Journal | null;
  /** When the runner died, the server had heard all that it had said: only then can a disk that is put back be told from one that is not. */
  readonly heardAll: boolean;
  readonly mem: Journal | null;
  readonly next: 'again' | 'go-on' | 'remind' | null;
  readonly running: { delivery: string; at: 'syncing' | 'prompted' } | null;
  /** A runner that was started anew serves nobody before the server has greeted it. */
  readonly bound: boolean;
  readonly agent: 'none' | 'up';
  /** What the agent was told and has not taken in; its hash, and whether it is a turn's own message. */
  readonly inbox: { text: string; of: number | null } | null;
  readonly working: boolean;
  readonly stopping: boolean;
  /** What the agent keeps of its conversation, in texts; null: it has none. */
  readonly history: readonly string[] | null;
  readonly sources: number;
  readonly budget: { crashes: number; person: readonly boolean[]; settle: number; backups: number };
  /** Facts of the outside, for the invariants only. */
  /** How often the agent's present conversation was given the turn's own message, and whether any was. */
  readonly inserted: readonly number[];
  readonly ever: readonly boolean[];
  readonly doubt: boolean;
  readonly withdrawn: readonly boolean[];
  readonly cancelled: readonly boolean[];
}
export interface Step {
  readonly name: string;
  readonly world: World;
}

/** What may be broken on purpose: the model has to find it. */
export interface Rules {
  readonly nextTurnState: typeof nextTurnState;
  readonly look: typeof look;
  readonly settlement: typeof settlement;
  readonly foldNote: typeof foldNote;
  readonly deliveryId: typeof deliveryId;
  /** The agent is prompted only when the journal is on disk. */
  readonly syncFirst: boolean;
  /** A known delivery is answered from the journal and not given to the agent again. */
  readonly knowsRepeats: boolean;
  /** What the server acknowledged is in its rows. */
  readonly storeFirst: boolean;
  /** After a reconnect the server says again what the runner may have missed. */
  readonly saysAgain: 'all' | 'turns' | 'nothing';
  /** A journal that is gone, or older than what the log has, leaves the turn under way in question. */
  readonly noticesLoss: boolean;
  /** What a rolled-back journal says of its turns is not acted upon. */
  readonly givesUpOld: boolean;
}
export const rules: Rules = {
  nextTurnState,
  look,
  settlement,
  foldNote,
  deliveryId,
  syncFirst: true,
  knowsRepeats: true,
  storeFirst: true,
  saysAgain: 'all',
  noticesLoss: true,
  givesUpOld: true,
};

export const turnIds = ['t0', 't1'] as const;
const textOf = (turn: number): string => `message ${String(turn)}`;
const goOnText = 'go on';

export function begin(options: {
  turns: number;
  crashes: number;
  backups?: number;
  /** What people may do besides posting; default: all of it. */
  people?: { withdraw?: boolean; cancel?: boolean; settle?: number };
}): World {
  const {
    turns,
    crashes,
    backups = 0,
    people = { withdraw: true, cancel: true, settle: 2 },
  } = options;
  const journal: Journal = { source: 1, lastN: 0, ledger: emptyLedger, items: [] };
  return {
    rows: Array.from({ length: turns }, () => null),
    head: { source: null, lastN: 0 },
    server: 'up',
    link: true,
    toRunner: [],
    toServer: [],
    sentN: 0,
    disk: journal,
    backup: null,
    heardAll: true,
    mem: journal,
    next: null,
    running: null,
    bound: true,
    agent: 'none',
    inbox: null,
    working: false,
    stopping: false,
    history: null,
    sources: 1,
    budget: {
      crashes,
      person: [people.withdraw ?? false, people.cancel ?? false],
      settle: people.settle ?? 0,
      backups,
    },
    inserted: Array.from({ length: turns }, () => 0),
    ever: Array.from({ length: turns }, () => false),
    doubt: false,
    withdrawn: Array.from({ length: turns }, () => false),
    cancelled: Array.from({ length: turns }, () => false),
  };
}

/** By what it is, not by which object it is: states are compared by their texts. */
const onDisk = (w: World): boolean =>
  w.mem === w.disk || JSON.stringify(w.mem) === JSON.stringify(w.disk);
const inFlight = (row: Row | null): boolean =>
  row !== null && ['sent', 'accepted', 'running'].includes(row.state);
const holds = (row: Row | null): boolean => inFlight(row) || row?.state === 'unknown';
const set = <T>(list: readonly T[], at: number, value: T): readonly T[] =>
  list.map((old, i) => (i === at ? value : old));
const idOf = (turn: number): string => turnIds[turn] ?? '';
const deliveryOf = (r: Rules, row: Row, turn: number): string =>
  r.deliveryId({ id: idOf(turn), resends: row.resends });
/** Which turn a delivery is of: the server knows its own; the runner only that it is another. */
function turnOf(r: Rules, w: World, delivery: string): number {
  return w.rows.findIndex((row, at) => {
    for (let resends = 0; resends <= (row?.resends ?? 0); resends++)
      if (r.deliveryId({ id: idOf(at), resends }) === delivery) return true;
    return false;
  });
}

function move(r: Rules, w: World, turn: number, event: TurnEvent, more: Partial<Row> = {}): World {
  const row = w.rows[turn];
  if (!row) return w;
  const state = r.nextTurnState(row.state, event);
  return state === row.state ? w : { ...w, rows: set(w.rows, turn, { ...row, ...more, state }) };
}
const send = (w: World, frame: Frame): World =>
  w.link ? { ...w, toRunner: [...w.toRunner, frame] } : w;

const put = (j: Journal, item: Omit<Item, 'n'>): Journal => {
  const full: Item = { ...item, n: j.lastN + 1 };
  const ledger = foldItem(j.ledger, {
    kind: full.kind,
    ...(full.delivery === undefined ? {} : { turnId: full.delivery }),
    payload: {
      turnId: full.delivery,
      messageId: 'm',
      state: full.ends,
      agentSessionId: full.agentSession,
    },
  });
  return { ...j, lastN: full.n, ledger, items: [...j.items, full] };
};
const note = (r: Rules, j: Journal, what: Note): Journal => ({
  ...j,
  ledger: r.foldNote(j.ledger, what),
});
const prompt = (delivery: string): { type: 'text'; text: string }[] => [
  { type: 'text', text: delivery },
];

// ——— what the server does by itself ———

/** `advance`: one turn is in flight, the first of the queue goes next. */
function consume(r: Rules, w: World): World | null {
  // Nothing is sent before the runner has said that its agent comes up: from then on its journal is counted.
  if (w.server === 'down' || !w.link || w.head.source === null || w.rows.some(holds)) return null;
  const at = w.rows.findIndex((row) => row?.state === 'queued');
  const row = w.rows[at];
  if (!row) return null;
  const moved = move(r, w, at, { kind: 'sent' });
  return send(moved, { op: 'turn', delivery: deliveryOf(r, row, at) });
}

/** `hello`, `welcome`, `resend`: both sides look at what the other has. */
function connect(r: Rules, w: World): World | null {
  if (w.link || w.server === 'down' || w.mem === null) return null;
  let next: World = { ...w, link: true, bound: true, toRunner: [], toServer: [], sentN: 0 };
  const { source, lastN } = w.mem;
  const older = w.head.source === source && lastN < w.head.lastN;
  const other = w.head.source !== null && w.head.source !== source;
  if ((older || other) && r.noticesLoss)
    next.rows.forEach((row, at) => {
      if (inFlight(row)) next = move(r, next, at, { kind: 'journalLost' });
    });
  if (older) {
    const begun = begunAnew(r, w.mem, w.sources + 1);
    next = {
      ...next,
      mem: begun,
      disk: begun,
      sources: w.sources + 1,
      head: { source: null, lastN: 0 },
    };
  } else if (other || w.head.source === null) next = { ...next, head: { source, lastN: 0 } };
  const acked = next.head.lastN;
  if (next.mem)
    next = {
      ...next,
      sentN: acked,
      mem: { ...next.mem, items: next.mem.items.filter(({ n }) => n > acked) },
    };
  next.rows.forEach((row, at) => {
    if (!row || !inFlight(row) || r.saysAgain === 'nothing') return;
    const delivery = deliveryOf(r, row, at);
    next = send(next, { op: 'turn', delivery });
    if (row.cancel && r.saysAgain === 'all') next = send(next, { op: 'cancel', delivery });
  });
  return next;
}
function begunAnew(r: Rules, old: Journal, source: number): Journal {
  let begun: Journal = { ...old, source, lastN: 0, items: [] };
  if (!r.givesUpOld) return begun;
  for (const [delivery, { state }] of Object.entries(old.ledger.turns))
    if (state !== 'ended') begun = put(begun, { kind: 'turn.ended', delivery, ends: 'unknown' });
  return note(r, begun, { kind: 'unsure' });
}

/** An item becomes rows; then it is stored with its events, and acknowledged. */
function rowsOf(r: Rules, w: World, item: Item): World {
  const at = item.delivery === undefined ? -1 : turnOf(r, w, item.delivery);
  const row = w.rows[at];
  if (!row || deliveryOf(r, row, at) !== item.delivery) return w;
  if (item.kind === 'turn.started') return move(r, w, at, { kind: 'started' });
  if (item.kind !== 'turn.ended') return w;
  const state = item.ends;
  if (state !== 'done' && state !== 'cancelled' && state !== 'failed' && state !== 'unknown')
    return w;
  return move(r, w, at, { kind: 'ended', state });
}
function ingest(r: Rules, w: World, crash: 'none' | 'between'): World | null {
  if (!w.link || w.mem === null || w.server === 'down') return null;
  // Only what is on disk is sent.
  const item = w.mem.items.find(({ n }) => n > w.sentN && n <= w.disk.lastN);
  if (item === undefined) return null;
  if (!r.storeFirst && crash === 'between')
    // Acknowledged, and the process dies before its rows are written.
    return { ...serverDies(w), head: { source: w.mem.source, lastN: item.n } };
  const stored = rowsOf(r, w, item);
  if (crash === 'between') return serverDies(stored); // rows without events: the item comes again
  const rest = w.mem.items.filter(({ n }) => n > item.n);
  return {
    ...stored,
    sentN: item.n,
    head: { source: w.mem.source, lastN: item.n },
    mem: { ...w.mem, items: rest },
    disk: { ...w.disk, items: w.disk.items.filter(({ n }) => n > item.n) },
  };
}
function accepted(r: Rules, w: World): World | null {
  const [delivery, ...rest] = w.toServer;
  if (delivery === undefined || w.server === 'down') return null;
  const at = turnOf(r, w, delivery);
  const row = w.rows[at];
  const next = { ...w, toServer: rest };
  if (!row || deliveryOf(r, row, at) !== delivery) return next;
  return move(r, next, at, { kind: 'accepted' });
}

// ——— what the runner does by itself ———

function takeFrame(r: Rules, w: World): World | null {
  const [frame, ...rest] = w.toRunner;
  if (frame === undefined || w.mem === null) return null;
  const { delivery } = frame;
  let mem = w.mem;
  const known = mem.ledger.turns[delivery];
  if (frame.op === 'turn') {
    const text = textOf(turnOf(r, w, delivery));
    if (known === undefined || (!r.knowsRepeats && known.state === 'ended')) {
      if (known !== undefined) {
        const { [delivery]: _again, ...turns } = mem.ledger.turns;
        mem = { ...mem, ledger: { ...mem.ledger, turns } };
      }
      mem = note(r, mem, { kind: 'accepted', turnId: delivery, prompt: prompt(text) });
    }
    // On disk before it is answered.
    return { ...w, toRunner: rest, mem, disk: mem, toServer: [...w.toServer, delivery] };
  }
  const next = { ...w, toRunner: rest };
  if (known === undefined || known.state === 'ended') return next;
  mem = note(r, mem, { kind: 'cancel', turnId: delivery });
  if (w.running?.delivery !== delivery)
    return { ...next, mem: put(mem, { kind: 'turn.ended', delivery, ends: 'cancelled' }) };
  return { ...next, mem, stopping: w.running.at === 'prompted' };
}
const sync = (w: World): World | null =>
  w.mem === null || onDisk(w) ? null : { ...w, disk: w.mem };

/** `bringUp`: another process, the conversation opened again, an open turn settled by looking. */
function bringUp(r: Rules, w: World): World | null {
  if (w.mem === null || !w.bound || w.agent === 'up') return null;
  let mem = w.mem;
  let next: World['next'] = null;
  const current = currentTurn(mem.ledger);
  const open = current?.turn.state === 'open' ? { id: current.turnId, turn: current.turn } : null;
  const known = mem.ledger.agentSessionId !== undefined;
  const loaded = known && w.history !== null;
  const settle = (verdict: 'present' | 'absent' | 'unknown' | 'lost'): void => {
    if (open === null) return;
    const done = r.settlement(open.turn, verdict);
    if (done.kind === 'again') next = 'again';
    else if (done.kind === 'go-on') next = done.remind ? 'remind' : 'go-on';
    else
      mem = put(mem, {
        kind: 'turn.ended',
        delivery: open.id,
        ends: done.kind === 'given-up' ? 'failed' : done.kind,
      });
  };
  if (loaded) {
    const replay = w.history.map((text) => [text]);
    const verdict = open && r.look(mem.ledger, open.turn, replay);
    if (verdict) settle(verdict);
    const arrived = open && verdict === 'present' ? { arrived: open.id } : {};
    mem = note(r, mem, { kind: 'replayed', hashes: w.history.map(hashText), ...arrived });
  } else {
    mem = put(mem, {
      kind: 'agent.session',
      agentSession: `c${String(w.sources)}-${String(mem.lastN)}`,
    });
    if (known) settle('lost');
  }
  return {
    ...w,
    mem,
    next,
    agent: 'up',
    history: loaded ? w.history : [],
    inbox: null,
    working: false,
    stopping: false,
    running: null,
  };
}

/** `deliver`: journalled, then on disk, then to the agent. */
function deliver(r: Rules, w: World): World | null {
  if (w.mem === null || w.agent === 'none' || w.running !== null) return null;
  const current = currentTurn(w.mem.ledger);
  if (current === null) return null;
  const { turnId, turn } = current;
  if (turn.cancelled)
    return {
      ...w,
      next: null,
      mem: put(w.mem, { kind: 'turn.ended', delivery: turnId, ends: 'cancelled' }),
    };
  const how = turn.state === 'accepted' ? 'first' : (w.next ?? 'go-on');
  const as = how === 'remind' ? 'go-on' : how;
  const own = turn.prompt.map((block) => (block.type === 'text' ? block.text : '')).join('');
  const text = as !== 'go-on' ? own : how === 'remind' ? `${goOnText}: ${own}` : goOnText;
  let mem = w.mem;
  if (!turn.started) mem = put(mem, { kind: 'turn.started', delivery: turnId });
  mem = note(r, mem, { kind: 'delivered', turnId, sha256: hashText(text), as });
  const of = as === 'go-on' ? null : turnOf(r, w, turnId);
  return {
    ...w,
    mem,
    next: null,
    running: { delivery: turnId, at: 'syncing' },
    inbox: { text, of },
  };
}
function promptAgent(r: Rules, w: World): World | null {
  if (w.mem === null || w.running?.at !== 'syncing' || w.agent === 'none') return null;
  if (r.syncFirst && !onDisk(w)) return null;
  const turn = w.mem.ledger.turns[w.running.delivery];
  if (turn?.state === 'open' && !turn.cancelled)
    return { ...w, running: { ...w.running, at: 'prompted' } };
  const withheld = note(r, w.mem, { kind: 'withheld' });
  const mem =
    turn?.state === 'open'
      ? put(withheld, { kind: 'turn.ended', delivery: w.running.delivery, ends: 'cancelled' })
      : withheld;
  return { ...w, mem, running: null, inbox: null };
}

// ——— what the agent does by itself ———

function takeIn(w: World): World | null {
  if (w.agent === 'none' || w.running?.at !== 'prompted' || w.inbox === null) return null;
  const { text, of } = w.inbox;
  const inserted = of === null ? w.inserted : set(w.inserted, of, (w.inserted[of] ?? 0) + 1);
  const ever = of === null ? w.ever : set(w.ever, of, true);
  return {
    ...w,
    inbox: null,
    working: true,
    history: [...(w.history ?? []), text],
    inserted,
    ever,
  };
}
function react(w: World): World | null {
  if (!w.working || w.mem === null || w.running === null || w.stopping) return null;
  const turn = w.mem.ledger.turns[w.running.delivery];
  if (turn?.state !== 'open' || turn.arrived) return null;
  return { ...w, mem: put(w.mem, { kind: 'message.delta', delivery: w.running.delivery }) };
}
function finish(w: World): World | null {
  if (w.running?.at !== 'prompted' || w.mem === null || w.agent === 'none') return null;
  if (!w.working && !w.stopping) return null;
  const mem = put(w.mem, {
    kind: 'turn.ended',
    delivery: w.running.delivery,
    ends: w.stopping ? 'cancelled' : 'done',
  });
  // Stopped before it kept the message: what its history should hold is not known from here on.
  const doubt = w.doubt || !w.working;
  return { ...w, mem, running: null, working: false, stopping: false, inbox: null, doubt };
}

// ——— people ———

function post(w: World, turn: number): World | null {
  if (w.server === 'down' || w.rows[turn] !== null) return null;
  return { ...w, rows: set(w.rows, turn, { state: 'queued', resends: 0, cancel: false }) };
}
const spend = (w: World, which: number): World => ({
  ...w,
  budget: { ...w.budget, person: set(w.budget.person, which, false) },
});
function withdraw(r: Rules, w: World): World | null {
  if (w.server === 'down' || w.budget.person[0] !== true) return null;
  const next = move(r, w, 0, { kind: 'withdrawn' });
  return next === w ? null : { ...spend(next, 0), withdrawn: set(w.withdrawn, 0, true) };
}
function cancel(r: Rules, w: World): World | null {
  if (w.server === 'down' || w.budget.person[1] !== true) return null;
  const at = w.rows.findIndex(inFlight);
  const row = w.rows[at];
  if (!row) return null;
  const next = {
    ...spend(w, 1),
    rows: set(w.rows, at, { ...row, cancel: true }),
    cancelled: set(w.cancelled, at, true),
  };
  return send(next, { op: 'cancel', delivery: deliveryOf(r, row, at) });
}
function settleTurn(r: Rules, w: World, answer: SettleTurn['answer']): World | null {
  if (w.server === 'down' || w.budget.settle === 0) return null;
  const at = w.rows.findIndex((row) => row?.state === 'unknown');
  const row = w.rows[at];
  if (!row) return null;
  const again = answer === 'resend';
  const resends = row.resends + (again ? 1 : 0);
  const more = { resends, cancel: again ? false : row.cancel };
  const paid = {
    ...w,
    budget: { ...w.budget, settle: w.budget.settle - 1 },
    cancelled: set(w.cancelled, at, false),
  };
  const next = move(r, paid, at, { kind: 'settled', answer }, more);
  return again
    ? send(next, { op: 'turn', delivery: deliveryOf(r, { ...row, resends }, at) })
    : next;
}

// ——— what dies ———

const cut = (w: World): World => ({ ...w, link: false, toRunner: [], toServer: [], sentN: 0 });
const serverDies = (w: World): World => ({ ...cut(w), server: 'down' });
const agentDies = (w: World): World => ({
  ...w,
  agent: 'none',
  inbox: null,
  running: null,
  working: false,
  stopping: false,
});
/** Its agent dies with it: the next runner ends it before it starts another. */
const runnerDies = (w: World): World => ({
  ...cut(agentDies(w)),
  mem: null,
  bound: false,
  next: null,
  heardAll: w.toServer.length === 0 && w.disk.items.length === 0 && onDisk(w),
});

function crashes(r: Rules, w: World): Step[] {
  if (w.budget.crashes === 0) return [];
  const paid = { ...w, budget: { ...w.budget, crashes: w.budget.crashes - 1 } };
  const steps: (Step | null)[] = [
    w.link ? { name: 'the link breaks', world: cut(paid) } : null,
    w.server === 'up' ? { name: 'the server dies', world: serverDies(paid) } : null,
    w.agent === 'up' ? { name: 'the agent dies', world: agentDies(paid) } : null,
    w.mem === null ? null : { name: 'the runner dies', world: runnerDies(paid) },
    w.history !== null && w.agent === 'none' && w.history.length > 0
      ? {
          name: 'the agent’s history is lost',
          world: { ...paid, history: null, inserted: w.inserted.map(() => 0) },
        }
      : null,
    w.history !== null && w.agent === 'none' && w.history.length > 0
      ? {
          name: 'the agent’s history is compacted',
          world: { ...paid, history: ['summary'], doubt: true },
        }
      : null,
    w.mem === null && w.disk.lastN > 0
      ? {
          name: 'the journal is lost',
          world: {
            ...paid,
            disk: { source: w.sources + 1, lastN: 0, ledger: emptyLedger, items: [] },
            sources: w.sources + 1,
            doubt: true,
          },
        }
      : null,
  ];
  if (w.mem === null && w.backup !== null && w.heardAll)
    steps.push({
      name: 'the disk is put back',
      world: { ...paid, disk: w.backup, backup: null, doubt: true },
    });
  const between = ingest(r, paid, 'between');
  if (between) steps.push({ name: 'the server dies between a row and its event', world: between });
  return steps.filter((step) => step !== null);
}

/** What goes on by itself, in no given order. */
export function ownSteps(r: Rules, w: World, agentWorks = true): Step[] {
  const steps: [string, World | null][] = [
    ['the server starts', w.server === 'down' ? { ...w, server: 'up' } : null],
    ['the runner starts', w.mem === null ? { ...w, mem: w.disk } : null],
    ['the link stands', connect(r, w)],
    ['the next turn is sent', consume(r, w)],
    ['an item is stored', ingest(r, w, 'none')],
    ['accepted is heard', accepted(r, w)],
    ['the runner takes a frame', takeFrame(r, w)],
    ['the journal is on disk', sync(w)],
    ['the agent is brought up', bringUp(r, w)],
    ['the turn is journalled as delivered', deliver(r, w)],
    ['the agent is prompted', promptAgent(r, w)],
    ['the agent takes the message in', takeIn(w)],
    ['the agent says something', react(w)],
    // One that hangs ends only when it is told to.
    ['the agent answers', agentWorks || w.stopping ? finish(w) : null],
  ];
  return steps.flatMap(([name, world]) => (world === null ? [] : [{ name, world }]));
}
export function otherSteps(r: Rules, w: World): Step[] {
  const people: [string, World | null][] = [
    ...w.rows.map((_row, at): [string, World | null] => [
      `message ${String(at)} is posted`,
      post(w, at),
    ]),
    ['message 0 is withdrawn', withdraw(r, w)],
    ['cancel', cancel(r, w)],
    ['settled: resend', settleTurn(r, w, 'resend')],
    ['settled: arrived', settleTurn(r, w, 'arrived')],
  ];
  if (w.budget.backups > 0 && w.mem !== null)
    people.push([
      'a backup is made',
      { ...w, backup: w.disk, budget: { ...w.budget, backups: w.budget.backups - 1 } },
    ]);
  return [
    ...people.flatMap(([name, world]) => (world === null ? [] : [{ name, world }])),
    ...crashes(r, w),
  ];
}
