import { linkVersion, otherVersionClose, runnerFrame } from '@berth/contract/link';
import type { ControlFrame, RunnerFrame } from '@berth/contract/link';
import type { Logger } from 'pino';
import { WebSocket } from 'ws';
import * as z from 'zod/mini';
import type { Clock } from '../clock.ts';
import type { LinkClaim, RunnerEvents } from '../sessions/index.ts';
import { createCalls } from './calls.ts';
import { limits } from './limits.ts';

export const linkCloses = {
  replaced: 4000,
  badFrame: 4002,
  stale: 4003,
  silent: 4008,
  notYours: 4403,
  protocol: otherVersionClose,
  restarting: 1012,
  overloaded: 1013,
} as const;

type Hello = Extract<RunnerFrame, { op: 'hello' }>;

/**
 * One runner's connection. States: waiting for `hello` → greeting (it is made known) → welcoming (what we send waits for `welcome`) → serving → closed.
 * Frames of one session are handled one after the other; a fault in one closes the link, and the runner sends again what was not acknowledged.
 */
export class Link {
  readonly runnerId: string;
  readonly calls: ReturnType<typeof createCalls>;
  readonly #socket: WebSocket;
  readonly #challenge: string;
  readonly #events: () => RunnerEvents;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #greeted: (link: Link, hello: Hello) => Promise<LinkClaim | undefined>;
  readonly #foreign: (link: Link) => void;
  readonly #chains = new Map<string, Promise<void>>();
  readonly #heart: NodeJS.Timeout;
  // Why the socket is not read now; it is read again when the last reason is gone.
  readonly #pauses = new Set<'events' | 'waiting'>();
  #state: 'hello' | 'greeting' | 'welcoming' | 'serving' | 'closed' = 'hello';
  #held: string[] = [];
  #waiting = 0;
  #heardAt: number;

  constructor(options: {
    runnerId: string;
    socket: WebSocket;
    /** What the answer to its dial said; a hello that repeats another one was said on another connection. */
    challenge: string;
    events: () => RunnerEvents;
    logger: Logger;
    clock: Clock;
    greeted: (link: Link, hello: Hello) => Promise<LinkClaim | undefined>;
    /** It speaks another version of the link, and is closed. */
    foreign: (link: Link) => void;
    closed: (link: Link) => void;
  }) {
    this.runnerId = options.runnerId;
    this.#socket = options.socket;
    this.#challenge = options.challenge;
    this.#events = options.events;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#greeted = options.greeted;
    this.#foreign = options.foreign;
    this.#heardAt = this.#clock.now();
    this.calls = createCalls((call) => this.send({ op: 'call', ...call }));
    const socket = options.socket;
    const heard = () => {
      this.#heardAt = this.#clock.now();
    };
    socket.on('message', (data, isBinary) => {
      heard();
      this.#take(isBinary || !Buffer.isBuffer(data) ? '' : data.toString('utf8'));
    });
    socket.on('pong', heard);
    socket.on('ping', heard);
    socket.once('close', () => {
      this.#state = 'closed';
      clearInterval(this.#heart);
      this.calls.lost();
      options.closed(this);
    });
    this.#heart = setInterval(() => this.#beat(), limits.pingMs);
    this.#heart.unref();
  }

  get serving(): boolean {
    return this.#state === 'serving' || this.#state === 'welcoming';
  }

  /** What is sent while the runner is being welcomed follows the `welcome`. */
  send(frame: ControlFrame): void {
    const text = JSON.stringify(frame);
    if (this.#state === 'serving') this.#write(text);
    else if (this.#state === 'welcoming') this.#held.push(text);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    // A peer that is gone, or that we do not read, never answers the close.
    setTimeout(() => this.#socket.terminate(), limits.closeMs).unref();
  }
  /** Ends it as if the network had: nothing more is taken from it, and the runner comes back with what was not acknowledged. */
  drop(): void {
    this.close(linkCloses.restarting, 'again');
    this.#state = 'closed';
  }
  terminate(): void {
    this.#socket.terminate();
  }

  #write(text: string): void {
    this.#socket.send(text);
    if (this.#socket.bufferedAmount <= limits.linkBufferBytes) return;
    this.#logger.error(
      { runnerId: this.runnerId },
      'the runner does not read its link; closing it',
    );
    this.terminate();
  }

  #beat(): void {
    // A clock that was set back would hide a silence until it caught up.
    this.#heardAt = Math.min(this.#heardAt, this.#clock.now());
    const silentMs = this.#clock.now() - this.#heardAt;
    // While we do not read, its silence is ours.
    if (this.#pauses.size > 0) this.#heardAt = this.#clock.now();
    else if (
      silentMs >= limits.silenceMs ||
      (this.#state === 'hello' && silentMs >= limits.helloMs)
    ) {
      this.#logger.warn({ runnerId: this.runnerId, silentMs }, 'the runner fell silent');
      this.terminate();
      return;
    }
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  #take(text: string): void {
    if (this.#state === 'closed') return;
    const frame = parse(text);
    if ('fault' in frame) {
      this.#fault(frame.fault);
      return;
    }
    if (this.#state === 'hello') {
      if (frame.op === 'hello') this.#hello(frame);
      else this.#fault(`the first frame is ${frame.op}, not hello`);
      return;
    }
    switch (frame.op) {
      case 'hello':
        this.#fault('a second hello');
        break;
      case 'ping':
        if (this.#state === 'serving') this.#write('{"op":"pong"}');
        break;
      case 'result':
        if (!this.calls.result(frame))
          this.#logger.error({ runnerId: this.runnerId }, 'a runner’s answer does not fit');
        break;
      case 'events':
        this.#inOrder(frame.sessionId, () => {
          const more = this.#events().events(frame.sessionId, frame.sourceId, frame.items);
          return more ? undefined : this.#untilDrained();
        });
        break;
      case 'accepted':
        this.#inOrder(frame.sessionId, () =>
          this.#events().accepted(frame.sessionId, frame.turnId),
        );
        break;
      case 'refused':
        this.#inOrder(frame.sessionId, () =>
          this.#events().refused(frame.sessionId, frame.turnId, frame.code, frame.detail),
        );
        break;
    }
  }

  #hello(hello: Hello): void {
    if (hello.runnerId !== this.runnerId) {
      this.#logger.error({ runnerId: this.runnerId }, 'a runner says that it is another');
      this.close(linkCloses.notYours, 'another runner’s credential');
      return;
    }
    if (hello.protocol !== linkVersion) {
      this.#foreign(this);
      this.close(linkCloses.protocol, `speak version ${String(linkVersion)}`);
      this.#state = 'closed';
      return;
    }
    if (hello.challenge !== undefined && hello.challenge !== this.#challenge) {
      this.#logger.warn({ runnerId: this.runnerId }, 'a hello of another connection was refused');
      this.close(linkCloses.stale, 'said on another connection');
      this.#state = 'closed';
      return;
    }
    this.#state = 'greeting';
    this.#welcome(hello).catch((error: unknown) =>
      this.#broke(error, 'a runner could not be welcomed'),
    );
  }
  async #welcome(hello: Hello): Promise<void> {
    const claim = await this.#greeted(this, hello);
    if (this.#state !== 'greeting') return;
    // Serving from the moment in which `hello` is told, not before: who finds a link must find what its runner has.
    this.#state = 'welcoming';
    const answer = await this.#events().hello(this.runnerId, hello.sessions, claim);
    this.#welcomed(answer);
  }
  #welcomed(answer: Awaited<ReturnType<RunnerEvents['hello']>>): void {
    if (this.#state !== 'welcoming') return;
    this.#state = 'serving';
    this.#write(JSON.stringify({ op: 'welcome', ...answer } satisfies ControlFrame));
    for (const text of this.#held.splice(0)) this.#write(text);
  }

  /** Stops reading until the log has written; then whatever waits goes on. */
  async #untilDrained(): Promise<void> {
    this.#pause('events');
    await this.#events().drained();
    this.#resume('events');
  }

