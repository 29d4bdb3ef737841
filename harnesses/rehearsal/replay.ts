import type { ContentBlock, SessionUpdate } from '@agentclientprotocol/sdk';

/** One thing that happened in a conversation. */
export type Moment =
  { kind: 'prompt'; content: ContentBlock[] } | { kind: 'update'; update: SessionUpdate };

type Chunk = Extract<
  SessionUpdate,
  { sessionUpdate: 'agent_message_chunk' | 'agent_thought_chunk' }
>;
const isChunk = (update: SessionUpdate | undefined): update is Chunk =>
  update?.sessionUpdate === 'agent_message_chunk' ||
  update?.sessionUpdate === 'agent_thought_chunk';

/** One update for two text chunks of the same message; null when they are not. */
export function joined(
  first: SessionUpdate | undefined,
  second: SessionUpdate,
): SessionUpdate | null {
  if (!isChunk(first) || !isChunk(second)) return null;
  if (first.sessionUpdate !== second.sessionUpdate || first.messageId !== second.messageId)
    return null;
  if (first.content.type !== 'text' || second.content.type !== 'text') return null;
  return { ...first, content: { type: 'text', text: first.content.text + second.content.text } };
}

/**
 * What `session/load` tells: every prompt and every message whole, every tool call once with its last state. Kinds that only
 * describe a moment (usage, plan) are told by their last one.
 */
export function replay(moments: readonly Moment[]): SessionUpdate[] {
  const told: SessionUpdate[] = [];
  const tools = new Map<string, number>();
  const last = new Map<string, SessionUpdate>();
  for (const moment of moments) {
    if (moment.kind === 'prompt') {
      for (const content of moment.content)
        told.push({ sessionUpdate: 'user_message_chunk', content });
      continue;
    }
    const { update } = moment;
    const whole = joined(told.at(-1), update);
    if (whole !== null) {
      told[told.length - 1] = whole;
    } else if (update.sessionUpdate === 'tool_call_update') {
      const at = tools.get(update.toolCallId);
      const call = at === undefined ? undefined : told[at];
      if (at !== undefined && call?.sessionUpdate === 'tool_call') {
        const { sessionUpdate: _kind, ...changed } = update;
        told[at] = { ...call, ...changed } as SessionUpdate;
      }
    } else if (update.sessionUpdate === 'plan' || update.sessionUpdate === 'usage_update') {
      last.set(update.sessionUpdate, update);
    } else {
      if (update.sessionUpdate === 'tool_call') tools.set(update.toolCallId, told.length);
      told.push(update);
    }
  }
  return [...told, ...last.values()];
}
