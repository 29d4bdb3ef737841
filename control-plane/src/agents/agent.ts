import type { Agent, CreateAgent, Harness, PatchAgent } from '@berth/contract';
import { Problem } from '@berth/contract';
import { timestamp } from '../clock.ts';
import type { AgentRow, AgentValues } from './agents.store.ts';

export function agentOf(row: AgentRow): Agent {
  return {
    id: row.id,
    name: row.name,
    harness: row.harness,
    ...(row.model === null ? {} : { model: row.model }),
    ...(row.instructions === null ? {} : { instructions: row.instructions }),
    mode: row.mode,
    ...(row.repository === null ? {} : { repository: row.repository }),
    ...(row.egress === null ? {} : { egress: row.egress }),
    ...(row.env === null ? {} : { env: row.env }),
    ...(row.idle_suspend_ms === null ? {} : { idleSuspendMs: Number(row.idle_suspend_ms) }),
    version: row.version,
    createdAt: timestamp(row.created_at.getTime()),
    updatedAt: timestamp(row.updated_at.getTime()),
  };
}

export const valuesOf = (input: CreateAgent): AgentValues => ({
  name: input.name,
  harness: input.harness,
  model: input.model ?? null,
  instructions: input.instructions ?? null,
  mode: input.mode,
  repository: input.repository ?? null,
  egress: input.egress ?? null,
  env: input.env ?? null,
  idleSuspendMs: input.idleSuspendMs ?? null,
});

const changed = <T>(patch: T | undefined, before: T): T => (patch === undefined ? before : patch);

/** Absent leaves a field as it is, null clears it. */
export const patched = (row: AgentRow, patch: PatchAgent): AgentValues => ({
  name: changed(patch.name, row.name),
  harness: changed(patch.harness, row.harness),
  model: changed(patch.model, row.model),
  instructions: changed(patch.instructions, row.instructions),
  mode: changed(patch.mode, row.mode),
  repository: changed<AgentValues['repository']>(patch.repository, row.repository),
  egress: changed<AgentValues['egress']>(patch.egress, row.egress),
  env: changed<AgentValues['env']>(patch.env, row.env),
  idleSuspendMs: changed(
    patch.idleSuspendMs,
    row.idle_suspend_ms === null ? null : Number(row.idle_suspend_ms),
  ),
});

/** Throws when no session of such an agent could ever start. */
export function checkRunnable(
  agent: Pick<AgentValues, 'harness' | 'model'>,
  harnesses: readonly Harness[],
): void {
  const harness = harnesses.find((each) => each.id === agent.harness);
  if (harness === undefined) {
    const known = harnesses.map((each) => each.id).join(', ');
    throw new Problem(
      'harness-unknown',
      `There is no harness "${agent.harness}"; known: ${known}.`,
      {
        errors: [{ pointer: '/harness', detail: 'no such harness' }],
      },
    );
  }
  if (harness.needsModel && agent.model === null) {
    throw new Problem('model-required', `${harness.title} needs a model.`, {
      errors: [{ pointer: '/model', detail: 'must be given for this harness' }],
    });
  }
}
