import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Takes one file out of a package of the registry, whose archive must have this integrity. */
export type FetchPackageFile = (request: {
  spec: string;
  integrity: string;
  /** Inside the package. */
  file: string;
  to: string;
  signal: AbortSignal;
}) => Promise<void>;

/** By npm, so that the user's registry, proxy and certificates hold here too. */
export const fetchWithNpm: FetchPackageFile = async ({ spec, integrity, file, to, signal }) => {
  const scratch = mkdtempSync(`${to}-`);
  try {
    await run(
      'npm',
      ['pack', spec, '--pack-destination', scratch, '--ignore-scripts', '--silent'],
      {
        signal,
        cwd: scratch,
      },
    );
    const name = readdirSync(scratch).find((entry) => entry.endsWith('.tgz'));
    if (name === undefined) throw new Error(`npm pack ${spec} made no archive`);
    const archive = path.join(scratch, name);
    const hash = createHash('sha512');
    await pipeline(createReadStream(archive), hash, { signal });
    const found = `sha512-${hash.digest('base64')}`;
    if (found !== integrity)
      throw new Error(`${spec} has integrity ${found}, not the pinned one: it was not used`);
    await run('tar', ['-xzf', archive, '-C', scratch, `package/${file}`], { signal });
    renameSync(path.join(scratch, 'package', file), to);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};
