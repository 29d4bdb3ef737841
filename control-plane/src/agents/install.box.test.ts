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
import { createHarnesses, type Harnesses } from './harnesses.ts';

/** A registry with one package, `thing`, at two versions, whose install script must never run; and a harness that is at the first. */
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
  const pack = async (version: string) => {
    const scripts = { postinstall: `touch ${dir}/script-ran` };
    const manifest = { name: 'thing', version, scripts };
    await writeFile(join(source, 'package.json'), JSON.stringify(manifest));
    await writeFile(join(source, 'bin', 'thing'), `#!/bin/sh\necho I am the thing ${version}\n`);
    const file = join(dir, `thing-${version}.tgz`);
    execFileSync('tar', ['-czf', file, '-C', dir, 'package']);
    const tarball = await readFile(file);
    const hash = createHash('sha512').update(tarball).digest('base64');
    return { manifest, tarball, integrity: `sha512-${hash}` };
  };
  const packed = { '1.0.0': await pack('1.0.0'), '2.0.0': await pack('2.0.0') };
  type Version = keyof typeof packed;

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
      const asked = url.includes('2.0.0') ? '2.0.0' : '1.0.0';
      if (options.hang !== true) response.end(packed[asked].tarball);
      return;
    }
    const versions = Object.entries(packed).map(([version, { manifest, integrity }]) => {
      const tarball = `${base}/thing/-/thing-${version}.tgz`;
      return [version, { ...manifest, dist: { tarball, integrity } }] as const;
    });
    const has = versions.filter(([version]) => options.gone !== 'version' || version !== '1.0.0');
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        name: 'thing',
        'dist-tags': { latest: '2.0.0' },
        versions: Object.fromEntries(has),
      }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const base = `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;

  const folder = join(dir, 'harnesses', 'thing');
  await mkdir(folder, { recursive: true });
  /** Berth, as it comes with this version of the harness. */
  const open = async (version: Version, starter = 'start'): Promise<Harnesses> => {
    const dependencies = { thing: version };
    const { integrity } = packed[version];
    const pinned = { version, integrity: options.integrity ?? integrity, hasInstallScript: true };
    const files = {
      'package.json': { name: 'x', dependencies },
      'package-lock.json': {
        name: 'x',
        lockfileVersion: 3,
        requires: true,
        packages: { '': { name: 'x', dependencies }, 'node_modules/thing': pinned },
      },
      'start.js': starter,
      'harness.json': {
        id: 'thing',
        title: 'Thing',
        version,
        protocol: 'none',
        install: {
          lockFile: 'package-lock.json',
          packages: dependencies,
          files: ['start.js'],
          bin: { thing: options.bin ?? 'node_modules/thing/b*/thing' },
          sizeBytes: 1000,
        },
        acp: { argv: ['${agents}/bin/thing', version] },
        env: {},
        files: [],
        modes: {},
        model: {},
        terminal: { kind: 'none' },
        state: [],
        timeouts: { initializeMs: 1, newSessionMs: 1, loadMs: 1, cancelMs: 1 },
      },
    };
    for (const [name, content] of Object.entries(files))
      await writeFile(join(folder, name), JSON.stringify(content));
    return createHarnesses({
      harnessesDir: join(dir, 'harnesses'),
      dataDir: join(dir, 'data'),
      distDir: join(dir, 'dist'),
      nodeDir: dirname(dirname(process.execPath)),
      clock: systemClock,
      logger: { info: () => undefined, error: () => undefined },
      env: { PATH: process.env['PATH'], npm_config_registry: base, HOME: join(dir, 'nobody') },
    });
  };
  const installs = join(dir, 'data', 'harnesses', 'thing');
  return {
    dir,
    harnesses: await open('1.0.0'),
    open,
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
const thing = (hostPath: string): string =>
  execFileSync(join(hostPath, 'bin/thing'), { encoding: 'utf8' });

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
    expect(thing(hostPath)).toBe('I am the thing 1.0.0\n');
    expect(await readFile(join(hostPath, 'start.js'), 'utf8')).toBe('"start"');
    expect(existsSync(join(all.dir, 'script-ran'))).toBe(false);
    expect(steps[0]).toBe('bytes Fetching Thing 1.0.0');
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

test('an upgrade: what runs keeps its version and its record, what comes gets the other, both whole', async () => {
  await using all = await world();
  const old = await all.harnesses.prepare('thing', silent, never);
  const upgraded = await all.open('2.0.0');
  expect((await upgraded.list())[0]).toMatchObject({ version: '2.0.0', installed: false });
  expect(upgraded.record('thing', old.hostPath).acp.argv).toEqual(['${agents}/bin/thing', '1.0.0']);
  const fresh = await upgraded.prepare('thing', silent, never);
  expect([thing(old.hostPath), thing(fresh.hostPath)]).toEqual([
    'I am the thing 1.0.0\n',
    'I am the thing 2.0.0\n',
  ]);
  expect(all.left()).toHaveLength(2);
  for (const [path, version] of [
    [old.hostPath, '1.0.0'],
    [fresh.hostPath, '2.0.0'],
    [undefined, '2.0.0'],
    [join(all.installs, 'swept'), '2.0.0'], // nothing is known of it any more
  ] as const)
    expect(upgraded.record('thing', path).version).toBe(version);
  // Back again: what is there is not fetched a second time.
  await (await all.open('1.0.0')).prepare('thing', silent, never);
  expect(all.tarballs()).toBe(2);
});

test('another file of its own makes another installation', async () => {
  await using all = await world();
  const one = await all.harnesses.prepare('thing', silent, never);
  const two = await (await all.open('1.0.0', 'start better')).prepare('thing', silent, never);
  expect(two.hostPath).not.toBe(one.hostPath);
  expect(await readFile(join(two.hostPath, 'start.js'), 'utf8')).toBe('"start better"');
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
