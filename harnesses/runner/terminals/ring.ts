/** The latest bytes of a stream, by their offset in it. */
export class Ring {
  readonly #capacity: number;
  #chunks: { from: number; bytes: Buffer }[] = [];
  #from: number;
  #to: number;
  constructor(capacity: number, from: number) {
    this.#capacity = capacity;
    this.#from = this.#to = from;
  }
  get from(): number {
    return this.#from;
  }
  get to(): number {
    return this.#to;
  }
  /** Kept as given: the caller hands over bytes that nobody changes. */
  push(bytes: Buffer): void {
    this.#chunks.push({ from: this.#to, bytes });
    this.#to += bytes.length;
    this.#from = Math.max(this.#from, this.#to - this.#capacity);
    let gone = 0;
    for (const chunk of this.#chunks) {
      if (chunk.from + chunk.bytes.length > this.#from) break;
      gone++;
    }
    if (gone > 0) this.#chunks.splice(0, gone);
  }
  /** Bytes from `from`, at most up to `to`; empty at the end. `from` must still be here. */
  slice(from: number, to: number): Buffer {
    const pieces: Buffer[] = [];
    // The newest are wanted most often.
    const first = this.#chunks.findLastIndex((chunk) => chunk.from <= from);
    for (let at = Math.max(0, first); at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at];
      if (!chunk || chunk.from >= to) break;
      const piece = chunk.bytes.subarray(Math.max(0, from - chunk.from), to - chunk.from);
      if (piece.length > 0) pieces.push(piece);
    }
    const [only, ...more] = pieces;
    if (!only) return Buffer.alloc(0);
    return more.length === 0 ? only : Buffer.concat(pieces);
  }
}
