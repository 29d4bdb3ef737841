import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fill } from '@berth/contract/harness';
import type { SessionSpec } from '@berth/contract/link';
import { loopbackPort } from '../../agentd/protocol.ts';
import type { Place } from '../git/base.ts';

export type Values = Readonly<Record<string, string>>;

/** Random values that the record asks for by `${secret:<name>}`; they hold as long as the session is here. */
export async function secretsFor(record: SessionSpec['harness'], path: string): Promise<Values> {
  const wanted = [...JSON.stringify(record).matchAll(/\$\{(secret:[^}]+)\}/g)].flatMap(
    ([, name]) => name ?? [],
  );
  if (wanted.length === 0) return {};
  let kept: Record<string, string> = {};
  try {
    kept = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
  } catch (error) {
    if (!(error instanceof SyntaxError) && (error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw error;
  }
  for (const name of wanted) kept[name] ??= randomBytes(24).toString('base64url');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, JSON.stringify(kept), { mode: 0o600 });
  return kept;
}

export function valuesOf(
  spec: Pick<SessionSpec, 'harness' | 'model' | 'mode' | 'agentsDir' | 'instructions'>,
  place: Place,
  secrets: Values,
  agentSessionId: string,
): Values {
  return {
    ...secrets,
    model: spec.model ?? '',
    modelUrl: `http://127.0.0.1:${String(loopbackPort.model)}`,
    workspace: place.workspace,
    home: place.home,
    agents: spec.agentsDir,
    node: place.node,
    mode: spec.mode,
    acpMode: spec.harness.modes[spec.mode]?.acpMode ?? spec.mode,
    instructions: spec.instructions ?? '',
    agentSessionId,
  };
}

const filled = (record: Readonly<Record<string, string>>, values: Values): Record<string, string> =>
  Object.fromEntries(Object.entries(record).map(([name, text]) => [name, fill(text, values)]));

/** argv and environment of the agent or of its TUI. What the agent's owner set comes last. */
export function launch(
  spec: Pick<SessionSpec, 'harness' | 'env'>,
  what: 'acp' | 'terminal',
  values: Values,
): { argv: string[]; env: Record<string, string> } {
  const { harness } = spec;
  const { argv, env } = harness[what];
  return {
    argv: (argv ?? []).map((word) => fill(word, values)),
    env: { ...filled(harness.env, values), ...filled(env ?? {}, values), ...spec.env },
  };
}

/** The record's files, each only where it is absent unless it says `overwrite`. */
export const filesOf = (
  files: SessionSpec['harness']['files'],
  values: Values,
): { path: string; content: string; overwrite: boolean }[] =>
  files.map(({ path, content, overwrite }) => ({
    path: fill(path, values),
    content: fill(content, values),
    overwrite: overwrite === true,
  }));
