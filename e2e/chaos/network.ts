import { watch } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openWire, type Wire } from './wire.ts';

/** Everything that people and runners say to the control plane goes through here. */
export interface Network extends AsyncDisposable {
  /** Between the runner and each process of the control plane. */
  readonly links: readonly Wire[];
  /** Between people, with all that they look at, and the control plane: each connection leads to another process of it that lives. */
  readonly people: Wire;
  /** What a person dials. */
  readonly url: string;
}
export interface Behind {
  readonly url: string;
  /** A balancer leads nobody to one of which it knows that it is away. */
  readonly away: boolean;
}

const portOf = (url: string): number => Number(new URL(url).port);

/**
 * The runner is made to dial our wires: it reads its addresses from a file before every attempt. The control plane writes that file at each start and when
 * its processes come and go, so it is written anew after it; a link that was made in between goes past us until the next cut.
 */
export async function openNetwork(options: {
  stateDir: string;
  /** Each keeps its port for ever. */
  behind: readonly Behind[];
}): Promise<Network> {
  const { stateDir, behind } = options;
  const links: Wire[] = [];
  for (const one of behind) links.push(await openWire(() => ({ port: portOf(one.url) })));
  let turn = 0;
  const people = await openWire(() => {
    const there = behind.filter(({ away }) => !away);
    const among = there.length > 0 ? there : behind;
    return { port: portOf(among[turn++ % among.length]?.url ?? '') };
  });
  const file = join(stateDir, 'link.json');

  /** Real address ↔ the wire to it. */
  const wireTo = (url: string): string => {
    const at = behind.findIndex((one) => portOf(one.url) === portOf(url));
    const wire = links[at];
    return wire === undefined ? url : `http://127.0.0.1:${String(wire.port)}`;
  };
  const realOf = (url: string): string => {
    const at = links.findIndex(({ port }) => port === portOf(url));
    return behind[at]?.url ?? url;
  };
  async function redirect(address: (url: string) => string): Promise<void> {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text === '') return;
    const content = JSON.parse(text) as { url: string; urls?: string[] };
    const { url, urls } = content;
    const changed = { ...content, url: address(url), ...(urls && { urls: urls.map(address) }) };
    if (JSON.stringify(changed) === JSON.stringify(content)) return;
    await writeFile(`${file}.chaos`, `${JSON.stringify(changed)}\n`, { mode: 0o600 });
    await rename(`${file}.chaos`, file);
  }
  let working = redirect(wireTo);
  const watcher = watch(stateDir, (_event, name) => {
    if (name === 'link.json') working = working.then(() => redirect(wireTo));
  });

  return {
    links,
    people,
    url: `http://127.0.0.1:${String(people.port)}`,
    async [Symbol.asyncDispose]() {
      watcher.close();
      await working;
      await redirect(realOf);
      for (const wire of [...links, people]) await wire[Symbol.asyncDispose]();
    },
  };
}
