import { Transform, type TransformCallback } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { Protocol } from './routes.ts';
import { isBareUsageChunk, isTerminal, mayHoldUsage, readUsage, type CallUsage } from './usage.ts';

const lineCharsMax = 4 * 1024 * 1024;

/**
 * Server-sent events on their way to the agent. Bytes pass as they come; the tap reads beside them. Only when a chunk must be withheld
 * (`dropBareUsage`) does it work by whole events, and then holds back no more than the unfinished one.
 */
export class EventTap extends Transform {
  usage: CallUsage | null = null;
  terminal = false;
  bytes = 0;
  readonly #protocol: Protocol;
  readonly #dropBareUsage: boolean;
  readonly #decoder = new StringDecoder('utf8');
  #line = '';
  /** Lines of the event that is being read, as they came, when events may be withheld. */
  #event = '';
  #withhold = false;

  constructor(protocol: Protocol, dropBareUsage: boolean) {
    super();
    this.#protocol = protocol;
    this.#dropBareUsage = dropBareUsage;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length;
    if (!this.#dropBareUsage) this.push(chunk);
    let text = this.#line + this.#decoder.write(chunk);
    let end = text.indexOf('\n');
    while (end >= 0) {
      this.#take(text.slice(0, end + 1));
      text = text.slice(end + 1);
      end = text.indexOf('\n');
    }
    this.#line = text;
    if (text.length > lineCharsMax) {
      // Nothing that long holds usage; it only must not grow here without end.
      if (this.#dropBareUsage) this.push(this.#event + text);
      this.#event = '';
      this.#line = '';
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#line !== '') this.#take(this.#line);
    if (this.#dropBareUsage && this.#event !== '' && !this.#withhold) this.push(this.#event);
    done();
  }

  #take(line: string): void {
    const data = /^data:\s?(.*?)\r?\n?$/.exec(line)?.[1];
    if (data !== undefined) this.#read(data);
    if (!this.#dropBareUsage) return;
    this.#event += line;
    if (line !== '\n' && line !== '\r\n') return;
    if (!this.#withhold) this.push(this.#event);
    this.#event = '';
    this.#withhold = false;
  }

  #read(data: string): void {
    if (isTerminal(this.#protocol, data)) this.terminal = true;
    if (!mayHoldUsage(data)) return;
    const event = parse(data);
    this.usage = readUsage(this.#protocol, event, this.usage);
    if (this.#dropBareUsage && isBareUsageChunk(event)) this.#withhold = true;
  }
}

/** A line that is no JSON is the agent's to judge; usage is all that is looked for here. */
function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return null;
  }
}
