import type { SessionUpdate } from '@agentclientprotocol/sdk';
import type { ContentBlock, Payload } from '@berth/contract';
import { cut, storable } from '../acp/content.ts';
import { toolPayload } from '../acp/tool.ts';
import type { Journal, NewItem } from '../journal/journal.ts';
import type { Ledger } from '../journal/ledger.ts';
import { limits } from '../limits.ts';
import type { Conversation } from './ports.ts';
import type { Replay } from './replay.ts';
import { promptText } from './settle.ts';
import type { Transcript } from './transcript.ts';
import { typedSince, type Place } from './typed.ts';

/** Pure. What the terminal added to the conversation, for the log. Null: that cannot be told for certain, or is too much. */
export function typedThere(
  ledger: Pick<Ledger, 'delivered' | 'loose' | 'whole'>,
  replay: Pick<Replay, 'messages' | 'acts' | 'hashes'>,
  newId: () => string,
): NewItem[] | null {
  const { delivered, loose = 0 } = ledger;
  // What was given before this journal began is not known: only whether the last word is still ours.
  if (ledger.whole !== true) return replay.hashes().at(-1) === delivered.at(-1) ? [] : null;
  const typed = typedSince(delivered, loose, replay.messages);
  switch (typed.kind) {
    case 'none':
      return [];
    case 'from':
      return typedItems(replay, typed.place, newId);
    case 'unsure':
      return null;
  }
}

/** What was typed in the terminal and has no number yet gets one, also what a runner that died meanwhile had only written down. */
export function takeTyped(
  journal: Pick<Journal, 'ledger'>,
  conversation: Pick<Conversation, 'put'>,
  transcript: Transcript,
): void {
  for (const item of journal.ledger.typed ?? []) {
    conversation.put(item);
    const { content } = item.payload as { content?: ContentBlock[] };
    if (item.kind === 'message.user') transcript.add('user', promptText(content ?? []));
    if (item.kind === 'message') transcript.add('agent', promptText(content ?? []));
  }
}

/**
 * Pure. What was typed in the terminal from `place` on, and what the agent did then, as items of the journal: each whole, and each with ids of its own. Every message
 * begins a turn that nobody ever delivers: its id names no turn of the queue. Null: too much to be taken over.
 */
export function typedItems(
  replay: Pick<Replay, 'messages' | 'acts'>,
  place: Place,
  newId: () => string,
): NewItem[] | null {
  const items = replay.messages.slice(place.message).flatMap((chunks, at) => {
    const own = at === 0 ? chunks.slice(place.chunk) : chunks;
    const text = storable(own.join('')).trim();
    const turnId = newId();
    const acts = actItems(replay.acts[place.message + at] ?? [], turnId, newId);
    const content = [{ type: 'text' as const, text: text === '' ? '[no text]' : cut(text) }];
    const payload: Payload<'message.user'> = {
      messageId: newId(),
      turnId,
      content,
      via: 'terminal',
    };
    return [{ kind: 'message.user', turnId, payload: { ...payload } }, ...acts];
  });
  return JSON.stringify(items).length > limits.typedBytes ? null : items;
}

interface OpenText {
  kind: string;
  agentId: unknown;
  block: { type: 'text'; text: string };
}
const over: readonly unknown[] = ['completed', 'failed'];

function actItems(
  updates: readonly SessionUpdate[],
  turnId: string,
  newId: () => string,
): NewItem[] {
  const items: NewItem[] = [];
  const tools = new Map<string, Payload<'tool'>>();
  let open: OpenText | undefined;
  for (const update of updates) {
    if (update.sessionUpdate === 'tool_call' || update.sessionUpdate === 'tool_call_update') {
      const before = tools.get(update.toolCallId);
      const { rawInput: _input, ...said } = toolPayload(update, before === undefined);
      const payload = before ?? { toolCallId: newId() };
      Object.assign(payload, said, { toolCallId: payload.toolCallId });
      if (before === undefined) items.push({ kind: 'tool', turnId, payload });
      tools.set(update.toolCallId, payload);
      open = undefined;
      continue;
    }
    const { sessionUpdate } = update;
    if (sessionUpdate !== 'agent_message_chunk' && sessionUpdate !== 'agent_thought_chunk')
      continue;
    if (update.content.type !== 'text') continue;
    const kind = sessionUpdate === 'agent_message_chunk' ? 'message' : 'thought';
    const text = storable(update.content.text);
    if (open?.kind === kind && open.agentId === update.messageId) open.block.text += text;
    else {
      open = { kind, agentId: update.messageId, block: { type: 'text', text } };
      items.push({ kind, turnId, payload: { messageId: newId(), content: [open.block] } });
    }
  }
  // Nobody works on a call any more, whatever its last word was.
  for (const payload of tools.values())
    if (!over.includes(payload.status)) payload.status = 'interrupted';
  return items.filter(({ kind, payload }) => kind === 'tool' || hasWords(payload));
}
const hasWords = ({ content }: NewItem['payload']): boolean =>
  (content as { text: string }[]).some(({ text }) => text.trim() !== '');
