import { createHash } from 'node:crypto';
import type { SourceItem } from '@berth/contract/link';

/**
 * The id under which a turn goes to the runner. Its own, until a person has it sent again: the runner never delivers an id that it has seen a second time, so
 * each resend is another delivery, with an id that follows from the turn's (RFC 9562, version 8) and is known again after a restart.
 */
export function deliveryId(turn: { id: string; resends: number }): string {
  return turn.resends === 0 ? turn.id : uuidOf(`${turn.id} ${String(turn.resends)}`);
}

/** The same name gives the same id. */
export function uuidOf(name: string): string {
  const hash = createHash('sha256').update(name).digest();
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** What the runner says of a delivery, as said of its turn. */
export function ofTurn(item: SourceItem, turns: ReadonlyMap<string, string>): SourceItem {
  if (turns.size === 0) return item;
  const { turnId } = item.payload;
  const own = item.turnId === undefined ? undefined : turns.get(item.turnId);
  const inPayload = typeof turnId === 'string' ? turns.get(turnId) : undefined;
  if (own === undefined && inPayload === undefined) return item;
  return {
    ...item,
    ...(own === undefined ? {} : { turnId: own }),
    payload: inPayload === undefined ? item.payload : { ...item.payload, turnId: inPayload },
  };
}
