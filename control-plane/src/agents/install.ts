import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, globSync, readFileSync, realpathSync } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { HarnessRecord } from '@berth/contract/harness';
import { keepRecord } from './harness-records.ts';

/**
 * Installs a harness from the npm registry: `npm ci` with the record's own lock file (exact versions, integrity) and without any
 * install script, in a folder beside the final one, which appears by one rename. So an installation is whole or not there.
 */
export class InstallFailed extends Error {
  override readonly name = 'InstallFailed';
}

export type Progress = (done: number, total: number, unit: string, detail: string) => Promise<void>;

export interface InstallOptions {
  record: HarnessRecord;
  install: NonNullable<HarnessRecord['install']>;
  /** Holds package.json and the lock file. */
  recordDir: string;
  /** `<dataDir>/harnesses/<id>`. */
  into: string;
  nodeDir: string;
  env: Readonly<Record<string, string | undefined>>;
  progress: Progress;
  signal: AbortSignal;
  progressEveryMs?: number;
}

/** The folder's name holds what decides its content: the version for people; the lock file and the record's own files for the truth. */
export function installName(
  record: HarnessRecord,
  install: NonNullable<HarnessRecord['install']>,
  recordDir: string,
): string {
  const hash = createHash('sha256').update(readFileSync(join(recordDir, install.lockFile)));
  for (const name of install.files ?? [])
    hash.update(`\0${name}\0`).update(readFileSync(join(recordDir, name)));
  return `${record.version}-${hash.digest('hex').slice(0, 10)}`;
}

const unfinished = '.unfinished-';
/** What a killed installation left behind. */
export async function sweepUnfinished(into: string): Promise<void> {
  const names = existsSync(into) ? await readdir(into) : [];
  for (const name of names.filter((entry) => entry.startsWith(unfinished)))
    await rm(join(into, name), { recursive: true, force: true });
}

/** How to run npm: by Node where it is a script, so that an old Node on PATH does not choose old versions. */
function findNpm(env: InstallOptions['env'], nodeDir: string): string[] {
  for (const dir of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(dir, 'npm');
    if (dir === '' || !existsSync(path)) continue;
    const real = realpathSync(path);
    return real.endsWith('.js') ? [join(nodeDir, 'bin', 'node'), real] : [real];
  }
  throw new InstallFailed('npm is not on PATH: install npm, then start the session again.');
}

/** Where the registry is and how to reach it is the operator's; everything else of npm's configuration stays out. */
const kept =
  /^(https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|npm_config_(registry|proxy|https_proxy|https-proxy|noproxy|cafile|ca|strict_ssl|strict-ssl|userconfig|globalconfig|_.*|\/\/.*))$/i;

function npmEnv(options: InstallOptions, home: string): Record<string, string> {
  const env: Record<string, string> = {
    PATH: [join(options.nodeDir, 'bin'), options.env['PATH'] ?? ''].join(delimiter),
    HOME: home,
    npm_config_cache: join(home, 'cache'),
  };
  for (const [name, value] of Object.entries(options.env))
    if (value !== undefined && kept.test(name)) env[name] = value;
  const own = join(options.env['HOME'] ?? homedir(), '.npmrc');
  if (env['npm_config_userconfig'] === undefined && existsSync(own))
    env['npm_config_userconfig'] = own;
  return env;
}

const unreachable =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED|network)\b/;

const untrusted = /\b(SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|CERT_)\w*/;

/** Which package, at which version, npm did not find. */
const absent = (output: string): string =>
  /No matching version found for (\S+?)\.?$/m.exec(output)?.[1] ??
  /404 Not Found - GET \S+\/([^/\s]+)\.tgz/.exec(output)?.[1] ??
  /404 +(?:The requested resource )?'([^']+)'/.exec(output)?.[1] ??
  'a package of it';

/** npm's many lines as one sentence that says what to do. */
export function explain(what: string, output: string): string {
  const code = /npm error code (\S+)/.exec(output)?.[1] ?? '';
  if (code === 'EINTEGRITY')
    return `${what} was not installed: what the npm registry sent does not match the lock file's integrity.`;
  if (code === 'ENOSPC' || output.includes('ENOSPC'))
    return `${what} was not installed: the disk is full. Make room, then start the session again.`;
  if (code === 'E401' || code === 'E403')
    return `${what} was not installed: the npm registry refused us (${code}). Check the registry in ~/.npmrc.`;
  if (code === 'E404' || code === 'ETARGET')
    return `${what} was not installed: the npm registry does not have ${absent(output)}. It was withdrawn, or ~/.npmrc names a registry without it: update Berth, or name one that has it.`;
  if (unreachable.test(code) || unreachable.test(output))
    return `${what} was not installed: the npm registry cannot be reached. It is fetched once, at its first use: connect to the network (or set HTTPS_PROXY), then start the session again.`;
  if (untrusted.test(output))
    return `${what} was not installed: this machine does not trust the certificate of the npm registry. Name the authority's file in NODE_EXTRA_CA_CERTS, or as cafile in ~/.npmrc, then start the session again.`;
  const last = output
    .split('\n')
    .map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim())
    .find((line) => line !== '' && !/^(code|A complete log)/.test(line));
  return `${what} was not installed: npm failed${last === undefined ? '' : `: ${last}`}.`;
}

async function sizeOf(dir: string): Promise<number> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true }).catch(() => []);
  let total = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    // npm moves files while we look.
    const found = await lstat(join(entry.parentPath, entry.name)).catch(() => null);
    total += found?.size ?? 0;
  }
  return total;
}

