import { execFile } from 'node:child_process';
import { mkdir, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { createClient, explain } from '@berth/client';
import { defaultDataDir, resolveServer } from '@berth/client/node';
import { textOf } from '../args.ts';
import { exitCode, type Context, type Run } from '../context.ts';
import { bytes } from '../format.ts';

const run = promisify(execFile);
interface Finding {
  what: string;
  state: 'ok' | 'warning' | 'failed';
  detail: string;
}
const ok = (what: string, detail: string): Finding => ({ what, state: 'ok', detail });
const warning = (what: string, detail: string): Finding => ({ what, state: 'warning', detail });
const failed = (what: string, detail: string): Finding => ({ what, state: 'failed', detail });
const freeBytesMin = 2e9;

function node(): Finding {
  const major = Number(process.versions.node.split('.')[0]);
  return major >= 24
    ? ok('node', process.version)
    : failed('node', `${process.version}; Berth runs on 24: \`npm start\` installs it`);
}

async function program(name: string, args: readonly string[], why: string): Promise<Finding> {
  try {
    const { stdout } = await run(name, [...args], { timeout: 10_000 });
    return ok(name, stdout.trim().split('\n')[0] ?? '');
  } catch {
    return failed(name, `not found: install it, ${why}`);
  }
}

/** A sandbox of the smallest kind, really made. */
async function isolation(): Promise<Finding[]> {
  if (process.platform !== 'linux')
    return [warning('sandbox', 'bubblewrap is for Linux; here another isolation is used')];
  let version: string;
  try {
    version = (await run('bwrap', ['--version'], { timeout: 10_000 })).stdout.trim();
  } catch {
    return [warning('bwrap', 'not on PATH: a static one is fetched at the first start')];
  }
  try {
    await run('bwrap', ['--unshare-all', '--ro-bind', '/', '/', 'true'], { timeout: 10_000 });
    return [ok('bwrap', version), ok('user namespaces', 'allowed')];
  } catch {
    const remedy =
      'sandboxes cannot be made: allow them with `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu) or `sudo sysctl -w kernel.unprivileged_userns_clone=1`';
    return [ok('bwrap', version), failed('user namespaces', remedy)];
  }
}

async function disk(dir: string): Promise<Finding> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await statfs(dir);
    const free = bavail * bsize;
    const detail = `${bytes(free)} free at ${dir}`;
    return free < freeBytesMin
      ? failed('disk', `${detail}: agents and sandboxes need more`)
      : ok('disk', detail);
  } catch (error) {
    return failed('disk', `${dir} cannot be written: ${explain(error)}`);
  }
}

async function port(env: Context['env']): Promise<Finding> {
  const wanted = Number(env['PORT'] ?? 3000);
  const host = env['HOST'] ?? '127.0.0.1';
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () =>
      resolve(failed('port', `${wanted} is taken by another program: set PORT`)),
    );
    server.listen(wanted, host, () => server.close(() => resolve(ok('port', `${wanted} is free`))));
  });
}

async function server(context: Context): Promise<Finding[]> {
  const found = await resolveServer({
    server: textOf(context.values, 'server'),
    token: textOf(context.values, 'token'),
    env: context.env,
  });
  if (found === undefined)
    return [warning('server', 'none runs here: `berth serve`'), await port(context.env)];
  const api = createClient({ url: found.url, token: () => found.token });
  try {
    const meta = await api.meta();
    const me = await api.me().then(
      (person) => ok('signed in', `${person.name}, team ${person.team.name}`),
      (error: unknown) => failed('signed in', `${explain(error)}: \`berth login\``),
    );
    return [
      ok('server', `${found.url}, version ${meta.version}`),
      me,
      meta.isolation.isolated
        ? ok('isolation', meta.isolation.detail ?? meta.drivers.join(', '))
        : failed('isolation', meta.isolation.detail ?? 'sessions run without isolation'),
      meta.gateway.configured
        ? ok('gateway', meta.gateway.version ?? 'configured')
        : warning('gateway', 'none: only the rehearsal agent runs; set LITELLM_GATEWAY_URL'),
    ];
  } catch (error) {
    const gone =
      found.from === 'local'
        ? 'a server ran here but does not answer: `berth serve`'
        : explain(error);
    return [failed('server', gone)];
  }
}

export const doctor: Run = async (context) => {
  const findings = [
    node(),
    await program('git', ['--version'], 'changes are found and taken over with it'),
    await program('npm', ['--version'], 'agents are fetched with it'),
    ...(await isolation()),
    await disk(defaultDataDir(context.env)),
    ...(await server(context)),
  ];
  context.give(findings, (all) => {
    const { style } = context;
    const sign = { ok: style.green('✓'), warning: style.yellow('!'), failed: style.red('✗') };
    return all
      .map(({ what, state, detail }) => `${sign[state]} ${what.padEnd(16)} ${detail}`)
      .join('\n');
  });
  return findings.some(({ state }) => state === 'failed') ? exitCode.failed : exitCode.ok;
};
