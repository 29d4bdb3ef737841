import type { Agent, Harness, Session } from '@berth/contract';
import { harnessTitle } from './tree.ts';

export type CodeChoice = 'repository' | 'folder' | 'empty';

export interface AgentChoice {
  readonly agent: Agent;
  readonly icon: string;
  readonly description: string;
  readonly detail: string;
  readonly usedLast: boolean;
}

const shortRepository = (url: string) =>
  url.replace(/^https:\/\/[^/]+\//, '').replace(/\.git$/, '');
export const repositoryName = (agent: Agent): string | null =>
  agent.repository ? shortRepository(agent.repository.url) : null;

/** The agents to choose from: the default or the one used last first, then those used before, then the rest by name. */
export function agentChoices(options: {
  agents: readonly Agent[];
  harnesses: readonly Harness[];
  sessions: Iterable<Session>;
  defaultAgent: string;
}): AgentChoice[] {
  const used = new Map<string, string>();
  for (const { agentId, createdAt } of options.sessions) {
    const before = used.get(agentId);
    if (before === undefined || createdAt > before) used.set(agentId, createdAt);
  }
  const isDefault = ({ id, name }: Agent) =>
    options.defaultAgent !== '' && (options.defaultAgent === id || options.defaultAgent === name);
  const sorted = [...options.agents].sort(
    (a, b) =>
      Number(isDefault(b)) - Number(isDefault(a)) ||
      (used.get(b.id) ?? '').localeCompare(used.get(a.id) ?? '') ||
      a.name.localeCompare(b.name),
  );
  return sorted.map((agent) => {
    const harness = options.harnesses.find(({ id }) => id === agent.harness);
    const title = harnessTitle(options.harnesses, agent);
    const notes = [
      title === agent.name ? '' : title,
      harness?.needsModel === false ? 'no model, free' : '',
      harness?.installed === false ? 'is fetched at first use' : '',
    ];
    return {
      agent,
      icon: agent.harness === 'rehearsal' ? 'beaker' : 'robot',
      description: notes.filter((note) => note !== '').join(', '),
      detail: [
        agent.harness === 'rehearsal' ? 'A scripted agent that shows how everything works' : '',
        agent.harness === 'rehearsal' ? '' : (repositoryName(agent) ?? 'Any code'),
        agent.mode === 'ask' ? 'ask first' : 'auto',
        agent.model ?? '',
      ]
        .filter((part) => part !== '')
        .join(', '),
      usedLast: used.has(agent.id),
    };
  });
}

/** Which code it may work on, the likeliest first: three times Enter must do what most people want. */
export function codeChoices(agent: Agent, hasFolder: boolean): CodeChoice[] {
  if (agent.repository) return hasFolder ? ['repository', 'folder'] : ['repository'];
  if (!hasFolder) return ['empty'];
  // The rehearsal agent plays a script; it has no use for somebody's code.
  return agent.harness === 'rehearsal' ? ['empty', 'folder'] : ['folder', 'empty'];
}
