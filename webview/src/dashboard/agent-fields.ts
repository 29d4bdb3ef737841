import type { NewAgent } from '@berth/client';
import { createAgent, egressHost, type Agent, type Harness } from '@berth/contract';
import * as z from 'zod/mini';

/** The agent form as the person sees it: every field a text. */
export interface AgentFields {
  name: string;
  harness: string;
  model: string;
  instructions: string;
  mode: 'ask' | 'auto';
  repositoryUrl: string;
  repositoryRef: string;
  hosts: string[];
  idleMinutes: string;
}
export type FieldName = Exclude<keyof AgentFields, 'hosts' | 'mode'> | `host-${number}`;
export type Faults = ReadonlyMap<FieldName, string>;

export const fieldsOf = (agent: Agent | null, harnesses: readonly Harness[]): AgentFields => ({
  name: agent?.name ?? '',
  harness: agent?.harness ?? harnesses[0]?.id ?? '',
  model: agent?.model ?? '',
  instructions: agent?.instructions ?? '',
  mode: agent?.mode ?? 'ask',
  repositoryUrl: agent?.repository?.url ?? '',
  repositoryRef: agent?.repository?.ref ?? '',
  hosts: agent?.egress?.allow ?? [],
  idleMinutes: agent?.idleSuspendMs === undefined ? '' : String(agent.idleSuspendMs / 60_000),
});

export const fieldTitles: Record<Exclude<FieldName, `host-${number}`>, string> = {
  name: 'Name',
  harness: 'Harness',
  model: 'Model',
  instructions: 'Instructions',
  repositoryUrl: 'Repository',
  repositoryRef: 'Branch',
  idleMinutes: 'Suspend when idle',
};
export const titleOf = (name: FieldName): string =>
  name.startsWith('host-')
    ? 'Egress'
    : (Object.entries(fieldTitles).find(([key]) => key === name)?.[1] ?? name);

export const opensEverything = (host: string): boolean => host.trim() === '*';

/** What is wrong, in words that say how to put it right. */
export function faultsOf(fields: AgentFields, harnesses: readonly Harness[]): Faults {
  const faults = new Map<FieldName, string>();
  const harness = harnesses.find(({ id }) => id === fields.harness);
  if (fields.name.trim() === '') faults.set('name', 'Give the agent a name.');
  else if (fields.name.trim().length > 80) faults.set('name', 'At most 80 characters.');
  if (!harness) faults.set('harness', 'Choose a harness.');
  const model = fields.model.trim();
  if (harness?.needsModel && model === '') faults.set('model', `${harness.title} needs a model.`);
  else if (harness?.models && model !== '' && !harness.models.includes(model))
    faults.set('model', `${harness.title} cannot use this model.`);
  const url = fields.repositoryUrl.trim();
  if (url !== '' && !/^https:\/\/[^\s@/]+\/[^\s]+$/.test(url))
    faults.set('repositoryUrl', 'An address that begins with “https://”, without a user in it.');
  if (url === '' && fields.repositoryRef.trim() !== '')
    faults.set('repositoryUrl', 'A branch needs a repository.');
  fields.hosts.forEach((host, index) => {
    const value = host.trim().toLowerCase();
    if (value === '' || opensEverything(value)) return;
    if (!z.safeParse(egressHost, value).success) faults.set(`host-${index}`, hostFault(value));
  });
  return faults;
}
function hostFault(value: string): string {
  const name = value.replace(/^[a-z]+:\/\//, '').replace(/[/:?#].*$/, '');
  const proposal = z.safeParse(egressHost, name).success ? `: ${name}` : '.';
  return `Only the host name, without “https://” and “/”${proposal}`;
}

/** The contract's shape; null while something is wrong. */
export function agentOf(fields: AgentFields): NewAgent | null {
  const hosts = fields.hosts.map((host) => host.trim().toLowerCase()).filter((host) => host !== '');
  const url = fields.repositoryUrl.trim();
  const ref = fields.repositoryRef.trim();
  const minutes = Number(fields.idleMinutes);
  const read = z.safeParse(createAgent, {
    name: fields.name.trim(),
    harness: fields.harness,
    mode: fields.mode,
    ...(fields.model.trim() === '' ? {} : { model: fields.model.trim() }),
    ...(fields.instructions.trim() === '' ? {} : { instructions: fields.instructions }),
    ...(url === '' ? {} : { repository: { url, ...(ref === '' ? {} : { ref }) } }),
    ...(hosts.length === 0 ? {} : { egress: { allow: hosts } }),
    ...(minutes > 0 ? { idleSuspendMs: Math.round(minutes * 60_000) } : {}),
  });
  return read.success ? read.data : null;
}
