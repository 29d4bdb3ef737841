import { format } from 'prettier';
import { expect, test } from 'vitest';
import { renderDocs, renderExample } from './config-docs.ts';
import { readConfig, type Config } from './config.ts';

const places = { home: '/home/ada', cwd: '/srv' };
const read = (env: Record<string, string | undefined>, dotenv?: string) =>
  readConfig({ env, dotenv, ...places });
function config(env: Record<string, string | undefined>, dotenv?: string): Config {
  const result = read(env, dotenv);
  if (result.kind === 'faults') throw new Error(result.faults.join('\n'));
  return result.config;
}
function faults(env: Record<string, string | undefined>, dotenv?: string): readonly string[] {
  const result = read(env, dotenv);
  return result.kind === 'faults' ? result.faults : [];
}

test('nothing set: the embedded start on this machine', () => {
  expect(config({})).toEqual({
    port: 3000,
    host: '127.0.0.1',
    dataDir: '/home/ada/.local/share/berth',
    roles: ['web', 'worker'],
    replicaUrl: undefined,
    linkUrls: [],
    publicUrl: undefined,
    databaseUrl: undefined,
    postgresUser: undefined,
    gateway: undefined,
    sandbox: 'local',
    egressTrusted: '',
    egressKeepMs: 7_776_000_000,
    containerEnv: {},
    drainMs: 30_000,
    logLevel: 'info',
  });
});

test('the environment wins over .env, and an empty value means unset', () => {
  expect(config({ PORT: '4000' }, 'PORT=5000').port).toBe(4000);
  expect(config({ PORT: '' }, 'PORT=5000').port).toBe(5000);
  expect(config({ PORT: ' ' }).port).toBe(3000);
  expect(config({}, 'LITELLM_GATEWAY_URL="http://localhost:4000" # mine').gateway).toEqual({
    url: 'http://localhost:4000',
    apiKey: undefined,
  });
});

test.each([
  [{ XDG_DATA_HOME: '/data' }, '/data/berth'],
  [{ XDG_DATA_HOME: 'relative' }, '/home/ada/.local/share/berth'],
  [{ BERTH_DATA_DIR: 'state' }, '/srv/state'],
  [{ BERTH_DATA_DIR: '/srv/berth', XDG_DATA_HOME: '/data' }, '/srv/berth'],
])('%j keeps its data in %s', (env, dataDir) => {
  expect(config(env).dataDir).toBe(dataDir);
});

test.each([
  ['PORT', '70000', '"70000" is not a port'],
  ['PORT', '3000.5', '"3000.5" is not a port'],
  ['PORT', 'http', '"http" is not a port'],
  ['HOST', 'http://x', 'is not an address'],
  ['BERTH_ROLES', 'web', '"web" needs DATABASE_URL'],
  ['BERTH_ROLES', 'worker', '"worker" needs DATABASE_URL'],
  ['BERTH_ROLES', 'vault', 'the vault runs with the worker'],
  ['BERTH_ROLES', 'web, wrker', 'is not "all", or a list'],
  ['BERTH_REPLICA_URL', '10.0.0.1:3000', 'is not an http or https URL'],
  ['BERTH_LINK_URLS', 'http://one:3000, two', '"two" is not an http or https URL'],
  ['BERTH_PUBLIC_URL', 'ftp://x', 'is not an http or https URL'],
  ['BERTH_PUBLIC_URL', 'berth.example.com', 'is not an http or https URL'],
  ['LITELLM_GATEWAY_URL', 'localhost:4000', 'is not an http or https URL'],
  ['BERTH_SANDBOX', 'docker', '"docker" is not "local" or "unsafe"'],
  ['BERTH_DRAIN_SECONDS', '-1', '"-1" is not a whole number'],
  ['LOG_LEVEL', 'verbose', 'is not one of'],
  ['BERTH_SECRET_KEYS', 'plain', 'this is not a list like'],
  ['CONTAINER_VAULT_X', 'v', 'secrets come with a later version: remove it'],
  ['CONTAINER_ENV_1X', 'v', 'cannot be the name'],
])('%s=%s stops the start: %s', (name, value, why) => {
  expect(faults({ [name]: value })).toEqual([expect.stringContaining(why)]);
  expect(faults({ [name]: value })[0]).toMatch(new RegExp(`^${name}: `));
});

