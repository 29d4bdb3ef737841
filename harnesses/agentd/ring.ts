import assert from 'node:assert/strict';

const firstBytes = 16 * 1024;

/** The latest bytes of one stream, addressed by their offset since its beginning. Grows to `limitBytes`, then forgets the oldest. */
export class Ring {
  #bytes = Buffer.alloc(0);
  #to = 0;
  #held = 0;
  readonly #limitBytes: number;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Offset of the oldest byte held. */
  get from(): number {
    return this.#to - this.#held;
  }

  /** Offset of the next byte to come. */
  get to(): number {
    return this.#to;
  }

  push(chunk: Uint8Array): void {
    const fits = chunk.subarray(Math.max(0, chunk.length - this.#limitBytes));
    this.#to += chunk.length - fits.length;
    if (fits.length < chunk.length) this.#held = 0;
    this.#grow(Math.min(this.#limitBytes, this.#held + fits.length));
    if (fits.length === 0) return;
    const at = this.#to % this.#bytes.length;
    const untilEnd = Math.min(fits.length, this.#bytes.length - at);
    this.#bytes.set(fits.subarray(0, untilEnd), at);
    this.#bytes.set(fits.subarray(untilEnd), 0);
    this.#to += fits.length;
    this.#held = Math.min(this.#bytes.length, this.#held + fits.length);
  }

  /** A view of at most `max` bytes from `offset`, shorter where the ring wraps; valid until the next push. */
  read(offset: number, max: number): Buffer {
    assert(offset >= this.from && offset <= this.#to, 'the offset is held by the ring');
    if (offset === this.#to) return Buffer.alloc(0);
    const at = offset % this.#bytes.length;
    return this.#bytes.subarray(at, at + Math.min(max, this.#to - offset, this.#bytes.length - at));
  }

  #grow(needed: number): void {
    if (needed <= this.#bytes.length) return;
    let size = Math.max(firstBytes, this.#bytes.length);
    while (size < needed) size *= 2;
    const grown = Buffer.alloc(Math.min(size, this.#limitBytes));
    // A byte's place is its offset modulo the size, so the held bytes move to other places.
    for (let offset = this.from; offset < this.#to;) {
      const part = this.read(offset, this.#held);
      for (let done = 0; done < part.length;) {
        const at = (offset + done) % grown.length;
        const piece = part.subarray(done, done + grown.length - at);
        grown.set(piece, at);
        done += piece.length;
      }
      offset += part.length;
    }
    this.#bytes = grown;
  }
}
