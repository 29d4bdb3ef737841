import { runnerMethods, streamPurpose } from '@berth/contract/link';
import type { RunnerMethod, RunnerParams, RunnerValue, StreamPurpose } from '@berth/contract/link';
import * as z from 'zod/mini';
import type { Replicas, Seat } from '../replicas/index.ts';
import type { RunnerPort } from '../sessions/index.ts';
import { deadlineMs, limits } from './limits.ts';
import type { Link } from './link.ts';
import { unreachable } from './refusals.ts';

/** What another process asks of the runner whose link is here. */
export interface RemoteCalls {
  readonly 'runner.call': (body: unknown, signal: AbortSignal) => Promise<unknown>;
  readonly 'runner.invite': (body: unknown, signal: AbortSignal) => Promise<unknown>;
}

const callBody = z.object({ sessionId: z.string(), method: z.string(), params: z.unknown() });
const inviteBody = z.object({
  sessionId: z.string(),
  streamId: z.string(),
  at: z.string(),
  purpose: streamPurpose,
});
const isMethod = (name: string): name is RunnerMethod => Object.hasOwn(runnerMethods, name);
const notConnected = () => unreachable('The runner of this session is not connected.');

function invite(
  link: Link,
  sessionId: string,
  streamId: string,
  at: string,
  purpose: StreamPurpose,
): void {
  link.send({ op: 'stream', streamId, sessionId, at, purpose });
}

export function createRemoteCalls(linkOf: (sessionId: string) => Link | undefined): RemoteCalls {
  const here = (sessionId: string): Link => {
    const link = linkOf(sessionId);
    if (link === undefined) throw notConnected();
    return link;
  };
  return {
    async 'runner.call'(body, signal) {
      const { sessionId, method, params } = z.parse(callBody, body);
      if (!isMethod(method)) throw new Error(`no call of a runner: ${method}`);
      const checked = z.parse(runnerMethods[method].params, params);
      return here(sessionId).calls.call(sessionId, method, checked, signal);
    },
    async 'runner.invite'(body) {
      const { sessionId, streamId, at, purpose } = z.parse(inviteBody, body);
      invite(here(sessionId), sessionId, streamId, at, purpose);
    },
  };
}

/** Runners whose link another process holds. */
export function createRemoteRunners(replicas: Pick<Replicas, 'id' | 'peers' | 'seat'>) {
  async function seatOf(sessionId: string): Promise<Seat> {
    const seat = await replicas.seat(sessionId);
    if (seat === null || seat.at.id === replicas.id) throw notConnected();
    return seat;
  }
  const call: RunnerPort['call'] = async <M extends RunnerMethod>(
    sessionId: string,
    method: M,
    params: RunnerParams<M>,
    signal?: AbortSignal,
  ): Promise<RunnerValue<M>> => {
    const { at } = await seatOf(sessionId);
    const body = { sessionId, method, params };
    const deadline = deadlineMs(method) + limits.relayMs;
    const value = await replicas.peers.call(at, 'runner.call', body, {
      deadlineMs: deadline,
      signal,
    });
    return value as RunnerValue<M>; // checked where the link is
  };
  return {
    call,
    /** Which runner may come to a stream that waits here, and how it is asked to. */
    async guest(sessionId: string, link: Link | undefined) {
      if (link !== undefined)
        return {
          runnerId: link.runnerId,
          invite: async (streamId: string, purpose: StreamPurpose) =>
            invite(link, sessionId, streamId, replicas.id, purpose),
        };
      const { runnerId, at } = await seatOf(sessionId);
      return {
        runnerId,
        invite: async (streamId: string, purpose: StreamPurpose, signal: AbortSignal) => {
          const body = { sessionId, streamId, at: replicas.id, purpose };
          await replicas.peers.call(at, 'runner.invite', body, { signal });
        },
      };
    },
  };
}
