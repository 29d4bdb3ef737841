import type { ProblemCode } from './problems.ts';
import { agentRoutes } from './routes/agents.ts';
import { identityRoutes } from './routes/identity.ts';
import type { Route } from './routes/route.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { workspaceRoutes } from './routes/workspace.ts';

export * from './routes/route.ts';
export { archiveTypes } from './routes/workspace.ts';

/** Every route of the API, by operation id. What is not here does not exist; what is here is mounted (a test holds both). */
export const routes = {
  ...identityRoutes,
  ...agentRoutes,
  ...sessionRoutes,
  ...workspaceRoutes,
} as const satisfies Record<string, Route>;
export type OperationId = keyof typeof routes;

export const paramNames = (path: string): string[] =>
  [...path.matchAll(/\{([A-Za-z]+)\}/g)].map((match) => match[1] ?? '');

/** All codes that a route may answer with: its own, and those that follow from its shape. */
export function problemsOf(route: Route): ProblemCode[] {
  const codes = new Set<ProblemCode>(['invalid-request', 'host-refused', 'internal-error']);
  if (route.action !== null) {
    codes.add('not-signed-in').add('forbidden').add('too-many-requests').add('not-ready');
    codes.add('disk-full');
    if (route.method !== 'get') codes.add('origin-refused');
  }
  if (route.path.includes('{')) codes.add('not-found');
  if (route.body !== undefined || route.stream !== undefined) {
    codes.add('body-too-large').add('unsupported-media-type');
    if (route.body !== undefined) codes.add('malformed-json');
  }
  for (const header of route.headers ?? []) {
    if (header === 'Idempotency-Key')
      codes.add('idempotency-key-reused').add('request-in-progress');
    if (header === 'If-Match') codes.add('precondition-required').add('version-stale');
  }
  for (const code of route.problems ?? []) codes.add(code);
  return [...codes];
}
