import type { Event } from '@berth/contract';
import { parseEvent } from '@berth/contract';

export interface EventPage {
  items: Event[];
  /** The log's last number, as the server knew it. */
  lastSeq: number;
  /** First and last number that the page covers, kinds that this build does not know included; null when it is empty. */
  from: number | null;
  to: number | null;
}

/** The number of an event, also of one whose kind this build does not know: the cursor moves past it all the same. */
export function seqOf(value: unknown): number | null {
  if (typeof value !== 'object' || value === null) return null;
  const seq: unknown = Reflect.get(value, 'seq');
  return typeof seq === 'number' && Number.isSafeInteger(seq) && seq > 0 ? seq : null;
}

export function readEventPage(page: { items: unknown[]; lastSeq: number }): EventPage {
  const seqs = page.items.map(seqOf).filter((seq) => seq !== null);
  return {
    items: page.items.map(parseEvent).filter((event) => event !== null),
    lastSeq: page.lastSeq,
    from: seqs[0] ?? null,
    to: seqs.at(-1) ?? null,
  };
}

/** Every item of a list, page by page. */
export async function* everything<T>(
  list: (query: {
    cursor?: string;
    limit: number;
  }) => Promise<{ items: T[]; nextCursor: string | null }>,
): AsyncGenerator<T, void> {
  let cursor: string | null = null;
  do {
    const found: { items: T[]; nextCursor: string | null } = await list(
      cursor === null ? { limit: 200 } : { limit: 200, cursor },
    );
    yield* found.items;
    cursor = found.nextCursor;
  } while (cursor !== null);
}
