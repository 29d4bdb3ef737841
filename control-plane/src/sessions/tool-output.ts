import type { ContentBlock, Payload } from '@berth/contract';
import type { SourceItem } from '@berth/contract/link';
import type { Core } from './core.ts';
import { uuidOf } from './delivery.ts';
import { insertBlob } from './facts.store.ts';
import { sessionLimits } from './limits.ts';
import type { Entry } from './log/entry.ts';
import type { Owned } from './owner.ts';

type Tool = Payload<'tool'>;

/**
 * Pure. What is too long for its event: the tool's output, as the agent gave it raw, or as text among its content, or both (then mostly the same
 * twice). `content` is what stays in the event. Null: all of it fits.
 */
export function tooLong(
  { output, content = [] }: Pick<Tool, 'output' | 'content'>,
  limitBytes: number,
): { text: string; content: ContentBlock[] } | null {
  const raw = output !== undefined && 'text' in output ? output.text : '';
  const shown = content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n');
  const size = Math.max(Buffer.byteLength(raw), Buffer.byteLength(shown));
  if (size <= limitBytes) return null;
  const text = raw.includes(shown) ? raw : shown.includes(raw) ? shown : `${shown}\n\n${raw}`;
  return { text, content: content.filter(({ type }) => type !== 'text') };
}

/** Output above the limit goes to a blob, which is committed before the event that names it. */
export async function withOutputAside(
  core: Core,
  owned: Owned,
  item: SourceItem,
  payload: Tool,
  asIs: Entry,
): Promise<Entry> {
  const long = tooLong(payload, sessionLimits.outputBytes);
  if (long === null) return asIs;
  // The same item gives the same id, so that a repeat stores nothing twice.
  const id = uuidOf(`${owned.sourceId ?? owned.sessionId} ${String(item.n)}`);
  const { sessionId, teamId } = owned;
  const bytes = Buffer.from(long.text);
  await insertBlob(core.pool, {
    id,
    teamId,
    sessionId,
    mediaType: 'text/plain; charset=utf-8',
    bytes,
  });
  const { content: _content, ...rest } = item.payload;
  return {
    ...asIs,
    payload: JSON.stringify({
      ...rest,
      ...(long.content.length === 0 ? {} : { content: long.content }),
      output: { blobId: id, bytes: bytes.length },
    }),
  };
}
