import { readFile } from 'node:fs/promises';
import { everything } from '@berth/client';
import type { Agent, CreateAgent, PatchAgent } from '@berth/contract';
import { listOf, numberOf, textOf, UsageError, type Values } from '../args.ts';
import { exitCode, type Context, type Run } from '../context.ts';
import { ago, columns, oneLine, shortId } from '../format.ts';

export const agentOptions = {
  name: { type: 'string' },
  harness: { type: 'string' },
  model: { type: 'string' },
  mode: { type: 'string' },
  instructions: { type: 'string' },
  repository: { type: 'string' },
  allow: { type: 'string', multiple: true },
  env: { type: 'string', multiple: true },
  'idle-suspend': { type: 'string' },
} as const;

/** Pure. `NAME=value` pairs. */
export function environmentOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new UsageError(`--env takes NAME=value, not "${pair}"`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** `url#ref` */
export function repositoryOf(text: string): { url: string; ref?: string } {
  const [url = '', ref] = text.split('#', 2);
  return ref === undefined || ref === '' ? { url } : { url, ref };
}

/** What the options say of an agent; the API checks the values. `@file` is read. */
async function fieldsOf(values: Values): Promise<Omit<Partial<CreateAgent>, 'name' | 'harness'>> {
  const model = textOf(values, 'model');
  const mode = textOf(values, 'mode');
  const instructions = textOf(values, 'instructions');
  const repository = textOf(values, 'repository');
  const allow = listOf(values, 'allow');
  const env = listOf(values, 'env');
  const idleMinutes = numberOf(values, 'idle-suspend');
  if (mode !== undefined && mode !== 'ask' && mode !== 'auto')
    throw new UsageError('--mode is ask or auto');
  return {
    ...(model === undefined ? {} : { model }),
    ...(mode === undefined ? {} : { mode }),
    ...(instructions === undefined
      ? {}
      : {
          instructions: instructions.startsWith('@')
            ? await readFile(instructions.slice(1), 'utf8')
            : instructions,
        }),
    ...(repository === undefined ? {} : { repository: repositoryOf(repository) }),
    ...(allow.length === 0 ? {} : { egress: { allow: [...allow] } }),
    ...(env.length === 0 ? {} : { env: environmentOf(env) }),
    ...(idleMinutes === undefined ? {} : { idleSuspendMs: idleMinutes * 60_000 }),
  };
}

function describe(context: Context, agent: Agent): string {
  const { style } = context;
  const rows: [string, string | undefined][] = [
    ['id', agent.id],
    ['harness', agent.harness],
    ['model', agent.model],
    ['mode', agent.mode],
    ['repository', agent.repository && `${agent.repository.url} ${agent.repository.ref ?? ''}`],
    ['may reach', agent.egress?.allow.join(', ')],
    ['environment', agent.env && Object.keys(agent.env).join(', ')],
    ['instructions', agent.instructions && oneLine(agent.instructions)],
    ['updated', ago(agent.updatedAt, context.now())],
  ];
  const lines = rows.flatMap(([label, value]) =>
    value === undefined || value === '' ? [] : [`${style.dim(label.padEnd(13))}${value}`],
  );
  return [style.bold(agent.name), ...lines].join('\n');
}

export const list: Run = async (context) => {
  const api = await context.client();
  const agents = await Array.fromAsync(everything((query) => api.agents.list(query)));
  context.give(agents, (all) =>
    all.length === 0
      ? 'No agents yet: `berth agents create --name fixer --harness rehearsal`'
      : columns(
          ['ID', 'NAME', 'HARNESS', 'MODEL', 'MODE'],
          all.map((agent) => [
            shortId(agent.id),
            context.style.bold(oneLine(agent.name, 40)),
            agent.harness,
            agent.model ?? '–',
            agent.mode,
          ]),
        ),
  );
  return exitCode.ok;
};

export const create: Run = async (context) => {
  const name = textOf(context.values, 'name');
  const harness = textOf(context.values, 'harness');
  if (name === undefined || harness === undefined)
    throw new UsageError('an agent needs --name and --harness');
  const api = await context.client();
  const agent = await api.agents.create({ name, harness, ...(await fieldsOf(context.values)) });
  context.give(agent, (made) => describe(context, made));
  return exitCode.ok;
};

export const show: Run = async (context) => {
  context.give(await context.findAgent(context.word(0)), (agent) => describe(context, agent));
  return exitCode.ok;
};

export const edit: Run = async (context) => {
  const agent = await context.findAgent(context.word(0));
  const name = textOf(context.values, 'name');
  const harness = textOf(context.values, 'harness');
  const patch: PatchAgent = {
    ...(name === undefined ? {} : { name }),
    ...(harness === undefined ? {} : { harness }),
    ...(await fieldsOf(context.values)),
  };
  if (Object.keys(patch).length === 0) throw new UsageError('nothing to change was given');
  const api = await context.client();
  const changed = await api.agents.patch(agent.id, agent.version, patch);
  context.give(changed, (made) => describe(context, made));
  return exitCode.ok;
};

export const remove: Run = async (context) => {
  const agent = await context.findAgent(context.word(0));
  await (await context.client()).agents.remove(agent.id);
  context.give({ id: agent.id, removed: true }, () => `${agent.name} is removed`);
  return exitCode.ok;
};
