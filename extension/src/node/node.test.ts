import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findServer } from './find-server.ts';
import { applyPatch, checkPatch } from './git.ts';
import { listFolder, packFolder } from './pack.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'berth-extension-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));
const { signal } = new AbortController();
const write = async (path: string, text: string | Uint8Array) => {
  await mkdir(join(root, path, '..'), { recursive: true });
  await writeFile(join(root, path), text);
};
const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], {
    cwd,
    encoding: 'utf8',
  });

async function unpacked(folder: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of packFolder(await listFolder(folder, signal), { signal }))
    chunks.push(chunk);
  const target = await mkdtemp(join(tmpdir(), 'berth-unpacked-'));
  // The real tar is the judge of what we write.
  execFileSync('tar', ['-xf', '-', '-C', target], { input: Buffer.concat(chunks) });
  return target;
}

test('without git everything goes in but what tools made; long names, links, modes and bytes stay what they are', async () => {
  const long = `${'deep/'.repeat(30)}grüße-${'x'.repeat(60)}.txt`;
  const bytes = Uint8Array.from({ length: 70_001 }, (_, i) => i % 251);
  await write('a.txt', 'a');
  await write('empty', '');
  await write(long, 'long');
  await write('bytes.bin', bytes);
  await write('node_modules/x/index.js', 'no');
  await write('run.sh', '#!/bin/sh\n');
  execFileSync('chmod', ['755', join(root, 'run.sh')]);
  await symlink('a.txt', join(root, 'link'));
  await symlink(`${'far/'.repeat(40)}away`, join(root, 'far'));
  const target = await unpacked(root);
  expect(await readFile(join(target, long), 'utf8')).toBe('long');
  expect(new Uint8Array(await readFile(join(target, 'bytes.bin')))).toEqual(bytes);
  expect(await readFile(join(target, 'empty'), 'utf8')).toBe('');
  expect(await readlink(join(target, 'link'))).toBe('a.txt');
  expect(await readlink(join(target, 'far'))).toBe(`${'far/'.repeat(40)}away`);
  expect(execFileSync('ls', [target], { encoding: 'utf8' })).not.toContain('node_modules');
  execFileSync('test', ['-x', join(target, 'run.sh')]);
  await rm(target, { recursive: true });
});

test('in a repository what git would commit or add goes in, as it is now', async () => {
  git(root, 'init', '-q');
  await write('.gitignore', 'ignored\n');
  await write('kept', 'old');
  await write('gone', 'gone');
  git(root, 'add', '-A');
  git(root, 'commit', '-qm', 'one');
  await write('kept', 'changed and not committed');
  await write('new', 'new');
  await write('ignored', 'secret');
  await rm(join(root, 'gone'));
  const { entries } = await listFolder(root, signal);
  expect(entries.map(({ name }) => name)).toEqual(['.gitignore', 'kept', 'new']);
  const target = await unpacked(root);
  expect(await readFile(join(target, 'kept'), 'utf8')).toBe('changed and not committed');
  await rm(target, { recursive: true });
});

test('a file that changed while it was read ends the copy: half of it must not look whole', async () => {
  await write('a', 'twelve bytes');
  const folder = await listFolder(root, signal);
  await write('a', 'less');
  await expect(Array.fromAsync(packFolder(folder, { signal }))).rejects.toThrow(
    'a changed while it was read',
  );
});

test('a patch that fits is applied, also in a folder below the root', async () => {
  git(root, 'init', '-q');
  await write('sub/a.txt', 'one\n');
  git(root, 'add', '-A');
  git(root, 'commit', '-qm', 'one');
  const patch = Buffer.from(
    'diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n',
  );
  const folder = join(root, 'sub');
  expect(await checkPatch(folder, patch)).toEqual({ kind: 'clean' });
  expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('one\n');
  expect(await applyPatch(folder, patch, false)).toEqual({ kind: 'applied' });
  expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('two\n');
});

test('a patch that does not fit changes nothing until it is merged, and names what conflicts', async () => {
  git(root, 'init', '-q');
  await write('a.txt', 'one\n');
  git(root, 'add', '-A');
  git(root, 'commit', '-qm', 'one');
  await write('a.txt', 'two\n');
  const patch = Buffer.from(git(root, 'diff', '--full-index'));
  git(root, 'checkout', '-q', '.');
  await write('a.txt', 'three\n');
  git(root, 'commit', '-qam', 'three');
  expect(await checkPatch(root, patch)).toMatchObject({ kind: 'conflicts', canMerge: true });
  expect(await readFile(join(root, 'a.txt'), 'utf8')).toBe('three\n');
  expect(await applyPatch(root, patch, true)).toEqual({ kind: 'conflicts', files: ['a.txt'] });
  expect(await readFile(join(root, 'a.txt'), 'utf8')).toMatch(/<<<<<<<[^]*three[^]*two/);
});

test('the server of this machine is found; a token goes only to the server it was given for', async () => {
  const env = { BERTH_DATA_DIR: root, XDG_CONFIG_HOME: join(root, 'config') };
  const tokenOf = async (url: string) => (url === 'https://named' ? 'berth_named_x' : undefined);
  expect(await findServer({ url: null, tokenOf, env })).toBeNull();
  const local = {
    url: 'http://127.0.0.1:3000',
    token: 'berth_local_x',
    pid: 1,
    version: '1',
    startedAt: 'now',
  };
  await write('local.json', JSON.stringify(local));
  expect(await findServer({ url: null, tokenOf, env })).toEqual({
    url: local.url,
    token: local.token,
  });
  expect(await findServer({ url: 'https://named', tokenOf, env })).toEqual({
    url: 'https://named',
    token: 'berth_named_x',
  });
  expect(await findServer({ url: 'https://other', tokenOf, env })).toEqual({
    url: 'https://other',
    token: undefined,
  });
});
