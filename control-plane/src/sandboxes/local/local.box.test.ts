import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { driverConformance } from '../driver.conformance.ts';
import type { Sandbox } from '../driver.ts';
import {
  disk,
  enter,
  isRoot,
  localWorld,
  type Inside,
  type LocalWorld,
} from '../testing/local-world.ts';
import { resolveBwrap } from './bwrap.ts';
import { launch } from './launch.ts';
import { isAlive, procsOfUid } from './procs.ts';

const signal = (): AbortSignal => AbortSignal.timeout(60_000);
const MiB = 2 ** 20;
const worlds: LocalWorld[] = [];
const newWorld = async (...more: Parameters<typeof localWorld>): Promise<LocalWorld> => {
  const world = await localWorld(...more);
  worlds.push(world);
  return world;
};
afterAll(async () => {
  for (const world of worlds) await world.dispose();
});

driverConformance(`bubblewrap as ${isRoot ? 'root' : 'an ordinary user'}`, async () => {
  const world = await newWorld();
  return {
    driver: world.driver,
    disk: disk(world),
    kill: async (sandbox) => {
      process.kill(world.initPid(sandbox), 'SIGKILL');
    },
  };
});

describe('from inside', () => {
  const canary = 'canary-4711-never-inside';
  let world: LocalWorld;
  let sandbox: Sandbox;
  let inside: Inside;
  let other: Sandbox;
  beforeAll(async () => {
    process.env['BERTH_TEST_SECRET'] = canary;
    world = await newWorld();
    writeFileSync(path.join(world.options.dataDir, 'token'), canary);
    other = await world.driver.ensure(world.spec(), signal());
    await disk(world).write(other, 'private', canary);
    sandbox = await world.driver.ensure(world.spec({ env: { OWN: 'seen' } }), signal());
    inside = await enter(sandbox);
  });
  afterAll(() => {
    delete process.env['BERTH_TEST_SECRET'];
    inside.runner.die();
  });

  test('no capability, no new privileges, a filter', async () => {
    const status = await inside.sh('cat /proc/self/status');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status).toMatch(new RegExp(`${set}:\\t0000000000000000`));
    expect(status).toMatch(/NoNewPrivs:\t1/);
    expect(status).toMatch(/Seccomp:\t2/);
    expect(await inside.sh('id -un; id -u; hostname')).toBe('agent\n1000\nberth\n');
  });

  test('T1: not root outside, and no setting of the kernel can be written', async () => {
    const outside = readFileSync(`/proc/${String(world.initPid(sandbox))}/status`, 'utf8');
    expect(outside).not.toMatch(/^Uid:\t0\t/m);
    if (isRoot) expect(outside).toMatch(/^Uid:\t2\d{5}\t/m);
    expect(await inside.sh('find /proc/sys -type f -writable 2>/dev/null')).toBe('');
    expect(await inside.sh('echo x > /proc/sys/kernel/core_pattern')).toMatch(/Read-only|denied/);
  });

  test('T2: neither the environment nor the arguments of the launcher can be read', async () => {
    expect(process.env['BERTH_TEST_SECRET']).toBe(canary); // it could have leaked
    expect(await inside.sh('cat /proc/1/environ | tr "\\0" "\\n"')).toBe('');
    const command = await inside.sh('cat /proc/[0-9]*/cmdline | tr "\\0" " "');
    expect(command).toContain('/opt/agentd/agentd.cjs');
    for (const hidden of [
      world.options.dataDir,
      world.folderOf(sandbox),
      '/var/lib',
      canary,
      process.cwd(),
    ])
      expect(command).not.toContain(hidden);
    expect(await inside.sh('cat /proc/[0-9]*/environ | tr "\\0" "\\n"; env')).not.toContain(canary);
    expect(await inside.sh('echo $OWN')).toBe('seen\n');
  });

  test('T4: nothing stays a zombie', async () => {
    await inside.sh('for i in 1 2 3 4 5 6; do sh -c "(sleep 0.01 &) ; exit" ; done; sleep 0.2');
    expect(await inside.sh('grep -l "State:.Z" /proc/[0-9]*/status 2>/dev/null')).toBe('');
  });

  test('only what is listed exists, and the root cannot be written', async () => {
    const list = await inside.sh('ls -A / /opt /home /run /var; ls -A /opt/agents');
    expect(
      list
        .split(/\s+/)
        .filter((name) => /^\.|^(root|boot|mnt|media|srv|sys|data|work)$/.test(name)),
    ).toEqual([]);
    for (const gone of [
      '/root',
      '/sys',
      '/etc/shadow',
      '/etc/ssh',
      '/etc/gitconfig',
      world.options.dataDir,
      world.folderOf(sandbox),
      world.folderOf(other),
    ])
      expect([gone, await inside.sh(`ls -d ${gone} 2>/dev/null`)]).toEqual([gone, '']);
    for (const place of [
      '/x',
      '/usr/x',
      '/etc/x',
      '/opt/x',
      '/opt/agentd/x',
      '/run/berth/x',
      '/run/berth/agentd.sock.x',
    ])
      expect([place, await inside.sh(`touch ${place} 2>&1`)]).toEqual([
        place,
        expect.stringMatching(/Read-only|denied/),
      ]);
    expect(await inside.sh('rm -f /run/berth/agentd.sock 2>&1; ls /run/berth')).toMatch(
      /agentd\.sock\n$/,
    );
    expect(await inside.sh('touch /workspace/a /home/agent/b /tmp/c && echo ok')).toBe('ok\n');
    expect(await inside.sh('cat /etc/hostname /etc/hosts /etc/passwd; uname -n')).not.toContain(
      hostname(),
    );
  });

  test('no credential, token or file of another session', async () => {
    expect(
      await inside.sh(
        `grep -rsl ${canary} /workspace /home /tmp /run /opt/agents /etc /dev/shm; echo done`,
      ),
    ).toBe('done\n');
    expect(await inside.sh('cat /workspace/private 2>&1')).toContain('No such file');
    const theirs = await enter(other);
    expect(await theirs.sh('cat /workspace/private')).toBe(canary); // the twin: there it can be read
    theirs.runner.die();
  });

  test('no process of the host, and no descriptor that leaked in', async () => {
    const processes = await inside.sh('cat /proc/[0-9]*/comm');
    expect(
      processes
        .split('\n')
        .filter((name) => name !== '' && !/^(bwrap|node|sh|cat|MainThread|prlimit)$/.test(name)),
    ).toEqual([]);
    expect(await inside.sh(`kill -0 ${String(process.pid)} 2>&1`)).toMatch(/No such process/);
    const open = await inside.sh('for p in /proc/[0-9]*; do readlink $p/fd/*; done');
    const files = open.split('\n').filter((file) => /^\/(?!dev\/|proc\/)/.test(file));
    expect(new Set(files)).toEqual(new Set([path.join(world.folderOf(sandbox), 'log')]));
  });

  test('no network but loopback with its two ports', async () => {
    expect(await inside.sh('cat /proc/net/dev | tail -n +3 | cut -d: -f1')).toBe('    lo\n');
    const listening = await inside.sh(
      'awk \'NR>1 && $4=="0A" {print $2}\' /proc/net/tcp /proc/net/tcp6',
    );
    expect(listening.trim().split('\n').sort()).toEqual(['0100007F:0C38', '0100007F:1004']);
    expect(await inside.sh('cat /etc/resolv.conf')).toBe('');
    expect(await inside.sh('timeout 3 bash -c "echo > /dev/tcp/1.1.1.1/443" 2>&1')).toMatch(
      /unreachable/,
    );
    expect(await inside.sh('cat /proc/net/unix | grep -c @; true')).toBe('0\n');
  });

  test.each([
    ['unshare -Ur true', /not permitted|No space|denied/],
    ['mount -t tmpfs x /tmp', /not permitted|denied|must be superuser/],
    ['chroot / true', /not permitted|denied/],
    ['dmesg', /not permitted|denied/],
    ['date -s 2000-01-01', /not permitted/],
    ['ulimit -c; ulimit -c unlimited', /^0\n.*(not permitted|can't)/s],
    ['cat /proc/cmdline', /denied/],
    ['ls -A /proc/1/root/root', /No such file|denied/],
  ])('refused: %s', async (command, answer) => {
    expect(await inside.sh(`${command} 2>&1`)).toMatch(answer);
  });
});

test('T3: when a cgroup is missing, nothing at all runs', async () => {
  const world = await newWorld();
  const sandbox = await world.driver.ensure(world.spec(), signal());
  const marker = mkdtempSync(path.join(tmpdir(), 'berth-marker-'));
  onTestFinished(() => rmSync(marker, { recursive: true, force: true }));
  chmodSync(marker, 0o777);
  const run = async (cgroups: string[]): Promise<number | null> => {
    const child = launch({
      bwrap: '/usr/bin/bwrap',
      args: ['--unshare-all', '--unshare-user', '--ro-bind', '/', '/', '--bind', marker, marker],
      seccomp: Buffer.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]), // allow all
      command: ['/usr/bin/touch', path.join(marker, 'ran')],
      cgroups,
      uid: isRoot ? Number(sandbox.door?.hostUid) : null,
      logFile: path.join(marker, `log-${String(cgroups.length)}`),
      statusFile: path.join(marker, 'status'),
      scratch: marker,
    });
    return new Promise((resolve) => child.once('exit', resolve));
  };
  expect(await run(['/sys/fs/cgroup/none'])).not.toBe(0);
  expect(existsSync(path.join(marker, 'ran'))).toBe(false);
  expect(await run([])).toBe(0); // the twin: it would have run
  expect(existsSync(path.join(marker, 'ran'))).toBe(true);
});

