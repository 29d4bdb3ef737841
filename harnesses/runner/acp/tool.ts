import type { ToolCall, ToolCallUpdate } from '@agentclientprotocol/sdk';
import { toolKinds, type Payload, type ToolKind, type ToolStatus } from '@berth/contract';
import { cut, storable, toBlock } from './content.ts';

const statuses = {
  pending: 'pending',
  in_progress: 'running',
  completed: 'completed',
  failed: 'failed',
} as const satisfies Record<string, ToolStatus>;
const rawInputMax = 256 * 1024;

export const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Pure. What a tool call or an update of it says, as our event; only what is in it. `first`: a call that was not seen before. */
export function toolPayload(update: ToolCall | ToolCallUpdate, first: boolean): Payload<'tool'> {
  const payload: Payload<'tool'> = { toolCallId: update.toolCallId };
  if (typeof update.title === 'string') payload.title = cut(update.title, 4000);
  const kind = toolKinds.find((one) => one === update.kind);
  if (kind !== undefined) payload.kind = kind;
  else if (first) payload.kind = 'other' satisfies ToolKind;
  if (update.status && Object.hasOwn(statuses, update.status))
    payload.status = statuses[update.status];
  else if (first) payload.status = 'pending';
  if (update.locations?.length)
    payload.locations = update.locations.map(({ path, line }) => ({
      path: storable(path),
      ...(Number.isInteger(line) && typeof line === 'number' ? { line } : {}),
    }));
  const content = [];
  const diff = [];
  for (const part of update.content ?? []) {
    if (part.type === 'content') content.push(toBlock(part.content));
    else if (part.type === 'diff')
      diff.push({
        path: storable(part.path),
        ...(typeof part.oldText === 'string' ? { oldText: cut(part.oldText) } : {}),
        newText: cut(part.newText),
      });
  }
  if (content.length > 0) payload.content = content;
  if (diff.length > 0) payload.diff = diff;
  if (update.rawInput !== undefined && update.rawInput !== null)
    payload.rawInput = boundedInput(update.rawInput);
  const output = outputOf(update.rawOutput);
  if (output.text !== undefined && output.text !== '') payload.output = { text: cut(output.text) };
  if (output.exitCode !== undefined) payload.exitCode = output.exitCode;
  return payload;
}

function boundedInput(input: unknown): unknown {
  const json = JSON.stringify(input);
  if (json.length > rawInputMax) return { truncated: true, bytes: json.length };
  return JSON.parse(json.replaceAll('\\u0000', '\\ufffd')) as unknown;
}

/** Agents agree on nothing here: these are the shapes that were seen. */
export function outputOf(raw: unknown): { text?: string; exitCode?: number } {
  if (raw === undefined || raw === null) return {};
  if (typeof raw === 'string') return { text: raw };
  if (Array.isArray(raw)) {
    const texts = raw.flatMap((part) =>
      isFields(part) && typeof part['text'] === 'string' ? [part['text']] : [],
    );
    return texts.length > 0 ? { text: texts.join('\n') } : { text: JSON.stringify(raw) };
  }
  if (!isFields(raw)) return { text: JSON.stringify(raw) };
  const found: { text?: string; exitCode?: number } = {};
  const metadata = isFields(raw['metadata']) ? raw['metadata'] : {};
  for (const code of [raw['exitCode'], raw['exit_code'], metadata['exit']])
    if (typeof code === 'number' && Number.isInteger(code)) found.exitCode ??= code;
  for (const name of ['formatted_output', 'aggregated_output', 'output', 'text'])
    if (typeof raw[name] === 'string') found.text ??= raw[name];
  if (found.text === undefined) {
    const both = [raw['stdout'], raw['stderr']].filter((part) => typeof part === 'string');
    if (both.length > 0) found.text = both.filter((part) => part !== '').join('\n');
    else if (typeof raw['error'] === 'string') found.text = raw['error'];
    else if (Object.keys(raw).length > 0 && found.exitCode === undefined)
      found.text = JSON.stringify(raw);
  }
  return found;
}
