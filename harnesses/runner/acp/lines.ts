/** Cuts bytes into lines, whatever the pieces are. A line longer than `limitBytes` is a fault of the writer. */
export class LineSplitter {
  readonly #limitBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  push(chunk: Buffer, take: (line: string) => void): void {
    let at = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, at)) {
      this.#parts.push(chunk.subarray(at, end));
      const line = Buffer.concat(this.#parts).toString('utf8');
      this.#parts = [];
      this.#bytes = 0;
      at = end + 1;
      if (line.trim() !== '') take(line);
    }
    if (at === chunk.length) return;
    this.#bytes += chunk.length - at;
    if (this.#bytes > this.#limitBytes)
      throw new RangeError(`a line of more than ${String(this.#limitBytes)} bytes`);
    this.#parts.push(Buffer.from(chunk.subarray(at))); // a view that does not outlive the call
  }
}