test('T5: the runner is killed; the next listens in the same folder and no output is lost', async () => {
  const world = await newWorld();
  const sandbox = await world.driver.ensure(world.spec(), signal());
  const first = await enter(sandbox);
  const script = 'i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done; sleep 600';
  first.runner.request(1, { op: 'spawn', tag: 'agent', argv: ['sh', '-c', script], env: {} });
  await first.runner.until('some', () => first.runner.told(1).output.length > 20_000);
  const have = first.runner.told(1).output;
  first.runner.die();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { testRunner } = await import('../../../../harnesses/agentd/testing/runner.ts');
  const at = performance.now();
  const second = await testRunner({
    socketDir: sandbox.door?.socketDir ?? '',
    ...(sandbox.door ? { owner: sandbox.door } : {}),
    adopt: { 1: have.length },
  });
  await second.hello;
  expect(performance.now() - at).toBeLessThan(1000);
  const expected = Array.from({ length: 30_000 }, (_, i) => `line ${String(i)}\n`).join('');
  await second.until('all', () => have.length + second.told(1).output.length >= expected.length);
  expect(Buffer.concat([have, second.told(1).output]).toString() === expected).toBe(true);
  second.die();
});

describe('limits', () => {
  test('processes: the limit holds, then a fork bomb is held and removed whole', async () => {
    const world = await newWorld();
    const sandbox = await world.driver.ensure(world.spec({ limits: { pids: 100 } }), signal());
    const inside = await enter(sandbox);
    const count = async (): Promise<number> =>
      Number(await inside.sh('ls -d /proc/[0-9]* | wc -l'));
    const tried = await inside.sh(
      'for i in $(seq 150); do sleep 5 & done 2>&1; echo $(ls -d /proc/[0-9]* | wc -l); kill $(jobs -p) 2>/dev/null',
    );
    expect(tried).toMatch(/fork|Resource temporarily unavailable/i);
    await expect.poll(count, { timeout: 20_000 }).toBeLessThan(20);
    inside.runner.request(1, {
      op: 'spawn',
      tag: 'agent',
      argv: ['bash', '-c', 'f() { f | f & }; f; sleep 30'],
      env: {},
    });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(
      isAlive({ pid: world.initPid(sandbox), startTicks: startTicks(world.initPid(sandbox)) }),
    ).toBe(true);
    await world.driver.remove(sandbox.sessionId, signal());
    if (isRoot) expect(procsOfUid(sandbox.door?.hostUid ?? 0)).toEqual([]);
    inside.runner.die();
  });

  test.runIf(isRoot)(
    'memory: a child that is killed is told, a sandbox that is killed says why',
    async () => {
      const world = await newWorld();
      const spec = world.spec({ limits: { memoryBytes: 192 * MiB } });
      const sandbox = await world.driver.ensure(spec, signal());
      expect(sandbox.notes).toEqual([]);
      const inside = await enter(sandbox);
      const end = new AbortController();
      const watched = world.driver.watch(end.signal)[Symbol.asyncIterator]();
      const next = watched.next();
      const eat = "exec perl -e '$x = q(x) x 400000000; sleep 60'";
      expect(await inside.sh(`sh -c "${eat.replaceAll('$', '\\$')}"; echo code $?`)).toContain(
        'code 137',
      );
      expect(await next).toMatchObject({
        value: { state: 'running', reason: expect.stringContaining('out of memory') as string },
      });
      const death = watched.next();
      inside.runner.request(1, {
        op: 'spawn',
        tag: 'agent',
        argv: [
          'sh',
          '-c',
          'for f in /tmp/x /dev/shm/x; do cat /dev/zero > $f; done; tail /dev/zero',
        ],
        env: {},
      });
      const told = (await death) as IteratorResult<Sandbox, Sandbox>;
      const last =
        told.value.state === 'running' ? ((await watched.next()).value as Sandbox) : told.value;
      expect(last.reason).toMatch(/out of memory/);
      end.abort();
      inside.runner.die();
    },
  );

  test.runIf(!isRoot)('what an ordinary user cannot limit is said', async () => {
    const world = await newWorld();
    const limits = { memoryBytes: 512 * MiB, pids: 50, cpus: 1, diskBytes: MiB };
    const sandbox = await world.driver.ensure(world.spec({ limits }), signal());
    expect(sandbox.notes.join('; ')).toMatch(/no memory limit.*no CPU limit.*no disk limit/);
  });
});

