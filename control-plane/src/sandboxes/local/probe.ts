import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { uidRange } from './uids.ts';

const run = promisify(execFile);

/** Makes the smallest sandbox, as the uid that real ones have. Null: it can; else what was said. */
export async function probeBwrap(
  bwrap: string,
  root: boolean,
  signal: AbortSignal,
): Promise<string | null> {
  const args = ['--unshare-all', '--unshare-user', '--ro-bind', '/', '/', '--', '/bin/true'];
  const uid = String(uidRange.last);
  const [file, all] = root
    ? [
        '/usr/bin/setpriv',
        [
          `--reuid=${uid}`,
          `--regid=${uid}`,
          '--clear-groups',
          '--bounding-set=-all',
          bwrap,
          ...args,
        ],
      ]
    : [bwrap, args];
  try {
    await run(file, all, { env: {}, timeout: 5000, signal });
    return null;
  } catch (error) {
    if (signal.aborted) throw error;
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    return said.trim() === '' ? String(error) : said;
  }
}
