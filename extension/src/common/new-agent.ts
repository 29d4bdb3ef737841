import type { Agent, Harness } from '@berth/contract';

export interface HarnessChoice {
  readonly harness: Harness;
  readonly icon: string;
  readonly description: string;
}

/** The real ones first: who makes an agent has seen the rehearsal already. */
export function harnessChoices(harnesses: readonly Harness[]): HarnessChoice[] {
  return [...harnesses]
    .sort((a, b) => Number(b.needsModel) - Number(a.needsModel) || a.title.localeCompare(b.title))
    .map((harness) => ({
      harness,
      icon: harness.needsModel ? 'robot' : 'beaker',
      description: [
        harness.version,
        harness.needsModel ? '' : 'no model, free',
        harness.installed ? '' : 'is fetched at first use',
      ]
        .filter((part) => part !== '')
        .join(', '),
    }));
}

/** What another agent of this kind was given: a team has few models. */
export function lastModel(agents: readonly Agent[], harness: string): string {
  return (
    agents.find((agent) => agent.harness === harness && agent.model !== undefined)?.model ?? ''
  );
}

/** `codex`, then `codex-2`: a name that no agent has yet. */
export function freeName(agents: readonly Agent[], wanted: string): string {
  const taken = new Set(agents.map(({ name }) => name));
  if (!taken.has(wanted)) return wanted;
  for (let n = 2; ; n += 1) if (!taken.has(`${wanted}-${n}`)) return `${wanted}-${n}`;
}