function startTicks(pid: number): string {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

test('suspend leaves no process, keeps files; remove leaves no folder, uid or cgroup', async () => {
  const world = await newWorld();
  const spec = world.spec({ limits: { memoryBytes: 256 * MiB, pids: 100, cpus: 1 } });
  const sandbox = await world.driver.ensure(spec, signal());
  const inside = await enter(sandbox);
  await inside.sh(
    'echo text > /workspace/kept; mkdir /workspace/closed; touch /workspace/closed/x; chmod 0 /workspace/closed; (setsid sleep 900 &)',
  );
  const record = world.record(spec.sessionId) as {
    folder: string;
    cgroups: string[];
    uid: number | null;
  };
  await world.driver.suspend(spec.sessionId, signal());
  inside.runner.die();
  if (record.uid !== null) expect(procsOfUid(record.uid)).toEqual([]);
  expect(record.cgroups.filter((folder) => existsSync(folder))).toEqual([]);
  const again = await enter(await world.driver.ensure(spec, signal()));
  expect(await again.sh('cat /workspace/kept')).toBe('text\n');
  again.runner.die();
  const last = world.record(spec.sessionId) as { cgroups: string[] };
  await world.driver.remove(spec.sessionId, signal());
  expect([record.folder, ...last.cgroups].filter((at) => existsSync(at))).toEqual([]);
  if (record.uid !== null)
    expect(readdirSync('/var/lib/berth/uids')).not.toContain(String(record.uid));
});

test('the control plane is killed with -9: the next one finds the same sandbox, alive', async () => {
  const world = await newWorld();
  const script = path.join(import.meta.dirname, '../testing/ensure-and-wait.ts');
  const { clock: _c, logger: _l, ...plain } = world.options;
  const child = spawn(process.execPath, [script, JSON.stringify(plain)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  const found = await world.driver.get('held', signal());
  expect(found).toMatchObject({ state: 'running', generation: 3 });
  if (!found) return;
  const before = world.initPid(found);
  const spec = world.spec({ sessionId: 'held', generation: 3 });
  expect(await world.driver.ensure(spec, signal())).toEqual(found);
  expect(world.initPid(found)).toBe(before);
  const inside = await enter(found);
  expect(await inside.sh('echo up')).toBe('up\n');
  inside.runner.die();
  // Its death is seen though another process started it.
  const end = new AbortController();
  const death = world.driver.watch(end.signal)[Symbol.asyncIterator]().next();
  const at = performance.now();
  process.kill(before, 'SIGKILL');
  expect(await death).toMatchObject({ value: { sessionId: 'held', state: 'gone' } });
  expect(performance.now() - at).toBeLessThan(1000);
  end.abort();
});

test('a start that was cut off before its record was complete leaves nothing after remove', async () => {
  const world = await newWorld();
  const spec = world.spec();
  const sandbox = await world.driver.ensure(spec, signal());
  const pid = world.initPid(sandbox);
  const proc = { pid, startTicks: startTicks(pid) };
  const { init: _i, outer: _o, ...cut } = world.record(spec.sessionId);
  writeFileSync(
    path.join(world.options.dataDir, 'sandboxes', `${spec.sessionId}.json`),
    JSON.stringify(cut),
  );
  expect(isAlive(proc)).toBe(true);
  await world.again().remove(spec.sessionId, signal());
  expect(isAlive(proc)).toBe(false);
});

test('eight at once, each with its own door', async () => {
  const world = await newWorld();
  const started = performance.now();
  const times = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const inside = await enter(await world.driver.ensure(world.spec(), signal()));
      const ms = performance.now() - started;
      expect(await inside.sh('id -u')).toBe('1000\n');
      inside.runner.die();
      return ms;
    }),
  );
  console.log(
    `hello of eight at once, ms: ${times
      .sort((a, b) => a - b)
      .map((ms) => ms.toFixed(0))
      .join(' ')}`,
  );
  const uids =
    worlds.at(-1) === world
      ? (await world.driver.list(signal())).map((one) => one.door?.hostUid)
      : [];
  if (isRoot) expect(new Set(uids).size).toBe(8);
});

