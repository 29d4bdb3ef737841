/** One event on its way into the log. */
export interface Entry {
  kind: string;
  /** JSON text of an object, verbatim as readers get it. For a delta it is made when the entry is taken for a group. */
  payload: string;
  turnId?: string;
  /** ACP lines behind it, one a line. */
  raw?: string;
  at: number;
  /** Set for deltas: neighbours of one message merge while they wait. */
  delta?: { messageId: string; text: string };
}

/** An event that is stored: its number, and the JSON text that every reader gets. */
export interface Stored {
  readonly seq: number;
  readonly kind: string;
  readonly json: string;
}

/** Kind and ids need no escaping: the kind was checked, ids are UUIDs. */
export function eventJson(
  sessionId: string,
  seq: number,
  atMs: number,
  kind: string,
  turnId: string | null | undefined,
  payload: string,
): string {
  const turn = turnId === null || turnId === undefined ? '' : `"turnId":"${turnId}",`;
  const at = new Date(atMs).toISOString();
  return `{"sessionId":"${sessionId}","seq":${String(seq)},"at":"${at}","kind":"${kind}",${turn}"payload":${payload}}`;
}
