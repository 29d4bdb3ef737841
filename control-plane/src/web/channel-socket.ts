import type { Approval, ChannelFrame, ChannelRequest, Session } from '@berth/contract';
import { channelRequest, Problem } from '@berth/contract';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import * as z from 'zod/mini';
import type { Actor } from '../identity/index.ts';
import type { EventLog, LogReader } from '../sessions/index.ts';
import type { Hub, Watcher } from './hub.ts';
import { limits } from './limits.ts';
import type { WebMetrics } from './metrics.ts';
import { problemOf } from './refusals.ts';
import { fieldErrors, isUuid } from './validate.ts';

interface Ports {
  log: EventLog;
  hub: Hub;
  metrics: WebMetrics;
  logger: Logger;
}
type Subscribe = Extract<ChannelRequest, { op: 'subscribe' }>;

/**
 * One viewer's channel socket. Frames are handled one after the other, so that an unsubscribe never overtakes its subscribe; while too many
 * wait, the socket is not read. A bad frame is answered, and the socket lives.
 */
export class ChannelSocket {
  readonly #socket: WebSocket;
  readonly #actor: Actor;
  readonly #ports: Ports;
  readonly #pending: string[] = [];
  readonly #subscriptions = new Map<string, () => void>();
  readonly #waiting = new Set<() => void>();
  #working = false;
  #closed = false;

  constructor(socket: WebSocket, actor: Actor, ports: Ports) {
    this.#socket = socket;
    this.#actor = actor;
    this.#ports = ports;
    socket.on('message', (data, binary) => {
      // `ws` gives one Buffer unless it was told otherwise.
      this.#take(binary || !Buffer.isBuffer(data) ? '' : data.toString('utf8'));
    });
    socket.once('close', () => this.#end());
  }

  #end(): void {
    this.#closed = true;
    this.#pending.length = 0;
    for (const stop of this.#subscriptions.values()) stop();
    this.#subscriptions.clear();
    this.#wake();
  }

  #take(text: string): void {
    this.#pending.push(text);
    if (this.#pending.length >= limits.pendingFrames) this.#socket.pause();
    if (this.#working) return;
    this.#working = true;
    this.#work().catch((error: unknown) => {
      this.#ports.logger.error({ err: error }, 'channel socket failed');
      this.#socket.terminate();
    });
  }

  async #work(): Promise<void> {
    for (let text = this.#pending.shift(); text !== undefined; text = this.#pending.shift()) {
      if (this.#socket.isPaused && this.#pending.length === 0) this.#socket.resume();
      await this.#handle(text);
    }
    this.#working = false;
  }

