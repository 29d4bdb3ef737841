import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { main } from './cli/main.ts';

// Built into dist/cli: Berth's own folder is two above.
const root = join(import.meta.dirname, '..', '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
};
// A reader that has seen enough (`berth log … | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const code = await main(process.argv.slice(2), {
  root,
  version,
  io: {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    // eslint-disable-next-line no-restricted-syntax -- the program's edge: it reads the time here and nowhere else
    now: () => Date.now(),
  },
});
// Sockets that are closing must not hold the prompt back; output has to be out first.
process.stdout.write('', () => process.exit(code));
