import type { ContentBlock } from '@berth/contract';
import type { SourceItem } from '@berth/contract/link';

/**
 * What a session's journal amounts to. Folded from its entries alone, so that a runner that dies anywhere comes back to the same state.
 *
 * A turn: accepted (journalled, the agent has not seen it) → open (given to the agent, or about to be) → ended.
 */
export type TurnRecord =
  | { state: 'accepted'; prompt: ContentBlock[]; cancelled: boolean; started: boolean }
  | {
      state: 'open';
      prompt: ContentBlock[];
      cancelled: boolean;
      started: boolean;
      goOns: number;
      /** The agent has it: it reacted, or was seen to have it and told to go on. */
      arrived: boolean;
    }
  | { state: 'ended' };

export interface Ledger {
  /** Every turn ever accepted, in that order; an ended one keeps its id only. */
  turns: Readonly<Record<string, TurnRecord>>;
  agentSessionId?: string;
  holder: 'chat' | 'terminal';
  /** Hashes of the user messages given to this agent session, by position. */
  delivered: readonly string[];
  /** Something was given to it since its history was last looked at: the last of `delivered` is in question when it dies. */
  given: boolean;
  /** The agent session knows nothing of the conversation: the next prompt tells it. */
  seedWanted: boolean;
  /** The text that is streaming. */
  text?: { messageId: string; kind: 'message' | 'thought' };
  tools: readonly string[];
  approvals: readonly string[];
  terminals: Readonly<Record<string, 'agent' | 'shell'>>;
  /** `delivered` is not to be trusted: the conversation is loaded before it is prompted, so that its own history replaces it. */
  mustLoad?: true;
  /** `delivered` lacks nothing: the conversation began here, or was read. */
  whole?: true;
  /** So many of the last of `delivered` did not end well: an agent may have dropped them. */
  loose?: number;
  /** Its own terminal has had the conversation since its history was last read. */
  away?: true;
  /** What was typed there, on its way to the log: what of it is not among the items yet. */
  typed?: readonly TypedItem[];
}
/** An item that is yet without a number. */
export type TypedItem = Omit<SourceItem, 'n'>;
export const emptyLedger: Ledger = {
  turns: {},
  holder: 'chat',
  delivered: [],
  given: false,
  seedWanted: false,
  tools: [],
  approvals: [],
  terminals: {},
};

export type Note =
  | { kind: 'accepted'; turnId: string; prompt: ContentBlock[] }
  /** Written before the agent gets it. `first`: the turn's own prompt, `again`: the same after a death, `go-on`: told to continue. */
  | { kind: 'delivered'; turnId: string; sha256: string; as: 'first' | 'again' | 'go-on' }
  /** The last of `delivered` was not given to the agent after all: a person was faster. */
  | { kind: 'withheld' }
  | { kind: 'cancel'; turnId: string }
  | { kind: 'decided'; approvalId: string }
  /** What a load replayed: the agent's own truth of its user messages. `arrived`: the open turn whose message was seen there. */
  | { kind: 'replayed'; hashes: string[]; arrived?: string; typed?: TypedItem[] }
  /** The conversation is this journal's from its first word on. */
  | { kind: 'begun' }
  /** It came back from its terminal without its history: what was typed there stays unknown. */
  | { kind: 'unread' }
  | { kind: 'seed'; wanted: boolean }
  /** What was found on disk is not all that was there: nothing of it is acted upon any more. Its open turns were said to be `unknown`. */
  | { kind: 'unsure' };

const without = (list: readonly string[], item: string): readonly string[] =>
  list.includes(item) ? list.filter((other) => other !== item) : list;
const withItem = (list: readonly string[], item: string): readonly string[] =>
  list.includes(item) ? list : [...list, item];

export function foldNote(ledger: Ledger, note: Note): Ledger {
  switch (note.kind) {
    case 'accepted':
      if (ledger.turns[note.turnId]) return ledger;
      return setTurn(ledger, note.turnId, {
        state: 'accepted',
        prompt: note.prompt,
        cancelled: false,
        started: false,
      });
    case 'delivered': {
      const turn = ledger.turns[note.turnId];
      if (!turn || turn.state === 'ended') return ledger;
      return {
        ...setTurn(ledger, note.turnId, {
          state: 'open',
          prompt: turn.prompt,
          cancelled: turn.cancelled,
          started: turn.started,
          goOns: (turn.state === 'open' ? turn.goOns : 0) + (note.as === 'go-on' ? 1 : 0),
          arrived: note.as === 'go-on' || (turn.state === 'open' && turn.arrived),
        }),
        delivered: [...ledger.delivered, note.sha256],
        given: true,
        loose: (ledger.loose ?? 0) + 1,
      };
    }
    case 'withheld':
      return {
        ...ledger,
        delivered: ledger.delivered.slice(0, -1),
        given: false,
        loose: Math.max(0, (ledger.loose ?? 0) - 1),
      };
    case 'cancel': {
      const turn = ledger.turns[note.turnId];
      if (!turn || turn.state === 'ended') return ledger;
      return setTurn(ledger, note.turnId, { ...turn, cancelled: true });
    }
    case 'decided':
      return { ...ledger, approvals: without(ledger.approvals, note.approvalId) };
    case 'replayed': {
      const { mustLoad: _loaded, away: _back, ...rest } = ledger;
      const typed = note.typed?.length ? { typed: note.typed } : {};
      const read = { delivered: note.hashes, given: false, whole: true as const, loose: 0 };
      const seen: Ledger = { ...rest, ...read, ...typed };
      const turn = note.arrived === undefined ? undefined : ledger.turns[note.arrived];
      return note.arrived !== undefined && turn?.state === 'open'
        ? setTurn(seen, note.arrived, { ...turn, arrived: true })
        : seen;
    }
    case 'begun':
      return { ...ledger, whole: true };
    case 'unread': {
      const { away: _back, whole: _no, ...rest } = ledger;
      return rest;
    }
    case 'seed':
      return { ...ledger, seedWanted: note.wanted };
    case 'unsure': {
      // What was typed may be in the log already.
      const { text: _text, typed: _typed, whole: _whole, ...rest } = ledger;
      const turns = Object.fromEntries(
        Object.keys(ledger.turns).map((id) => [id, { state: 'ended' as const }]),
      );
      return {
        ...rest,
        turns,
        delivered: [],
        given: false,
        tools: [],
        approvals: [],
        mustLoad: true,
      };
    }
  }
}
/** Kinds that an agent says only when it has taken the turn's message in. */
const reactions = new Set(['message.delta', 'thought.delta', 'tool', 'plan', 'approval.requested']);
function reacted(ledger: Ledger, { kind, turnId, payload }: Omit<SourceItem, 'n'>): Ledger {
  if (payload['status'] === 'interrupted') return ledger; // our own word about a call of the dead
  const turn = turnId === undefined || !reactions.has(kind) ? undefined : ledger.turns[turnId];
  if (turnId === undefined || turn?.state !== 'open' || turn.arrived) return ledger;
  return setTurn(ledger, turnId, { ...turn, arrived: true });
}

