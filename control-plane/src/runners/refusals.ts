import type { ProblemCode } from '@berth/contract';
import { Problem, problems } from '@berth/contract';

/** What agentd and the runner call things, in the words of the API. A request that cannot be fulfilled is the caller's matter, never a 5xx. */
const translated: ReadonlyMap<string, ProblemCode> = new Map<string, ProblemCode>(
  Object.entries({
    'not-a-file': 'invalid-request',
    'not-a-directory': 'invalid-request',
    'bad-archive': 'invalid-request',
    'unknown-mode': 'invalid-request',
    'unknown-id': 'not-found',
    'no-base': 'sandbox-not-ready',
    'no-terminal': 'agent-has-no-terminal',
    'too-many-terminals': 'too-many-requests',
    'agent-busy': 'sandbox-not-ready',
    'sandbox-away': 'sandbox-not-ready',
    'agentd-gone': 'sandbox-not-ready',
    'git-failed': 'sandbox-not-ready',
    'not-bound': 'sandbox-not-ready',
    'workspace-failed': 'sandbox-not-ready',
    'spawn-failed': 'sandbox-not-ready',
    'stream-broken': 'runner-unreachable',
  } as const),
);

export function runnerRefusal(code: string, detail: string): Problem {
  const known = Object.hasOwn(problems, code) ? (code as ProblemCode) : translated.get(code);
  if (known !== undefined) return new Problem(known, detail);
  return new Problem('internal-error', 'The runner could not do this.', {
    cause: new Error(`${code}: ${detail}`),
  });
}
export const unreachable = (detail: string): Problem => new Problem('runner-unreachable', detail);