async function runNpm(options: InstallOptions, stage: string, home: string): Promise<void> {
  const { record, signal } = options;
  const what = `${record.title} ${record.version}`;
  const [command = '', ...first] = findNpm(options.env, options.nodeDir);
  const args = ['ci', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund', '--no-progress'];
  const more = ['--no-update-notifier', '--loglevel=error'];
  const retries = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-factor=3'];
  const child = spawn(command, [...first, ...args, ...more, ...retries], {
    cwd: stage,
    env: npmEnv(options, home),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const kill = (): void => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      // It ended on its own in this moment, and we were not told yet.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  };
  let output = '';
  const take = (chunk: Buffer): void => {
    output = (output + chunk.toString('utf8')).slice(-20_000);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  signal.addEventListener('abort', kill, { once: true });
  const watching = new AbortController();
  const reported = report(options, stage, what, watching.signal);
  reported.catch(kill); // whoever waited for it is no longer there to be told
  try {
    const code = await ended;
    signal.throwIfAborted();
    if (code !== 0) throw new InstallFailed(explain(what, output));
  } finally {
    signal.removeEventListener('abort', kill);
    watching.abort();
    await reported;
  }
}

/** Bytes on disk so far, every second: npm tells nothing that could be counted. */
async function report(
  options: InstallOptions,
  stage: string,
  what: string,
  signal: AbortSignal,
): Promise<void> {
  const total = options.install.sizeBytes;
  while (!signal.aborted) {
    const done = Math.min(await sizeOf(stage), total);
    await options.progress(done, total, 'bytes', `Fetching ${what}`);
    await pause(options.progressEveryMs ?? 1000, undefined, { signal }).catch(() => null);
  }
}

/**
 * Packages of this platform that are not there. Each of those is optional, and npm forgives an optional one that it could not fetch. Packages for a
 * libc are left out: which one this system has, npm alone knows.
 */
export function notDelivered(
  lock: string,
  there: (path: string) => boolean,
  platform: string,
  arch: string,
): string[] {
  const { packages = {} } = JSON.parse(lock) as {
    packages?: Record<string, { os?: string[]; cpu?: string[]; libc?: string[] }>;
  };
  return Object.entries(packages).flatMap(([path, { os, cpu, libc }]) => {
    const ofPlatform = (os ?? cpu) !== undefined && libc === undefined;
    const meant = ofPlatform && fits(os, platform) && fits(cpu, arch);
    return meant && !there(path) ? [path.replace(/^.*node_modules\//, '')] : [];
  });
}
const fits = (list: readonly string[] | undefined, own: string): boolean =>
  list === undefined ||
  (!list.includes(`!${own}`) &&
    (list.includes(own) || list.every((entry) => entry.startsWith('!'))));

/** The names that `${agents}/bin/…` promises, whatever the platform's package is called. */
async function linkBinaries(options: InstallOptions, stage: string): Promise<void> {
  const { record, install } = options;
  await mkdir(join(stage, 'bin'));
  for (const [name, pattern] of Object.entries(install.bin)) {
    const [file, ...others] = globSync(pattern, { cwd: stage });
    if (file === undefined || others.length > 0)
      throw new InstallFailed(
        `${record.title} ${record.version} has no binary for ${process.platform}-${process.arch} in its lock file: choose another harness, or add the platform to harnesses/${record.id}.`,
      );
    await chmod(join(stage, file), 0o755);
    await symlink(relative(join(stage, 'bin'), join(stage, file)), join(stage, 'bin', name));
  }
}

/** The sandbox reads it as another user, whatever our umask is. */
async function openToAll(dir: string): Promise<void> {
  await chmod(dir, 0o755);
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    else if (entry.isFile())
      await chmod(path, ((await lstat(path)).mode & 0o111) === 0 ? 0o644 : 0o755);
  }
}

export async function installHarness(options: InstallOptions): Promise<string> {
  const { record, install, recordDir, into } = options;
  const lock = readFileSync(join(recordDir, install.lockFile), 'utf8');
  const path = join(into, installName(record, install, recordDir));
  if (existsSync(path)) return path;
  await mkdir(into, { recursive: true, mode: 0o755 });
  const stage = join(into, unfinished + randomBytes(6).toString('hex'));
  const home = join(stage, '.npm-home');
  try {
    await mkdir(home, { recursive: true, mode: 0o755 });
    await copyFile(join(recordDir, 'package.json'), join(stage, 'package.json'));
    await copyFile(join(recordDir, install.lockFile), join(stage, 'package-lock.json'));
    await runNpm(options, stage, home);
    await rm(home, { recursive: true, force: true });
    const there = (entry: string): boolean => existsSync(join(stage, entry));
    const [absent] = notDelivered(lock, there, process.platform, process.arch);
    if (absent !== undefined)
      throw new InstallFailed(
        `${record.title} ${record.version} was not installed: the npm registry did not deliver ${absent}. Connect to the network, check the registry in ~/.npmrc, then start the session again.`,
      );
    await linkBinaries(options, stage);
    for (const name of install.files ?? [])
      await copyFile(join(recordDir, name), join(stage, name));
    await keepRecord(stage, record);
    await openToAll(stage);
    await chmod(dirname(stage), 0o755);
    await rename(stage, path);
    return path;
  } catch (error) {
    await rm(stage, { recursive: true, force: true });
    if (!existsSync(path)) throw error; // another process was first: theirs is as good
    return path;
  }
}
