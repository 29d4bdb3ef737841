import type { Approval, ChannelRequest, Session } from '@berth/contract';
import { approval, channelsProtocol, session } from '@berth/contract';
import type { ConnectionState } from './connection.ts';
import { problemFromBody } from './errors.ts';
import { createFeeds } from './feeds.ts';
import { readFrame } from './frames.ts';
import type { MirrorChange } from './mirror.ts';
import { createMirror } from './mirror.ts';
import type { From } from './reading.ts';
import type { DialOptions } from './redial.ts';
import { createRedial } from './redial.ts';
import type { SessionHandlers, Stop } from './subscriptions.ts';

export interface Channels {
  readonly state: ConnectionState;
  /** Calls back at once, then with each change. */
  onState(listener: (state: ConnectionState) => void): Stop;
  /** The caller's sessions: a `complete` change replaces all that was known before. */
  sessions(listener: (change: MirrorChange<Session>) => void): Stop;
  approvals(listener: (change: MirrorChange<Approval>) => void): Stop;
  session(id: string, from: From, handlers: SessionHandlers): Stop;
  reconnectNow(): void;
  close(): void;
}

export interface ChannelOptions extends DialOptions {
  /** A listener threw, or the server sent what is not of this protocol. Absent: thrown where nobody catches it. */
  onError?: ((error: unknown) => void) | undefined;
}

const ping = JSON.stringify({ op: 'ping' } satisfies ChannelRequest);

/** Everything live over one socket: sessions, approvals and the logs that somebody reads. */
export function openChannels(options: ChannelOptions): Channels {
  const onError =
    options.onError ??
    ((error: unknown) =>
      queueMicrotask(() => {
        throw error;
      }));
  const tell = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      onError(error);
    }
  };
  let lastId = 0;
  const ports = {
    newId: () => (lastId += 1),
    send: (request: ChannelRequest) => redial.send(JSON.stringify(request)),
    tell,
    timers: options.timers,
  };
  const sessions = createMirror<Session>({ channel: 'sessions', schema: session, ...ports });
  const approvals = createMirror<Approval>({ channel: 'approvals', schema: approval, ...ports });
  const feeds = createFeeds(ports);
  const stateListeners = new Set<(state: ConnectionState) => void>();

  function message(data: string | Uint8Array): void {
    const frame = typeof data === 'string' ? readFrame(data) : null;
    if (frame === null) return;
    switch (frame.op) {
      case 'sessions':
        sessions.frame(frame);
        break;
      case 'approvals':
        approvals.frame(frame);
        break;
      case 'subscribed':
        feeds.subscribed(frame.channel, frame.id, frame);
        break;
      case 'events':
        feeds.events(frame.channel, frame.events);
        break;
      case 'live':
        feeds.live(frame.channel, frame.seq);
        break;
      case 'resync':
        if (frame.channel === 'sessions') sessions.resync();
        else if (frame.channel === 'approvals') approvals.resync();
        else feeds.resync(frame.channel);
        break;
      case 'problem': {
        const problem = problemFromBody(frame.problem);
        if (!feeds.problem(frame.channel, frame.id, problem)) tell(() => onError(problem));
        break;
      }
      case 'ping':
        redial.send(ping);
        break;
      case 'pong':
      case 'unsubscribed':
        break;
    }
  }

  const redial = createRedial(options, {
    protocol: channelsProtocol,
    path: () => '/api/v1/channels',
    ticketFor: { for: 'channels' },
    opened() {
      sessions.opened();
      approvals.opened();
      feeds.opened();
    },
    message,
    lost: () => feeds.lost(),
    ping: () => ping,
    state: (state) => {
      for (const listener of [...stateListeners]) tell(() => listener(state));
    },
  });

  return {
    get state() {
      return redial.state;
    },
    onState(listener) {
      stateListeners.add(listener);
      tell(() => listener(redial.state));
      return () => {
        stateListeners.delete(listener);
      };
    },
    sessions: (listener) => sessions.listen(listener),
    approvals: (listener) => approvals.listen(listener),
    session: (id, from, handlers) => feeds.read(id, from, handlers),
    reconnectNow: () => redial.reconnectNow(),
    close: () => redial.close(),
  };
}
