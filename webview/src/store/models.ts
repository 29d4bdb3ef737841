import type { Agent, Harness, Session } from '@berth/contract';

/**
 * The models that a session may be set to: its own and its agent's, what its harness suggests, and what agents of the same harness use. Pure; both
 * hosts take it from here.
 */
export function modelsOf(
  session: Pick<Session, 'agentId' | 'model'>,
  agents: readonly Agent[],
  harnesses: readonly Harness[],
): string[] {
  const agent = agents.find(({ id }) => id === session.agentId);
  const known = [
    agent?.model,
    session.model,
    ...(harnesses.find(({ id }) => id === agent?.harness)?.models ?? []),
    ...agents.filter(({ harness }) => harness === agent?.harness).map(({ model }) => model),
  ];
  return [...new Set(known.filter((model) => model !== undefined))];
}
