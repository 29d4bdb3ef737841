import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

/** A tiny repository with the real start program and a build of one line: says what it was started with, and how it ended. */
const build = `import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { sourceHash } from './sources.mjs';
console.error('built');
mkdirSync('dist/control-plane', { recursive: true });
copyFileSync('control-plane/src/main.ts', 'dist/control-plane/main.mjs');
writeFileSync('dist/stamp', sourceHash(process.cwd()));`;
const main = `process.on('SIGTERM', () => process.exit(7));
setInterval(() => undefined, 1000);
console.log('berth ready ' + process.argv.slice(2).join(' '));`;

async function repository() {
  const root = await mkdtemp(join(tmpdir(), 'berth-start-'));
  for (const name of ['bin/start.mjs', 'scripts/install.mjs', 'scripts/sources.mjs']) {
    await cp(name, join(root, name));
  }
  const write = async (name: string, content: string) => {
    await mkdir(join(root, name, '..'), { recursive: true });
    await writeFile(join(root, name), content);
  };
  await write('package.json', JSON.stringify({ name: 'tiny', version: '1.0.0' }));
  const lock = { name: 'tiny', version: '1.0.0', lockfileVersion: 3, requires: true };
  const packages = { '': { name: 'tiny', version: '1.0.0' } };
  await write('package-lock.json', JSON.stringify({ ...lock, packages }));
  await write('control-plane/src/main.ts', main);
  await write('scripts/build.mjs', build);
  const children = new Set<ReturnType<typeof spawn>>();
  return {
    root,
    write,
    start(...args: string[]) {
      const child = spawn(process.execPath, ['bin/start.mjs', ...args], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      children.add(child);
      const stderr = text(child.stderr);
      const ended = once(child, 'exit') as Promise<[number | null]>;
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      return {
        line: async () => (await lines.next()).value,
        async end(signal?: NodeJS.Signals) {
          if (signal) child.kill(signal);
          const [code] = await ended;
          return { code, stderr: await stderr };
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL');
      await rm(root, { recursive: true, force: true });
    },
  };
}

test('the first start installs and builds, the next does neither, a changed source is built again', async () => {
  await using tiny = await repository();
  const first = tiny.start('--flag');
  expect(await first.line()).toBe('berth ready --flag');
  const { code, stderr } = await first.end('SIGTERM');
  expect(code).toBe(7); // the signal went through, and the exit code came back
  expect(stderr).toContain('installing packages');
  expect(stderr).toContain('built');

  const second = tiny.start();
  expect(await second.line()).toBe('berth ready ');
  expect((await second.end('SIGTERM')).stderr).toBe('');

  await utimes(join(tiny.root, 'control-plane/src/main.ts'), 1, 1);
  const third = tiny.start();
  await third.line();
  const again = await third.end('SIGTERM');
  expect(again.stderr).toContain('built');
  expect(again.stderr).not.toContain('installing');
});

test('a changed lock file is installed again', async () => {
  await using tiny = await repository();
  const first = tiny.start();
  await first.line();
  await first.end('SIGTERM');
  const lock = await readFile(join(tiny.root, 'package-lock.json'), 'utf8');
  await tiny.write('package-lock.json', `${lock}\n`);
  await rm(join(tiny.root, 'node_modules/.package-lock.json'), { force: true });
  const second = tiny.start();
  await second.line();
  expect((await second.end('SIGTERM')).stderr).toContain('installing packages');
});

test('an install that is complete already is kept as it is', async () => {
  await using tiny = await repository();
  await tiny.write('node_modules/.package-lock.json', JSON.stringify({ packages: {} }));
  await symlink('/nowhere', join(tiny.root, 'node_modules/mine'));
  const first = tiny.start();
  await first.line();
  expect((await first.end('SIGTERM')).stderr).not.toContain('installing');
  expect(await readFile(join(tiny.root, 'node_modules/.berth-lock'), 'utf8')).toMatch(/ run$/);
});

test('a build that fails: one line, and nothing is started', async () => {
  await using tiny = await repository();
  await tiny.write('scripts/build.mjs', `console.error('no'); process.exitCode = 1;`);
  const first = tiny.start();
  const { code, stderr } = await first.end();
  expect(code).toBe(1);
  expect(stderr).toContain('berth: the build failed (see above)');
  expect(await first.line()).toBeUndefined();
});

test('without the lock file: one sentence', async () => {
  await using tiny = await repository();
  await rm(join(tiny.root, 'package-lock.json'));
  const { code, stderr } = await tiny.start().end();
  expect(code).toBe(1);
  expect(stderr).toBe(`berth: there is no package-lock.json in ${tiny.root}: clone it again\n`);
});
