import type { Payload } from '@berth/contract';
import type { SourceItem } from '@berth/contract/link';
import type { Core } from './core.ts';
import { uuidOf } from './delivery.ts';
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
  // The same item gives the same id, so that a repeat stores nothing twice.
  const id = uuidOf(`${owned.sourceId ?? owned.sessionId} ${String(item.n)}`);
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
