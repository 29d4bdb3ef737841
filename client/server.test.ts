import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { forgetLogin, resolveServer, storeLogin, storedLogin } from './server.ts';

let dir: string;
let env: Record<string, string>;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-client-'));
  env = { XDG_CONFIG_HOME: join(dir, 'config'), BERTH_DATA_DIR: dir };
});
afterEach(() => rm(dir, { recursive: true, force: true }));
const local = {
  url: 'http://127.0.0.1:3000',
  token: 'local',
  pid: 1,
  version: '0',
  startedAt: 'x',
};
const writeLocal = () => writeFile(join(dir, 'local.json'), JSON.stringify(local));

test('nothing known', async () => {
  expect(await resolveServer({ env })).toBeUndefined();
});

test('option, environment, login, local: in this order', async () => {
  await writeLocal();
  expect(await resolveServer({ env })).toEqual({
    url: local.url,
    token: 'local',
    from: 'local',
  });
  const path = await storeLogin(env, { url: 'https://team.test', token: 'stored' });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await resolveServer({ env })).toMatchObject({ url: 'https://team.test', from: 'login' });
  const said = { ...env, BERTH_SERVER: 'https://ci.test', BERTH_TOKEN: 'ci' };
  expect(await resolveServer({ env: said })).toEqual({
    url: 'https://ci.test',
    token: 'ci',
    from: 'environment',
  });
  expect(await resolveServer({ env: said, server: 'https://opt.test', token: 'o' })).toEqual({
    url: 'https://opt.test',
    token: 'o',
    from: 'option',
  });
  await forgetLogin(env);
  expect(await storedLogin(env)).toBeUndefined();
});

test('a stored token goes to its own server only', async () => {
  await writeLocal();
  await storeLogin(env, { url: 'https://team.test', token: 'stored' });
  const at = async (server: string) => (await resolveServer({ env, server }))?.token;
  expect(await at('https://team.test/')).toBe('stored');
  expect(await at('http://127.0.0.1:3000')).toBe('local');
  expect(await at('https://evil.test')).toBeUndefined();
  expect(await at('http://team.test')).toBeUndefined();
});

test('an unreadable file is said, not passed over', async () => {
  await writeFile(join(dir, 'local.json'), '{"url":');
  await expect(resolveServer({ env })).rejects.toThrow('is not JSON');
  await writeFile(join(dir, 'local.json'), '{"url":1}');
  await expect(resolveServer({ env })).rejects.toThrow('not a file that Berth wrote');
});
