import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { createHarnesses } from './harnesses.ts';

/** A registry with one package, `thing` 1.0.0, whose install script must never run. */
async function world(
  options: {
    integrity?: string;
    bin?: string;
    hang?: boolean;
    /** What the registry no longer has. */
    gone?: 'package' | 'version' | 'tarball';
  } = {},
) {
  const dir = await mkdtemp(join(tmpdir(), 'berth-install-'));
  const source = join(dir, 'package');
  await mkdir(join(source, 'bin'), { recursive: true });
  const manifest = {
    name: 'thing',
    version: '1.0.0',
    scripts: { postinstall: `touch ${dir}/script-ran` },
  };
  await writeFile(join(source, 'package.json'), JSON.stringify(manifest));
  await writeFile(join(source, 'bin', 'thing'), '#!/bin/sh\necho I am the thing\n');
  execFileSync('tar', ['-czf', join(dir, 'thing.tgz'), '-C', dir, 'package']);
  const tarball = await readFile(join(dir, 'thing.tgz'));
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;

  let tarballs = 0;
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    if (options.gone === 'package' || (options.gone === 'tarball' && url.endsWith('.tgz'))) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"error":"Not found"}');
      return;
    }
    if (url.endsWith('.tgz')) {
      tarballs += 1;
      if (options.hang !== true) response.end(tarball);
      return;
    }
    const at = `${base}/thing/-/thing-1.0.0.tgz`;
    const has = options.gone === 'version' ? '2.0.0' : '1.0.0';
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        name: 'thing',
        'dist-tags': { latest: has },
        versions: { [has]: { ...manifest, version: has, dist: { tarball: at, integrity } } },
      }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const base = `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;

  const folder = join(dir, 'harnesses', 'thing');
  await mkdir(folder, { recursive: true });
  const dependencies = { thing: '1.0.0' };
  const pinned = {
    version: '1.0.0',
    integrity: options.integrity ?? integrity,
    hasInstallScript: true,
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'x', dependencies }));
  await writeFile(
    join(folder, 'package-lock.json'),
    JSON.stringify({
      name: 'x',
      lockfileVersion: 3,
      requires: true,
      packages: { '': { name: 'x', dependencies }, 'node_modules/thing': pinned },
    }),
  );
  await writeFile(
    join(folder, 'harness.json'),
    JSON.stringify({
      id: 'thing',
      title: 'Thing',
      version: '1.0.0',
      protocol: 'none',
      install: {
        lockFile: 'package-lock.json',
        packages: dependencies,
        bin: { thing: options.bin ?? 'node_modules/thing/b*/thing' },
        sizeBytes: 1000,
      },
      acp: { argv: ['${agents}/bin/thing'] },
      env: {},
      files: [],
      modes: {},
      model: {},
      terminal: { kind: 'none' },
      state: [],
      timeouts: { initializeMs: 1, newSessionMs: 1, loadMs: 1, cancelMs: 1 },
    }),
  );
  const harnesses = createHarnesses({
    harnessesDir: join(dir, 'harnesses'),
    dataDir: join(dir, 'data'),
    distDir: join(dir, 'dist'),
    nodeDir: dirname(dirname(process.execPath)),
    clock: systemClock,
    logger: { info: () => undefined, error: () => undefined },
    env: { PATH: process.env['PATH'], npm_config_registry: base, HOME: join(dir, 'nobody') },
  });
  const installs = join(dir, 'data', 'harnesses', 'thing');
  return {
    dir,
    harnesses,
    installs,
    tarballs: () => tarballs,
    left: () => (existsSync(installs) ? readdirSync(installs) : []),
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
const never = new AbortController().signal;
const silent = async (): Promise<void> => undefined;

test('installs by the lock file, runs no script, links the binary, readable by all', async () => {
  await using all = await world();
  const before = process.umask(0o077);
  try {
    const steps: string[] = [];
    const { hostPath } = await all.harnesses.prepare(
      'thing',
      async (done, total, unit, detail) => {
        steps.push(`${unit} ${detail}`);
        expect(done).toBeLessThanOrEqual(total);
      },
      never,
    );
    expect(execFileSync(join(hostPath, 'bin/thing'), { encoding: 'utf8' })).toBe(
      'I am the thing\n',
    );
    expect(existsSync(join(all.dir, 'script-ran'))).toBe(false);
    expect(steps[0]).toBe('bytes fetching Thing 1.0.0');
    expect(statSync(hostPath).mode & 0o777).toBe(0o755);
    expect(statSync(join(hostPath, 'node_modules/thing/package.json')).mode & 0o777).toBe(0o644);
    expect(all.left()).toHaveLength(1);
    expect((await all.harnesses.list())[0]?.installed).toBe(true);
    await all.harnesses.prepare('thing', silent, never); // there already: the registry is not asked
    expect(all.tarballs()).toBe(1);
  } finally {
    process.umask(before);
  }
});

test('several sessions at once: one installation', async () => {
  await using all = await world();
  const paths = await Promise.all(
    [1, 2, 3].map(() => all.harnesses.prepare('thing', silent, never)),
  );
  expect(new Set(paths.map(({ hostPath }) => hostPath)).size).toBe(1);
  expect(all.tarballs()).toBe(1);
});

test('one that leaves does not stop it for the others; the last that leaves does', async () => {
  await using all = await world({ hang: true });
  const first = new AbortController();
  const second = new AbortController();
  const one = all.harnesses.prepare('thing', silent, first.signal);
  const two = all.harnesses.prepare('thing', silent, second.signal);
  await expect.poll(() => all.tarballs(), { timeout: 10_000 }).toBe(1);
  first.abort(new Error('left'));
  await expect(one).rejects.toThrow('left');
  expect(all.left()).toHaveLength(1); // still at it
  second.abort(new Error('left too'));
  await expect(two).rejects.toThrow('left too');
  await expect.poll(() => all.left(), { timeout: 5000 }).toEqual([]);
});

test('another content than the lock file pins: refused, nothing left', async () => {
  await using all = await world({ integrity: `sha512-${Buffer.alloc(64).toString('base64')}` });
  await expect(all.harnesses.prepare('thing', silent, never)).rejects.toThrow('integrity');
  expect(all.left()).toEqual([]);
});

test('no registry: one sentence that says what to do', async () => {
  await using all = await world();
  all.stop();
  await expect(all.harnesses.prepare('thing', silent, never)).rejects.toThrow(
    /^Thing 1\.0\.0 was not installed: the npm registry cannot be reached\. .*connect to the network/,
  );
  expect(all.left()).toEqual([]);
});

test.each([
  ['package', 'thing'],
  ['version', 'thing@1.0.0'],
  ['tarball', 'thing-1.0.0'],
] as const)('the registry no longer has the %s: one sentence names it', async (gone, name) => {
  await using all = await world({ gone });
  await expect(all.harnesses.prepare('thing', silent, never)).rejects.toThrow(
    new RegExp(
      `^Thing 1\\.0\\.0 was not installed: the npm registry does not have ${name}\\S*\\. It was withdrawn, .*: update Berth, or name one that has it\\.$`,
    ),
  );
  expect(all.left()).toEqual([]);
});

test('a platform that the lock file does not hold', async () => {
  await using all = await world({ bin: 'node_modules/thing-*/bin/thing' });
  await expect(all.harnesses.prepare('thing', silent, never)).rejects.toThrow('no binary for');
  expect(all.left()).toEqual([]);
});

test('what a killed installation left is swept by the next', async () => {
  await using all = await world();
  await mkdir(join(all.installs, '.unfinished-abc'), { recursive: true });
  await all.harnesses.prepare('thing', silent, never);
  expect(all.left()).toHaveLength(1);
});
