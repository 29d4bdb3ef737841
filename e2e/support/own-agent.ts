import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dist, type Berth } from './berth.ts';

/** How a script that stands in an agent's place starts a file beside it, in the sandbox. */
export const runsBeside = (file: string): string =>
  `#!/bin/sh\nexec /opt/node/bin/node /opt/agents/opencode/bin/${file}\n`;

export interface OwnAgent {
  /** A file beside the program. */
  beside(name: string, content: string | Uint8Array): Promise<void>;
  /** What is started as opencode from now on. */
  install(content: string | Uint8Array, mode?: number): Promise<void>;
}

/** Where Berth expects the harness opencode to be installed, so that it fetches nothing: what lies there is ours. */
export async function ownAgent(berth: Pick<Berth, 'dataDir'>): Promise<OwnAgent> {
  const harness = join(dist('..'), 'harnesses', 'opencode');
  const { version } = JSON.parse(await readFile(join(harness, 'harness.json'), 'utf8')) as {
    version: string;
  };
  const lock = await readFile(join(harness, 'package-lock.json'));
  const name = `${version}-${createHash('sha256').update(lock).digest('hex').slice(0, 10)}`;
  const folder = join(berth.dataDir, 'harnesses', 'opencode', name, 'bin');
  await mkdir(folder, { recursive: true });
  const program = join(folder, 'opencode');
  return {
    beside: (file, content) => writeFile(join(folder, file), content),
    install: async (content, mode = 0o755) => {
      await writeFile(program, content);
      await chmod(program, mode);
    },
  };
}