test('what cannot start fails with its reason and log, and can be mended', async () => {
  const world = await newWorld();
  const spec = world.spec();
  const broken = { ...spec, agents: [{ name: 'codex', hostPath: '/usr/none' }] };
  const failed = await world.driver.ensure(broken, signal()).catch((error: unknown) => error);
  expect(failed).toMatchObject(
    isRoot
      ? { code: 'ENOENT' }
      : { state: 'failed', reason: expect.stringContaining('/usr/none') as string },
  );
  expect((await world.driver.ensure(spec, signal())).state).toBe('running');
  await expect(
    world.driver.ensure(
      { ...spec, generation: 2, agents: [{ name: '../x', hostPath: '/usr' }] },
      signal(),
    ),
  ).rejects.toThrow('not an agent');
});

describe('bwrap', () => {
  const real = '/usr/bin/bwrap';
  const dataDir = mkdtempSync(path.join(tmpdir(), 'berth-bwrap-'));
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }));
  test('of the system, when it will do', async () => {
    const fetch = () => Promise.reject(new Error('must not be fetched'));
    expect(
      await resolveBwrap({ dataDir, searchPath: '/none:/usr/bin', fetch, signal: signal() }),
    ).toMatchObject({ path: real });
  });
  test('else fetched once; what does not run is refused with a remedy', async () => {
    let fetched = 0;
    const old = path.join(dataDir, 'bwrap');
    writeFileSync(old, '#!/bin/sh\necho usage: bwrap --ro-bind\n', { mode: 0o755 });
    const fetch = async ({ to }: { to: string }): Promise<void> => {
      fetched += 1;
      copyFileSync(real, to);
    };
    const options = { dataDir, searchPath: dataDir, fetch, signal: signal() };
    expect((await resolveBwrap(options)).path).toMatch(/bin\/bwrap-0\.169\.0-linux/);
    await resolveBwrap(options);
    expect(fetched).toBe(1);
    const bad = {
      ...options,
      dataDir: path.join(dataDir, 'bad'),
      fetch: async ({ to }: { to: string }) => writeFileSync(to, 'garbage'),
    };
    await expect(resolveBwrap(bad)).rejects.toThrow('install the package bubblewrap');
  });
});

