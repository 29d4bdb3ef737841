import { ringBytes } from './protocol.ts';
import { Ring } from './ring.ts';

/** What is not yet sent waits in the process, not here; and the ring keeps three times as much of what was sent, for what a dead link swallowed. */
export const unsentBytesMax = ringBytes / 4;
const frameBytes = 64 * 1024;

/** Where the bytes come from. */
export interface Source {
  pause(): void;
  resume(): void;
}

/**
 * One output stream of a process: a ring, how far the current link has been sent, and the reasons why its source waits.
 * Bytes are never dropped before they were sent: the source is paused instead.
 */
export class Output {
  readonly #ring = new Ring(ringBytes);
  #sent = 0;
  #held = false;
  #paused = false;
  #source: Source | undefined;
  ended = false;

  get from(): number {
    return this.#ring.from;
  }
  get to(): number {
    return this.#ring.to;
  }
  get drained(): boolean {
    return this.#sent === this.#ring.to;
  }

  attach(source: Source): void {
    this.#source = source;
  }

  push(chunk: Uint8Array): void {
    this.#ring.push(chunk);
    this.#settle();
  }

  /** The runner asks the stream to wait, or to go on. */
  hold(held: boolean): void {
    this.#held = held;
    this.#settle();
  }

  /** A new link: goes on from the offset that it knows, or from the oldest byte; a pause of the old link is void. */
  rewind(offset: number | undefined): void {
    const wanted = Number.isSafeInteger(offset) && offset !== undefined ? offset : 0;
    this.#sent = Math.min(Math.max(wanted, this.#ring.from), this.#ring.to);
    this.#held = false;
    this.#settle();
  }

  /** The next bytes for the link, as a frame's body, or nothing. */
  next(): Buffer | null {
    if (this.#held || this.drained) return null;
    const bytes = this.#ring.read(this.#sent, frameBytes);
    const body = Buffer.allocUnsafe(8 + bytes.length);
    body.writeBigUInt64LE(BigInt(this.#sent), 0);
    body.set(bytes, 8);
    this.#sent += bytes.length;
    this.#settle();
    return body;
  }

  #settle(): void {
    const wait = this.#ring.to - this.#sent >= unsentBytesMax;
    if (wait === this.#paused) return;
    this.#paused = wait;
    if (wait) this.#source?.pause();
    else this.#source?.resume();
  }
}