test('all faults are named at once, and no secret is repeated', () => {
  const all = faults({ PORT: 'x', DATABASE_URL: 'mysql://me:hunter2@db/x', LOG_LEVEL: 'loud' });
  expect(all).toHaveLength(3);
  expect(all.join('\n')).not.toContain('hunter2');
});

test('roles apart, on a database that all of them share', () => {
  const DATABASE_URL = 'postgresql://db/berth';
  expect(config({ BERTH_ROLES: 'web', DATABASE_URL }).roles).toEqual(['web']);
  expect(config({ BERTH_ROLES: 'worker, web', DATABASE_URL }).roles).toEqual(['worker', 'web']);
  expect(config({ BERTH_ROLES: 'all' }).roles).toEqual(['web', 'worker']);
  expect(config({ BERTH_LINK_URLS: 'http://a:1,https://b' }).linkUrls).toEqual([
    'http://a:1',
    'https://b',
  ]);
});

test('a name in .env that does not exist is a typing mistake; in the environment it may be another program’s', () => {
  expect(faults({}, 'BERTH_SANBOX=unsafe')).toEqual([
    'BERTH_SANBOX: .env sets it, but there is no such variable',
  ]);
  expect(faults({ BERTH_SANBOX: 'unsafe' })).toEqual([]);
  expect(faults({}, 'BERTH_SERVER=http://x\nSOMETHING=else')).toEqual([]);
});

test('CONTAINER_ENV_X reaches every sandbox as X', () => {
  expect(config({ CONTAINER_ENV_TZ: 'Europe/Berlin' }, 'CONTAINER_ENV_A=1').containerEnv).toEqual({
    TZ: 'Europe/Berlin',
    A: '1',
  });
});

test.each([
  ['GITHUB_TOKEN', 'x'],
  ['api_key', 'x'],
  ['MY_PAT', 'x'],
  ['DB_PASSWORD', 'x'],
  ['NOTE', `ghp_${'a'.repeat(36)}`],
  ['NOTE', `sk-proj-${'a'.repeat(30)}`],
  ['NOTE', 'AKIAABCDEFGHIJKLMNOP'],
  ['NOTE', `eyJhbGciOiJIUzI1NiJ9.${'a'.repeat(20)}.sig`],
  ['NOTE', '-----BEGIN RSA PRIVATE KEY-----'],
  ['MIRROR', 'https://me:hunter2@mirror.example.com/'],
])('CONTAINER_ENV_%s=%s looks like a credential', (name, value) => {
  const [fault = ''] = faults({ [`CONTAINER_ENV_${name}`]: value });
  expect(fault).toContain(`add ${name} to CONTAINER_ENV_ALLOW_EXPOSED`);
  if (value.length > 1) expect(fault).not.toContain(value);
  const allowed = { [`CONTAINER_ENV_${name}`]: value, CONTAINER_ENV_ALLOW_EXPOSED: `Y, ${name}` };
  expect(config(allowed).containerEnv).toEqual({ [name]: value });
});

test.each([
  ['KEYBOARD', 'us'],
  ['PATTERN', '*.ts'],
  ['MIRROR', 'https://mirror.example.com:8080/a@b'],
  ['GREETING', 'task-force-of-many'],
])('CONTAINER_ENV_%s=%s does not', (name, value) => {
  expect(config({ [`CONTAINER_ENV_${name}`]: value }).containerEnv).toEqual({ [name]: value });
});

// Both are made from the table: `npx vitest run control-plane/src/config.test.ts -u` writes them.
test('docs/configuration.md is the table', async () => {
  const page = await format(renderDocs(), {
    parser: 'markdown',
    printWidth: 100,
    singleQuote: true,
  });
  await expect(page).toMatchFileSnapshot('../../docs/configuration.md');
});
test('.env.example is the table', async () => {
  await expect(renderExample()).toMatchFileSnapshot('../../.env.example');
});

test.each([
  [{}, false, 'info'],
  [{}, true, 'warn'],
  [{ LOG_LEVEL: 'debug' }, true, 'debug'],
])('log level of %j, on a terminal: %s', (env, terminal, logLevel) => {
  const result = readConfig({ env, home: '/home/me', cwd: '/', terminal });
  expect(result).toMatchObject({ kind: 'config', config: { logLevel } });
});
