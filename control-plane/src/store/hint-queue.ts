/** NOTIFY takes 7,999 bytes. */
const payloadBytesMax = 7_900;
/** One newline between hints: they are ids and numbers. */
const separator = '\n';

export interface Notification {
  readonly channel: string;
  readonly payload: string;
}

/** Pure. Hints that wait to be sent. A later hint with the same key replaces the earlier one: only the last position matters. */
export class HintQueue {
  readonly #waiting = new Map<string, Map<string, string>>();
  readonly #hintsMax: number;
  #size = 0;

  constructor(hintsMax: number) {
    this.#hintsMax = hintsMax;
  }
  get size(): number {
    return this.#size;
  }

  /** False: full, and dropped. Hints may get lost; the slow poll of each reader finds what they would have told. */
  add(channel: string, key: string, hint: string): boolean {
    const hints = this.#waiting.get(channel) ?? new Map<string, string>();
    if (!hints.has(key)) {
      if (this.#size >= this.#hintsMax) return false;
      this.#size += 1;
    }
    this.#waiting.set(channel, hints.set(key, hint));
    return true;
  }

  /** All that waits, packed into as few notifications as fit. */
  take(): Notification[] {
    const notifications = [...this.#waiting].flatMap(([channel, hints]) =>
      pack([...hints.values()]).map((payload) => ({ channel, payload })),
    );
    this.#waiting.clear();
    this.#size = 0;
    return notifications;
  }
}

export function pack(hints: readonly string[]): string[] {
  const payloads: string[] = [];
  let current: string[] = [];
  let bytes = 0;
  for (const hint of hints) {
    const size = Buffer.byteLength(hint) + separator.length;
    if (current.length > 0 && bytes + size > payloadBytesMax) {
      payloads.push(current.join(separator));
      current = [];
      bytes = 0;
    }
    current.push(hint);
    bytes += size;
  }
  if (current.length > 0) payloads.push(current.join(separator));
  return payloads;
}

export const unpack = (payload: string): string[] => payload.split(separator);

/** A hint that could not be sent is a bug of the caller, not a state of the database. */
export const isHint = (hint: string): boolean =>
  hint.length > 0 && !hint.includes(separator) && Buffer.byteLength(hint) < payloadBytesMax;