const setTurn = (ledger: Ledger, turnId: string, turn: TurnRecord): Ledger => ({
  ...ledger,
  turns: { ...ledger.turns, [turnId]: turn },
});
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** One of those that were typed has its number. */
function numbered(ledger: Ledger, { payload }: TypedItem): Ledger {
  const [first, ...left] = ledger.typed ?? [];
  if (first === undefined || idOf(first.payload) !== idOf(payload)) return ledger;
  const { typed: _typed, ...rest } = ledger;
  return left.length > 0 ? { ...rest, typed: left } : rest;
}
const idOf = (payload: TypedItem['payload']): unknown =>
  payload['messageId'] ?? payload['toolCallId'];

export function foldItem(before: Ledger, item: Omit<SourceItem, 'n'>): Ledger {
  const ledger = numbered(reacted(before, item), item);
  const { payload } = item;
  switch (item.kind) {
    case 'message.delta':
    case 'thought.delta': {
      const messageId = textOf(payload['messageId']);
      if (ledger.text?.messageId === messageId) return ledger;
      const kind = item.kind === 'message.delta' ? 'message' : 'thought';
      return { ...ledger, text: { messageId, kind } };
    }
    case 'message.end':
    case 'thought.end': {
      const { text: _text, ...rest } = ledger;
      return rest;
    }
    case 'tool': {
      const id = textOf(payload['toolCallId']);
      const status = textOf(payload['status']);
      // An update without a status says nothing about its end: some come after it.
      if (status === '') return ledger;
      const over = ['completed', 'failed', 'interrupted'].includes(status);
      const tools = over ? without(ledger.tools, id) : withItem(ledger.tools, id);
      return tools === ledger.tools ? ledger : { ...ledger, tools };
    }
    case 'approval.requested':
      return {
        ...ledger,
        approvals: withItem(ledger.approvals, textOf(payload['approvalId'])),
      };
    case 'approval.resolved':
      return { ...ledger, approvals: without(ledger.approvals, textOf(payload['approvalId'])) };
    case 'turn.started': {
      const turnId = textOf(payload['turnId']);
      const turn = ledger.turns[turnId];
      return turn && turn.state !== 'ended'
        ? setTurn(ledger, turnId, { ...turn, started: true })
        : ledger;
    }
    case 'turn.ended': {
      const turnId = textOf(payload['turnId']);
      if (!ledger.turns[turnId]) return ledger;
      const ended = setTurn(ledger, turnId, { state: 'ended' });
      return payload['state'] === 'done' ? { ...ended, loose: 0 } : ended;
    }
    case 'agent.session': {
      const agentSessionId = textOf(payload['agentSessionId']);
      const holder = payload['holder'] === 'terminal' ? 'terminal' : 'chat';
      if (agentSessionId === ledger.agentSessionId)
        return { ...ledger, holder, ...(holder === 'terminal' ? { away: true as const } : {}) };
      const { mustLoad: _new, whole: _whole, away: _away, ...rest } = ledger;
      return { ...rest, agentSessionId, holder, delivered: [], given: false, loose: 0 };
    }
    case 'terminal.opened':
      return {
        ...ledger,
        terminals: {
          ...ledger.terminals,
          [textOf(payload['terminalId'])]: payload['kind'] === 'agent' ? 'agent' : 'shell',
        },
      };
    case 'terminal.closed': {
      const { [textOf(payload['terminalId'])]: _closed, ...terminals } = ledger.terminals;
      return { ...ledger, terminals };
    }
    default:
      return ledger;
  }
}

/** The oldest turn that has not ended. */
export function currentTurn(
  ledger: Ledger,
): { turnId: string; turn: Exclude<TurnRecord, { state: 'ended' }> } | null {
  for (const [turnId, turn] of Object.entries(ledger.turns))
    if (turn.state !== 'ended') return { turnId, turn };
  return null;
}