test('without isolation only when it was said: shown, and it works', async () => {
  const world = await newWorld({ unsafe: true });
  expect(await world.driver.probe(signal())).toMatchObject({ isolated: false });
  const sandbox = await world.driver.ensure(world.spec({ env: { OWN: 'x' } }), signal());
  expect(sandbox).toMatchObject({ isolated: false, state: 'running' });
  expect(sandbox.notes[0]).toMatch(/NO ISOLATION/);
  const { testRunner } = await import('../../../../harnesses/agentd/testing/runner.ts');
  const runner = await testRunner({ socketDir: sandbox.door?.socketDir ?? '' });
  await runner.hello;
  runner.request(1, {
    op: 'spawn',
    tag: 'agent',
    argv: ['sh', '-c', '(setsid sleep 905 &); pwd; exec sleep 905'],
    env: {},
  });
  await runner.until('a line', () => runner.told(1).output.includes('\n'));
  await world.driver.suspend(sandbox.sessionId, signal());
  expect(spawnSync('pgrep', ['-fx', 'sleep 905']).stdout.toString()).toBe('');
  runner.die();
});

test.runIf(isRoot && process.env['BERTH_TEST_CHILD'] === undefined)(
  'all of it as an ordinary user',
  async () => {
    const home = mkdtempSync(path.join(tmpdir(), 'berth-user-'));
    chmodSync(home, 0o777);
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    const vitest = path.resolve('node_modules/vitest/vitest.mjs');
    const child = spawn(
      'setpriv',
      [
        '--reuid=1500',
        '--regid=1500',
        '--clear-groups',
        process.execPath,
        vitest,
        'run',
        '--project',
        'box',
        '--configLoader=runner',
        import.meta.filename,
      ],
      {
        env: { PATH: process.env['PATH'], HOME: home, TMPDIR: home, BERTH_TEST_CHILD: '1' },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect(code, out.slice(-6000)).toBe(0);
  },
  200_000,
);
