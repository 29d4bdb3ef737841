import type { Sandbox } from './driver.ts';
import type { SandboxIntent } from './ports.ts';

/** What the reconciler does next about one session. */
export type Step =
  | { do: 'nothing' }
  /** It is as it should be. */
  | { do: 'confirm-running' }
  | { do: 'confirm-suspended' }
  | { do: 'confirm-removed' }
  | { do: 'ensure'; why: 'create' | 'wake' | 'replace' }
  /** It ended though it should run: say so, then make it again. */
  | { do: 'recover'; reason: string }
  | { do: 'suspend'; quiesce: boolean }
  | { do: 'remove' };

const isUp = (sandbox: Sandbox): boolean =>
  sandbox.state === 'running' || sandbox.state === 'starting';

/** Pure. Intent and what is there decide; nothing is remembered between steps, so a missed event does no harm. */
export function decide(intent: SandboxIntent | null, sandbox: Sandbox | null): Step {
  if (intent === null) return sandbox === null ? { do: 'nothing' } : { do: 'remove' };
  switch (intent.desired) {
    case 'removed':
      return sandbox === null ? { do: 'confirm-removed' } : { do: 'remove' };
    case 'suspended':
      if (sandbox === null || sandbox.state === 'suspended') return { do: 'confirm-suspended' };
      return { do: 'suspend', quiesce: isUp(sandbox) };
    case 'running':
      if (sandbox === null) return { do: 'ensure', why: 'create' };
      switch (sandbox.state) {
        case 'running':
          // Whoever put it to sleep died over it. That is finished, then it wakes: so all that follows is told in order.
          if (intent.suspending === true) return { do: 'suspend', quiesce: true };
          return sandbox.generation >= intent.generation
            ? { do: 'confirm-running' }
            : { do: 'ensure', why: 'replace' };
        case 'starting':
          return { do: 'ensure', why: 'create' };
        case 'suspended':
          return { do: 'ensure', why: 'wake' };
        case 'failed':
          return { do: 'ensure', why: 'create' };
        case 'gone':
          return { do: 'recover', reason: sandbox.reason ?? 'it ended' };
      }
  }
}

export const retry = { firstMs: 1000, mostMs: 60_000 } as const;
/** Pure. Doubles from one second to a minute. */
export const retryMs = (failures: number): number =>
  Math.min(retry.mostMs, retry.firstMs * 2 ** Math.min(failures, 16));