  /** At once when nothing of this session waits, so that the usual case costs no promise. */
  #inOrder(sessionId: string, handle: () => Promise<void> | undefined): void {
    const before = this.#chains.get(sessionId);
    let work: Promise<void> | undefined;
    if (before === undefined) {
      try {
        work = handle();
      } catch (error) {
        this.#broke(error, 'a runner’s frame could not be handled');
        return;
      }
    } else {
      work = before.then(() => (this.#state === 'closed' ? undefined : handle()));
    }
    if (work === undefined) return;
    this.#waiting += 1;
    if (this.#waiting >= limits.waitingFrames) this.#pause('waiting');
    const settled: Promise<void> = work
      .catch((error: unknown) => this.#broke(error, 'a runner’s frame could not be handled'))
      .then(() => {
        this.#waiting -= 1;
        if (this.#waiting < limits.waitingFrames / 2) this.#resume('waiting');
        if (this.#chains.get(sessionId) === settled) this.#chains.delete(sessionId);
      });
    this.#chains.set(sessionId, settled);
  }

  #pause(reason: 'events' | 'waiting'): void {
    this.#pauses.add(reason);
    this.#socket.pause();
  }
  #resume(reason: 'events' | 'waiting'): void {
    if (!this.#pauses.delete(reason) || this.#pauses.size > 0) return;
    this.#heardAt = this.#clock.now();
    this.#socket.resume();
  }

  #fault(detail: string): void {
    this.#logger.error({ runnerId: this.runnerId, detail }, 'a runner’s frame does not fit');
    this.close(linkCloses.badFrame, 'frame not understood');
    this.#state = 'closed';
  }
  #broke(error: unknown, what: string): void {
    if (this.#state === 'closed') return;
    this.#logger.error({ err: error, runnerId: this.runnerId }, what);
    this.close(1011, 'try again');
    this.#state = 'closed';
  }
}

function parse(text: string): RunnerFrame | { fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: 'not JSON' };
  }
  const parsed = z.safeParse(runnerFrame, value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return { fault: `/${issue?.path.map(String).join('/') ?? ''}: ${issue?.message ?? ''}` };
}