  async #handle(text: string): Promise<void> {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      this.#refuse(new Problem('malformed-json', 'The frame is not JSON.', { cause: error }), {});
      return;
    }
    const parsed = z.safeParse(channelRequest, value, { reportInput: true });
    if (!parsed.success) {
      const errors = fieldErrors(parsed.error.issues);
      this.#refuse(
        new Problem('invalid-request', 'The frame does not fit.', { errors }),
        namesOf(value),
      );
      return;
    }
    const request = parsed.data;
    if (request.op === 'ping') {
      this.#send({ op: 'pong' });
      return;
    }
    const { id, channel } = request;
    try {
      if (request.op === 'subscribe') await this.#subscribe(request);
      else {
        this.#drop(channel);
        this.#send({ op: 'unsubscribed', id, channel });
      }
    } catch (error) {
      this.#refuse(error, { id, channel });
    }
  }

  async #subscribe(request: Subscribe): Promise<void> {
    const { channel, after, tail } = request;
    const sessionId = channel.startsWith('session/') ? channel.slice('session/'.length) : null;
    if (after !== undefined && tail !== undefined)
      throw new Problem('invalid-request', 'Give after or tail, not both.');
    this.#drop(channel);
    if (this.#subscriptions.size >= limits.subscriptionsPerSocket)
      throw new Problem('too-many-requests', 'This socket has too many subscriptions.');
    if (sessionId !== null && isUuid(sessionId)) {
      await this.#follow(request, sessionId.toLowerCase());
      return;
    }
    if (channel !== 'sessions' && channel !== 'approvals')
      throw new Problem('not-found', 'No such channel.');
    if (after !== undefined || tail !== undefined)
      throw new Problem('invalid-request', 'Only the channel of a session has positions.');
    this.#keep(
      channel,
      await (channel === 'sessions' ? this.#list(request) : this.#inbox(request)),
    );
  }

  #list({ id, channel }: Subscribe): Promise<() => void> {
    const { hub } = this.#ports;
    const watcher: Watcher = {
      actor: this.#actor,
      channel: 'sessions',
      sessions: (upsert, remove) => {
        if (this.#fits(channel))
          this.#send({ op: 'sessions', upsert: [...upsert], remove: [...remove] });
      },
    };
    return hub.watch<Session>(
      watcher,
      (upsert) => this.#send({ op: 'sessions', id, complete: true, upsert, remove: [] }),
      hub.sessions,
    );
  }

  #inbox({ id, channel }: Subscribe): Promise<() => void> {
    const { hub } = this.#ports;
    const known = new Map<string, Set<string>>();
    const note = (items: readonly Approval[]) => {
      for (const item of items) {
        const ids = known.get(item.sessionId) ?? new Set<string>();
        known.set(item.sessionId, ids.add(item.id));
      }
    };
    const watcher: Watcher = {
      actor: this.#actor,
      channel: 'approvals',
      approvals: (sessionId, waiting) => {
        const before = known.get(sessionId) ?? new Set<string>();
        known.delete(sessionId);
        note(waiting);
        const now = known.get(sessionId) ?? new Set<string>();
        const remove = [...before].filter((each) => !now.has(each));
        if (waiting.length + remove.length > 0 && this.#fits(channel))
          this.#send({ op: 'approvals', upsert: [...waiting], remove });
      },
    };
    return hub.watch<Approval>(
      watcher,
      (upsert) => {
        note(upsert);
        this.#send({ op: 'approvals', id, complete: true, upsert, remove: [] });
      },
      hub.approvals,
    );
  }

  async #follow(request: Subscribe, sessionId: string): Promise<void> {
    const { id, channel, after, tail } = request;
    const { log, metrics } = this.#ports;
    // What comes before `subscribed` was sent is kept until then: its order is part of the contract.
    let early: (() => void)[] | null = [];
    const inOrder = (run: () => void) => {
      if (early === null) run();
      else early.push(run);
    };
    const reader: LogReader = {
      events: (batch) => {
        if (this.#closed || this.#socket.bufferedAmount > limits.readerBytesMax) return false;
        const events = batch.map(({ json }) => json).join(',');
        metrics.eventsSent.inc(batch.length);
        inOrder(() =>
          this.#sendText(`{"op":"events","channel":"${channel}","events":[${events}]}`),
        );
        return true;
      },
      ready: () => this.#drained(),
      live: (seq) => inOrder(() => this.#send({ op: 'live', channel, seq })),
      resync: (seq) => inOrder(() => this.#resync(channel, seq)),
    };
    const from = {
      ...(after === undefined ? {} : { after }),
      ...(tail === undefined ? {} : { tail }),
    };
    const subscription = await log.subscribe(this.#actor, sessionId, from, reader);
    const { firstSeq, lastSeq } = subscription;
    metrics.subscriptions.inc();
    this.#keep(channel, () => {
      subscription.close();
      metrics.subscriptions.dec();
    });
    this.#send({ op: 'subscribed', id, channel, firstSeq, lastSeq });
    const kept = early;
    early = null;
    for (const run of kept) run();
  }

  #keep(channel: string, stop: () => void): void {
    // The viewer may have gone while we were reading.
    if (this.#closed) stop();
    else this.#subscriptions.set(channel, stop);
  }
  #drop(channel: string): void {
    this.#subscriptions.get(channel)?.();
    this.#subscriptions.delete(channel);
  }
  #resync(channel: string, seq: number): void {
    this.#drop(channel);
    this.#ports.metrics.resyncs.inc();
    this.#send({ op: 'resync', channel, seq });
  }
  /** False: too slow for lists; they start again from a snapshot. */
  #fits(channel: string): boolean {
    if (this.#closed) return false;
    if (this.#socket.bufferedAmount <= limits.readerBytesMax) return true;
    this.#resync(channel, 0);
    return false;
  }

  /** Resolves when most of what was sent is on its way, or the viewer is gone. */
  async #drained(): Promise<void> {
    while (!this.#closed && this.#socket.bufferedAmount > limits.readerBytesLow)
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }
  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resume of waiting) resume();
  }

  #refuse(error: unknown, names: { id?: string | number; channel?: string }): void {
    let problem = problemOf(error);
    if (problem === null) {
      this.#ports.logger.error({ err: error }, 'channel request failed unexpectedly');
      problem = new Problem('internal-error', 'This was not your fault; the log has more.');
    }
    this.#send({ op: 'problem', ...names, problem: problem.toBody() });
  }

  #send(frame: ChannelFrame): void {
    this.#sendText(JSON.stringify(frame));
  }
  #sendText(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(text, () => this.#wake());
  }
}

/** What a frame that does not fit says of itself, so that its sender finds the answer. */
function namesOf(value: unknown): { id?: string | number; channel?: string } {
  if (typeof value !== 'object' || value === null) return {};
  const id = 'id' in value ? value.id : undefined;
  const channel = 'channel' in value ? value.channel : undefined;
  return {
    ...((typeof id === 'string' && id.length <= 64) || Number.isSafeInteger(id)
      ? { id: id as string | number }
      : {}),
    ...(typeof channel === 'string' && channel.length <= 64 ? { channel } : {}),
  };
}
