import type { SessionUpdate } from '@agentclientprotocol/sdk';
import type { HarnessRecord } from '@berth/contract/harness';
import type { NewItem } from '../journal/journal.ts';
import { limits } from '../limits.ts';
import { pieces, storable, toBlock } from './content.ts';
import { isFields, toolPayload } from './tool.ts';

/**
 * ACP's updates as events of ours. Pure: the state goes in and comes out.
 *
 * A text is open from its first chunk until something else happens: another kind of text, another message id of the agent, a tool, a plan, a
 * question, the end of the turn. What only describes the session (usage, commands, mode) comes between chunks and ends nothing.
 */
export interface Normaliser {
  open?: { messageId: string; kind: 'message' | 'thought'; agentId?: string; length: number };
  /** Tool calls that were seen. */
  tools: ReadonlySet<string>;
  mode: string;
  /** What the agent said about itself: once is enough, however often it says it. */
  noticed: ReadonlySet<string>;
}
export const emptyNormaliser = (mode: string): Normaliser => ({
  tools: new Set(),
  mode,
  noticed: new Set(),
});

export interface Context {
  newId: () => string;
  harness: Pick<HarnessRecord, 'modes' | 'acp'>;
  turnId?: string;
  raw?: string;
}
export interface Normalised {
  state: Normaliser;
  items: NewItem[];
}

/** The events carry the turn; the last of them carries the line they came from. */
function seal(state: Normaliser, items: NewItem[], context: Context): Normalised {
  const { turnId, raw } = context;
  const sealed = items.map((item, at) => ({
    ...item,
    ...(turnId === undefined ? {} : { turnId }),
    ...(raw !== undefined && at === items.length - 1 && raw.length <= limits.rawLine
      ? { raw }
      : {}),
  }));
  return { state, items: sealed };
}

const endOf = (state: Normaliser): NewItem[] =>
  state.open
    ? [{ kind: `${state.open.kind}.end`, payload: { messageId: state.open.messageId } }]
    : [];
const closed = ({ open: _open, ...state }: Normaliser): Normaliser => state;

/** Nothing more comes for the open text. */
export function endText(state: Normaliser, context: Context): Normalised {
  return seal(closed(state), endOf(state), context);
}

export function modePayload(current: string, modes: HarnessRecord['modes']): NewItem['payload'] {
  return {
    current,
    choices: Object.entries(modes).map(([id, { name, description }]) => ({
      id,
      name,
      ...(description === undefined ? {} : { description }),
    })),
  };
}
/** Berth's name of an agent's mode; one that no record names keeps the agent's. */
export const modeName = (acpMode: string, modes: HarnessRecord['modes']): string =>
  Object.entries(modes).find(([, mode]) => mode.acpMode === acpMode)?.[0] ?? acpMode;

function changeMode(state: Normaliser, acpMode: string, context: Context): Normalised {
  const mode = modeName(acpMode, context.harness.modes);
  if (mode === state.mode) return { state, items: [] };
  const item = { kind: 'mode', payload: modePayload(mode, context.harness.modes) };
  return seal({ ...state, mode }, [item], context);
}

function notice(state: Normaliser, text: string, context: Context): Normalised {
  if (text === '' || state.noticed.has(text)) return { state, items: [] };
  const item = { kind: 'notice', payload: { code: 'agent-notice', text } };
  return seal({ ...state, noticed: new Set([...state.noticed, text]) }, [item], context);
}

export function normalise(state: Normaliser, update: SessionUpdate, context: Context): Normalised {
  switch (update.sessionUpdate) {
    case 'agent_message_chunk':
    case 'agent_thought_chunk': {
      const kind = update.sessionUpdate === 'agent_message_chunk' ? 'message' : 'thought';
      const agentId = typeof update.messageId === 'string' ? update.messageId : undefined;
      if (update.content.type !== 'text') {
        const item = {
          kind,
          payload: { messageId: context.newId(), content: [toBlock(update.content)] },
        };
        return seal(closed(state), [...endOf(state), item], context);
      }
      const text = storable(update.content.text);
      if (text === '') return { state, items: [] };
      const { modeText, noticeText } = context.harness.acp;
      const acpMode = modeText === undefined ? undefined : text.match(modeText)?.[1];
      if (acpMode !== undefined) return changeMode(state, acpMode, context);
      // What belongs to a message of the agent is the model's, whatever it begins with.
      const own = noticeText !== undefined && agentId === undefined;
      const about = own ? text.match(noticeText)?.[1] : undefined;
      if (about !== undefined) return notice(state, about, context);
      const same = state.open?.kind === kind && state.open.agentId === agentId;
      const items = same ? [] : endOf(state);
      let open = same ? state.open : undefined;
      for (const piece of pieces(text)) {
        if (open !== undefined && open.length + piece.length > limits.textMost) {
          items.push(...endOf({ ...state, open }));
          open = undefined;
        }
        open ??= {
          messageId: context.newId(),
          kind,
          length: 0,
          ...(agentId === undefined ? {} : { agentId }),
        };
        items.push({ kind: `${kind}.delta`, payload: { messageId: open.messageId, text: piece } });
        open = { ...open, length: open.length + piece.length };
      }
      return seal({ ...state, ...(open === undefined ? {} : { open }) }, items, context);
    }
    case 'tool_call':
    case 'tool_call_update': {
      const payload = toolPayload(update, !state.tools.has(update.toolCallId));
      const next = { ...closed(state), tools: new Set([...state.tools, update.toolCallId]) };
      return seal(next, [...endOf(state), { kind: 'tool', payload }], context);
    }
    case 'plan': {
      const entries = update.entries.map(({ content, status, priority }) => ({
        content: storable(content),
        status,
        priority,
      }));
      const item = { kind: 'plan', payload: { entries } };
      return seal(closed(state), [...endOf(state), item], context);
    }
    case 'available_commands_update': {
      const commands = update.availableCommands.map(({ name, description, input }) => ({
        name: storable(name),
        description: storable(description),
        ...(typeof input?.hint === 'string' ? { hint: storable(input.hint) } : {}),
      }));
      return seal(state, [{ kind: 'commands', payload: { commands } }], context);
    }
    case 'current_mode_update':
      return changeMode(state, update.currentModeId, context);
    // An agent says it when something outside a turn is over. In a turn it is a title, which is ours to give, and may come between two chunks.
    case 'session_info_update':
      return context.turnId === undefined ? endText(state, context) : { state, items: [] };
    case 'notice': {
      const text = [update.title, (update as { message?: unknown }).message]
        .filter((part) => typeof part === 'string' && part !== '')
        .join(': ');
      return notice(state, storable(text), context);
    }
    // The gateway is the truth about usage; replayed prompts are read by `settle`.
    default:
      return { state, items: [] };
  }
}

/** A line of the agent that is a `session/update`; null for every other message. Unknown kinds pass and are ignored above. */
export function updateOf(message: unknown): SessionUpdate | null {
  if (!isFields(message) || message['method'] !== 'session/update') return null;
  const params = message['params'];
  const update = isFields(params) ? params['update'] : undefined;
  return isFields(update) && typeof update['sessionUpdate'] === 'string'
    ? (update as unknown as SessionUpdate)
    : null;
}
