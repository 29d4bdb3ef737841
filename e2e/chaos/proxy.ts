import { once } from 'node:events';
import { watch } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';

export type Cut = 'cut' | 'mid-frame' | 'stall';

/** The network between the runner and the control plane. */
export interface Network extends AsyncDisposable {
  /** False: nothing of the runner's goes through here at the moment. */
  strike(how: Cut, ms: number): Promise<boolean>;
}

/**
 * A proxy that the runner is made to dial: it reads its address from a file before every attempt. The control plane writes that file at each start, so it
 * is written anew after it; a link that was made in between goes past us until the next cut.
 */
export async function openNetwork(options: {
  stateDir: string;
  upstreamPort: () => number;
}): Promise<Network> {
  const { stateDir, upstreamPort } = options;
  const file = join(stateDir, 'link.json');
  const pairs = new Set<{ near: Socket; far: Socket }>();
  let halfNext = false;

  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: upstreamPort(), host: '127.0.0.1', noDelay: true });
    const pair = { near, far };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', end);
      from.on('close', end);
      from.on('data', (chunk: Buffer) => {
        if (halfNext && chunk.length > 1) {
          // The first half of what was to come, then nothing: a frame that ends in its middle.
          halfNext = false;
          to.end(chunk.subarray(0, Math.floor(chunk.length / 2)), end);
          return;
        }
        if (!to.write(chunk)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;

  let real = '';
  async function redirect(to = own): Promise<void> {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (text === '') return;
    const content = JSON.parse(text) as { url: string };
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
    async strike(how, ms) {
      await working;
      if (pairs.size === 0) return false;
      const struck = [...pairs];
      switch (how) {
        case 'cut':
          for (const { near } of struck) near.destroy();
          return true;
        case 'mid-frame':
          halfNext = true;
          return true;
        case 'stall':
          for (const { near, far } of struck) {
            near.pause();
            far.pause();
          }
          await new Promise((resolve) => setTimeout(resolve, ms));
          for (const { near, far } of struck) {
            near.resume();
            far.resume();
          }
          return true;
      }
    },
    async [Symbol.asyncDispose]() {
      watcher.close();
      await working;
      await redirect(real);
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
}
