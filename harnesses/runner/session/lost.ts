import type { ReopenQuirks } from '@berth/contract/harness';
import type { PromptOutcome } from '../acp/agent.ts';

/** What ACP agents say of a conversation that they do not have. */
const notFound = -32002;

/** The codes by which a `session/load` says that there is no such conversation. */
export const lostCodes = (quirks: ReopenQuirks = {}): readonly number[] =>
  quirks.lostCodes ?? [notFound];

/**
 * Pure. A refused prompt that says that the agent no longer has the conversation which it had opened: what held it has died inside of a process that lives on.
 * Every further prompt would be refused like it. `lostCodes` is not asked: in answer to a prompt those codes mean all sorts of failures.
 */
export function hasLost(outcome: PromptOutcome, quirks: ReopenQuirks = {}): boolean {
  if (outcome.kind !== 'refused') return false;
  const { code, detail } = outcome;
  return code === notFound || (quirks.lostWords ?? []).some((words) => detail.includes(words));
}
