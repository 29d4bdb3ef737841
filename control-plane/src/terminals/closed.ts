import { eventPayloads } from '@berth/contract';
import type { Payload } from '@berth/contract';
import type { SourceItem } from '@berth/contract/link';
import * as z from 'zod/mini';

/** Pure. The terminals that these items of a runner's journal say have ended. */
export function closedIn(items: readonly SourceItem[]): Payload<'terminal.closed'>[] {
  return items.flatMap((item) => {
    if (item.kind !== 'terminal.closed') return [];
    const parsed = z.safeParse(eventPayloads['terminal.closed'], item.payload);
    return parsed.success ? [parsed.data] : [];
  });
}
