import type { Sandbox, SandboxDriver, SandboxSpec } from '../driver.ts';

/** A driver in memory, for tests of what stands above it. Passes the same conformance suite as the real ones. */
export interface FakeDriver extends SandboxDriver {
  /** It dies by itself. */
  kill(sessionId: string, reason: string, logs?: readonly string[]): void;
  /** The next starts fail, with these reasons. */
  failNext(...reasons: string[]): void;
  readonly calls: string[];
}

export function createFakeDriver(): FakeDriver {
  const sandboxes = new Map<string, Sandbox>();
  const watchers = new Set<(sandbox: Sandbox) => void>();
  const failures: string[] = [];
  const calls: string[] = [];
  const keep = (sandbox: Sandbox): Sandbox => {
    sandboxes.set(sandbox.sessionId, sandbox);
    return sandbox;
  };
  const bare = (sessionId: string, generation: number) => ({
    sessionId,
    generation,
    notes: ['a fake: nothing is enforced'],
    isolated: true,
  });
  return {
    name: 'fake',
    calls,
    probe: async () => ({ isolated: true }),
    async ensure(spec: SandboxSpec, signal) {
      signal.throwIfAborted();
      const known = sandboxes.get(spec.sessionId);
      if (known?.state === 'running' && known.generation >= spec.generation) return known;
      calls.push(`ensure ${spec.sessionId}`);
      const reason = failures.shift();
      if (reason !== undefined)
        return keep({
          ...bare(spec.sessionId, spec.generation),
          state: 'failed',
          reason,
          logs: [reason],
        });
      return keep({
        ...bare(spec.sessionId, spec.generation),
        state: 'running',
        door: { socketDir: `/nowhere/${spec.sessionId}`, hostUid: 1, hostGid: 1 },
      });
    },
    async suspend(sessionId) {
      const known = sandboxes.get(sessionId);
      if (!known) throw new Error(`there is no sandbox of session ${sessionId}`);
      if (known.state !== 'suspended') calls.push(`suspend ${sessionId}`);
      return keep({ ...bare(sessionId, known.generation), state: 'suspended' });
    },
    async remove(sessionId) {
      if (sandboxes.delete(sessionId)) calls.push(`remove ${sessionId}`);
    },
    get: async (sessionId) => sandboxes.get(sessionId) ?? null,
    list: async () => [...sandboxes.values()],
    logs: async (sessionId, tail) => [...(sandboxes.get(sessionId)?.logs ?? [])].slice(-tail),
    async *watch(signal) {
      const queue: Sandbox[] = [];
      let wake = Promise.withResolvers<undefined>();
      const take = (sandbox: Sandbox): void => {
        queue.push(sandbox);
        wake.resolve(undefined);
      };
      const stop = (): void => wake.resolve(undefined);
      watchers.add(take);
      signal.addEventListener('abort', stop, { once: true });
      try {
        while (!signal.aborted) {
          const next = queue.shift();
          if (next) yield next;
          else {
            await wake.promise;
            wake = Promise.withResolvers<undefined>();
          }
        }
      } finally {
        watchers.delete(take);
      }
    },
    kill(sessionId, reason, logs = []) {
      const known = sandboxes.get(sessionId);
      if (known?.state !== 'running') return;
      const dead = keep({ ...bare(sessionId, known.generation), state: 'gone', reason, logs });
      for (const watcher of watchers) watcher(dead);
    },
    failNext: (...reasons) => {
      failures.push(...reasons);
    },
  };
}
