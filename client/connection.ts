import { closeCodes } from '@berth/contract';

/**
 * One connection that comes back by itself. States:
 *   idle            nothing was asked for yet
 *   connecting      a socket is being opened
 *   connected       it is open; `attempt` is above 0 until it has proved to last, so that a server that lets us in and throws us out is not hammered
 *   awaiting-retry  it was lost, or could not be opened; the next attempt is timed
 *   disconnected    the server said that trying again is of no use, until a person acts (`reconnectNow`)
 *   disposed        over
 */
export type Refusal = 'auth' | 'forbidden' | 'protocol' | 'not-found' | 'ended';
export type ConnectionState =
  | { kind: 'idle' }
  | { kind: 'connecting'; attempt: number }
  | { kind: 'connected'; attempt: number }
  | { kind: 'awaiting-retry'; attempt: number; delayMs: number }
  | { kind: 'disconnected'; reason: Refusal }
  | { kind: 'disposed' };

export type ConnectionEvent =
  | { kind: 'start' }
  | { kind: 'opened' }
  /** It has been open for a while. */
  | { kind: 'steady' }
  /** The socket closed, or was given up by us (silence, time-out). `random` in [0, 1). */
  | { kind: 'closed'; code: number; random: number }
  /** The way there was refused before a socket was opened. */
  | { kind: 'refused'; reason: Refusal }
  | { kind: 'retry-due' }
  /** A person looked, the network came back, a sign-in ended. */
  | { kind: 'reconnect-now' }
  | { kind: 'dispose' };

export const limits = {
  firstDelayMs: 250,
  delayMsMax: 30_000,
  jitter: 0.1,
  /** Nothing heard for so long: the connection is dead, whatever the socket believes. */
  silenceMs: 25_000,
  pingMs: 10_000,
  connectMs: 15_000,
} as const;

const refusals: Readonly<Record<number, Refusal>> = {
  [closeCodes.notSignedIn]: 'auth',
  [closeCodes.noLongerAllowed]: 'forbidden',
  [closeCodes.notFound]: 'not-found',
  [closeCodes.terminalClosed]: 'ended',
  [closeCodes.protocol]: 'protocol',
};

/** Doubles from the first to the longest delay; the jitter keeps a thousand editors from coming back in the same moment. */
export function retryDelayMs(attempt: number, random: number): number {
  const plain = Math.min(limits.firstDelayMs * 2 ** Math.min(attempt, 30), limits.delayMsMax);
  return Math.round(plain * (1 + limits.jitter * (2 * random - 1)));
}

/** Pure. An event that does not apply returns the same state. What to do follows from the new state alone. */
export function nextConnection(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  if (state.kind === 'disposed') return state;
  switch (event.kind) {
    case 'start':
      return state.kind === 'idle' ? { kind: 'connecting', attempt: 0 } : state;
    case 'opened':
      return state.kind === 'connecting' ? { kind: 'connected', attempt: state.attempt } : state;
    case 'steady':
      return state.kind === 'connected' && state.attempt > 0
        ? { kind: 'connected', attempt: 0 }
        : state;
    case 'closed': {
      if (state.kind !== 'connecting' && state.kind !== 'connected') return state;
      const reason = refusals[event.code];
      if (reason !== undefined) return { kind: 'disconnected', reason };
      // A server that restarts says so: its successor, or another replica, is there already.
      if (event.code === closeCodes.restarting && state.kind === 'connected' && state.attempt === 0)
        return { kind: 'connecting', attempt: 1 };
      return {
        kind: 'awaiting-retry',
        attempt: state.attempt + 1,
        delayMs: retryDelayMs(state.attempt, event.random),
      };
    }
    case 'refused':
      return state.kind === 'connecting' ? { kind: 'disconnected', reason: event.reason } : state;
    case 'retry-due':
      return state.kind === 'awaiting-retry'
        ? { kind: 'connecting', attempt: state.attempt }
        : state;
    case 'reconnect-now':
      return state.kind === 'awaiting-retry' || state.kind === 'disconnected'
        ? { kind: 'connecting', attempt: 0 }
        : state;
    case 'dispose':
      return { kind: 'disposed' };
  }
}
