import { networkInterfaces } from 'node:os';
import { Problem } from '@berth/contract';
import * as z from 'zod/mini';
import type { InternalCalls, Replicas } from './replicas/index.ts';
import type { Runners } from './runners/index.ts';
import type { Colleague, SessionsFeature } from './sessions/index.ts';

const report = z.object({ sessionId: z.string(), name: z.string(), body: z.unknown() });
const logsOf = z.object({ sessionId: z.string(), tail: z.int() });
type SandboxLogs = (sessionId: string, tail: number) => Promise<string[]>;

/** What this process does for its like. */
export function replicaCalls(parts: {
  runners: Runners;
  sessions: SessionsFeature;
  /** Only where the sandboxes are. */
  sandboxLogs: SandboxLogs | undefined;
}): InternalCalls {
  const { runners, sessions, sandboxLogs } = parts;
  return {
    ...runners.remoteCalls,
    'sandbox.report': async (body) => {
      const { sessionId, name, body: told } = z.parse(report, body);
      await sessions.remoteReport(sessionId, name, told);
    },
    'sandbox.logs': async (body) => {
      const { sessionId, tail } = z.parse(logsOf, body);
      return sandboxLogs?.(sessionId, tail) ?? [];
    },
  };
}

/** A report that cannot be told now is told again by the reconciler: nothing is wrong with the sandbox. */
export const colleague = (replicas: Replicas): Colleague => ({
  async report(sessionId, name, body) {
    const seat = await replicas.seat(sessionId);
    const later = (cause?: unknown) =>
      new Problem('not-ready', 'The process that holds the link cannot be told now.', { cause });
    if (seat === null || seat.at.id === replicas.id) throw later();
    try {
      await replicas.peers.call(seat.at, 'sandbox.report', { sessionId, name, body });
    } catch (error) {
      throw error instanceof Problem && error.code !== 'internal-error' ? later(error) : error;
    }
  },
});

/** What the sandbox's main process wrote, from the process that has it. */
export const remoteSandboxLogs =
  (replicas: Replicas): SandboxLogs =>
  async (sessionId, tail) => {
    const worker = await replicas.withRole('worker');
    if (worker === null)
      throw new Problem('not-ready', 'No process that has the sandboxes runs now.');
    const lines = await replicas.peers.call(worker, 'sandbox.logs', { sessionId, tail });
    return z.parse(z.array(z.string()), lines);
  };

/** The address that others use, when the operator named none. */
export function reachableUrl(listening: string, host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return listening;
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const outside = all.find(({ internal, family }) => !internal && family === 'IPv4');
  const url = new URL(listening);
  if (outside !== undefined) url.hostname = outside.address;
  return url.origin;
}

/** Where runners dial: what the operator says, else every process that takes links, ours first. */
export function linkUrls(parts: {
  configured: readonly string[];
  own: string | undefined;
  replicas: Pick<Replicas, 'others'>;
}): string[] {
  if (parts.configured.length > 0) return [...parts.configured];
  const others = parts.replicas
    .others()
    .filter(({ roles }) => roles.includes('web'))
    .map(({ url }) => url);
  return [...(parts.own === undefined ? [] : [parts.own]), ...others];
}
