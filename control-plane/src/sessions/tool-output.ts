import { createHash } from 'node:crypto';
import type { Payload } from '@berth/contract';
import type { SourceItem } from '@berth/contract/link';
import type { Core } from './core.ts';
import { insertBlob } from './facts.store.ts';
import { sessionLimits } from './limits.ts';
import type { Entry } from './log/entry.ts';
import type { Owned } from './owner.ts';

/** Output above the limit goes to a blob, which is committed before the event that names it. */
export async function withOutputAside(
  core: Core,
  owned: Owned,
  item: SourceItem,
  payload: Payload<'tool'>,
  asIs: Entry,
): Promise<Entry> {
  const { output } = payload;
  if (output === undefined || !('text' in output)) return asIs;
  const bytes = Buffer.from(output.text);
  if (bytes.length <= sessionLimits.outputBytes) return asIs;
  const id = blobId(`${owned.sourceId ?? owned.sessionId} ${String(item.n)}`);
  const { sessionId, teamId } = owned;
  await insertBlob(core.pool, {
    id,
    teamId,
    sessionId,
    mediaType: 'text/plain; charset=utf-8',
    bytes,
  });
  return {
    ...asIs,
    payload: JSON.stringify({ ...item.payload, output: { blobId: id, bytes: bytes.length } }),
  };
}
/** The same item gives the same id (RFC 9562, version 8), so that a repeat stores nothing twice. */
function blobId(name: string): string {
  const hash = createHash('sha256').update(name).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
