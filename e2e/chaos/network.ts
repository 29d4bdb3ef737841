import { watch } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openWire, type Wire } from './wire.ts';

/** Everything that people and runners say to the control plane goes through here. */
export interface Network extends AsyncDisposable {
  /** Between the runner and the control plane. */
  readonly link: Wire;
  /** Between people, with all that they look at, and the control plane. */
  readonly people: Wire;
  /** What a person dials. */
  readonly url: string;
}

/**
 * The runner is made to dial our wire: it reads its address from a file before every attempt. The control plane writes that file at each start, so it is
 * written anew after it; a link that was made in between goes past us until the next cut.
 */
export async function openNetwork(options: {
  stateDir: string;
  upstreamPort: () => number;
}): Promise<Network> {
  const { stateDir, upstreamPort } = options;
  const upstream = (): { port: number } => ({ port: upstreamPort() });
  const link = await openWire(upstream);
  const people = await openWire(upstream);
  const own = `http://127.0.0.1:${String(link.port)}`;
  const file = join(stateDir, 'link.json');

  let real = '';
  async function redirect(to = own): Promise<void> {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text === '') return;
    // Other processes' addresses go: they would lead past the wire.
    const { urls: _urls, ...content } = JSON.parse(text) as { url: string; urls?: string[] };
    if (content.url !== own) real = content.url;
    if (content.url === to) return;
    await writeFile(`${file}.chaos`, `${JSON.stringify({ ...content, url: to })}\n`, {
      mode: 0o600,
    });
    await rename(`${file}.chaos`, file);
  }
  let working = redirect();
  const watcher = watch(stateDir, (_event, name) => {
    if (name === 'link.json') working = working.then(() => redirect());
  });

  return {
    link,
    people,
    url: `http://127.0.0.1:${String(people.port)}`,
    async [Symbol.asyncDispose]() {
      watcher.close();
      await working;
      await redirect(real);
      await link[Symbol.asyncDispose]();
      await people[Symbol.asyncDispose]();
    },
  };
}
