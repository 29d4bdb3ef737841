import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { namespaceRefusal } from './bwrap.ts';
import { reasonOf } from './ending.ts';
import { sandboxEnvironment } from './environment.ts';
import { launch, parseStatus } from './launch.ts';
import { bwrapArguments, type Layout } from './layout.ts';
import { cgroupHost, cgroupWrites, makeLimits, memoryKills } from './limits.ts';
import { closeLog, tailOf, trimLog } from './logs.ts';
import { publish, reachable } from './reachable.ts';
import { createRecords, type SandboxRecord } from './records.ts';
import { createTurns } from './turns.ts';
import { claimUid, releaseUid, subordinateRanges, uidRange } from './uids.ts';

const scratch = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'berth-pure-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

describe('layout', () => {
  const layout: Layout = {
    workspace: '/s/1/w',
    home: '/s/1/h',
    run: '/s/1/run',
    node: '/n',
    agentd: '/a',
    agents: [{ name: 'codex', hostPath: '/c' }],
    env: { A: 'b' },
    tmpBytes: 5,
    machineId: '0123',
  };
  const host = {
    roots: { '/bin': 'usr/bin', '/lib32': null },
    masks: ['/proc/keys'],
    disableUserns: true,
  };
  const args = bwrapArguments(layout, host);
  const text = args.map((arg) => (typeof arg === 'string' ? arg : `<${arg.data}>`)).join(' ');

  test.each([
    '--unshare-user --unshare-ipc --unshare-pid --unshare-net --unshare-uts',
    '--cap-drop ALL --uid 1000 --gid 1000 --hostname berth --clearenv',
    '--symlink usr/bin /bin',
    '--ro-bind /lib32 /lib32',
    '--proc /proc --ro-bind /proc/sys /proc/sys --ro-bind /dev/null /proc/keys',
    '--size 5 --perms 1777 --tmpfs /tmp',
    '--ro-bind /s/1/run /run/berth --bind /s/1/w /workspace --bind /s/1/h /home/agent',
    '--ro-bind /c /opt/agents/codex',
    '--setenv A b --remount-ro /dev --remount-ro / --chdir /workspace',
    '--disable-userns',
  ])('has %s', (part) => {
    expect(text).toContain(part);
  });
  test('writes only where it must, and binds nothing else of the host', () => {
    const after = (option: string): (string | undefined)[] =>
      args.flatMap((arg, at) => (arg === option ? [args[at + 1] as string] : []));
    expect(after('--bind')).toEqual(['/s/1/w', '/s/1/h']);
    expect(after('--dev-bind')).toEqual([]);
    const sources = [...after('--ro-bind'), ...after('--ro-bind-try')];
    expect(sources.filter((source) => !source?.startsWith('/etc/'))).toEqual([
      ...['/usr', '/lib32', '/proc/sys', '/dev/null', '/s/1/run', '/n', '/a', '/c'],
    ]);
    for (const never of ['/etc/shadow', '/etc/ssh', '/etc/passwd', '/etc/resolv.conf', '/etc'])
      expect(sources).not.toContain(never);
    expect(text).not.toMatch(/--(new-session|die-with-parent|as-pid-1|share-net)/);
  });
});

test('environment: proxies in both cases, git by variables, the own ones win, a heap below the limit', () => {
  const env = sandboxEnvironment({ LANG: 'de_DE.UTF-8', X: '1' }, { memoryBytes: 1000 * 2 ** 20 });
  expect(env).toMatchObject({
    ...{ HOME: '/home/agent', USER: 'agent', LANG: 'de_DE.UTF-8', X: '1', NODE_USE_ENV_PROXY: '1' },
    ...{ https_proxy: 'http://127.0.0.1:3128', ALL_PROXY: 'http://127.0.0.1:3128' },
    ...{ no_proxy: 'localhost,127.0.0.1,::1', NODE_OPTIONS: '--max-old-space-size=600' },
    ...{ GIT_CONFIG_COUNT: '3', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' },
  });
  expect(env['GIT_CONFIG_KEY_2']).toBe('url.https://github.com/.insteadOf');
  expect(sandboxEnvironment({}, {})['NODE_OPTIONS']).toBeUndefined();
});

describe('limits', () => {
  const v1 =
    '33 30 0:29 / /cg/memory rw - cgroup cgroup rw,memory\n34 30 0:30 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct';
  const v2 = '35 30 0:31 / /cg/unified rw - cgroup2 cgroup2 rw';
  test.each([
    [`${v1}\n${v2}`, { v1: { memory: '/cg/memory', cpu: '/cg/cpu' }, v2: '/cg/unified' }],
    [v2, { v1: {}, v2: '/cg/unified' }],
    ['', { v1: {} }],
    ['broken', { v1: {} }],
  ])('reads %j', (mountinfo, host) => {
    expect(cgroupHost(mountinfo)).toEqual(host);
  });
  test.each([
    [1, 'cpu', { cpus: 0.5 }, ['cpu.cfs_period_us=100000', 'cpu.cfs_quota_us=50000']],
    [2, 'cpu', { cpus: 2 }, ['cpu.max=200000 100000']],
    [1, 'memory', { memoryBytes: 7 }, ['memory.limit_in_bytes=7', 'memory.memsw.limit_in_bytes=7']],
    [2, 'memory', { memoryBytes: 7 }, ['memory.max=7', 'memory.swap.max=0']],
    [2, 'pids', { pids: 9 }, ['pids.max=9']],
  ] as const)('v%i %s %j', (version, name, limits, writes) => {
    const found = cgroupWrites(version, name, limits).map(({ file, value }) => `${file}=${value}`);
    expect(found).toEqual(writes);
  });
  test('what cannot be enforced is said; processes fall back to the resource limit', () => {
    const asked = { memoryBytes: 1, pids: 5, cpus: 1, diskBytes: 1 };
    const none = makeLimits('n', asked, { v1: {} });
    expect(none).toMatchObject({ cgroups: [], processes: 5 });
    expect(none.notes.map((note) => note.slice(0, 15))).toEqual([
      ...['no memory limit', 'no CPU limit: t', 'no disk limit: '],
    ]);
    expect(makeLimits('n', {}, { v1: {} })).toEqual({
      cgroups: [],
      processes: undefined,
      notes: [],
    });
    // A folder that is no cgroup: it may be made, but the controller's file is missing there.
    const file = path.join(scratch(), 'file');
    writeFileSync(file, '');
    expect(makeLimits('n', { memoryBytes: 1 }, { v1: { memory: file } }).notes[0]).toContain(
      'not writable',
    );
  });
  test('counts memory kills of either version', () => {
    const folder = scratch();
    expect(memoryKills([folder, '/none'])).toBe(0);
    writeFileSync(path.join(folder, 'memory.events'), 'low 0\noom 4\noom_kill 3\n');
    expect(memoryKills([folder])).toBe(3);
    rmSync(path.join(folder, 'memory.events'));
    writeFileSync(path.join(folder, 'memory.oom_control'), 'under_oom 0\noom_kill 2\n');
    expect(memoryKills([folder])).toBe(2);
  });
});

test.each([
  [{ outOfMemory: true, exitCode: 137, lastLine: 'x' }, 'killed: out of memory'],
  [{ outOfMemory: false, exitCode: undefined, lastLine: 'x' }, 'killed from outside'],
  [{ outOfMemory: false, exitCode: 137, lastLine: undefined }, 'killed by signal 9'],
  [
    { outOfMemory: false, exitCode: 75, lastLine: 'agentd: no runner came: the sandbox ends' },
    'ended with code 75: no runner came: the sandbox ends',
  ],
  [
    { outOfMemory: false, exitCode: 1, lastLine: "bwrap: Can't find source path" },
    "ended with code 1: bwrap: Can't find source path",
  ],
])('%j: %s', (facts, reason) => {
  expect(reasonOf(facts)).toBe(reason);
});

test.each([
  ['', {}],
  ['{ "child-pid": 12', {}],
  ['{ "child-pid": 123, "ipc-namespace": 4 }\n', { initPid: 123 }],
  ['{ "child-pid": 123 }\n{ "exit-code": 0 }\n', { initPid: 123, exitCode: 0 }],
])('status %j', (text, told) => {
  expect(parseStatus(text)).toEqual(told);
});

test.each([
  ['apparmor_restrict_unprivileged_userns', '1', 'kernel.apparmor_restrict_unprivileged_userns=0'],
  ['unprivileged_userns_clone', '0', 'kernel.unprivileged_userns_clone=1'],
  ['max_user_namespaces', '0', 'user.max_user_namespaces'],
  ['none', '', 'cannot make a sandbox here: bwrap: setting up uid map: Permission denied'],
])('%s: one line with the remedy', (name, value, remedy) => {
  const said = 'warning\nbwrap: setting up uid map: Permission denied\n';
  const refusal = namespaceRefusal(said, (file) => (file.endsWith(`/${name}`) ? value : null));
  expect(refusal).toContain(remedy);
  expect(refusal).not.toContain('\n');
});

describe('uids', () => {
  test('one for each, never one that is in use or given to a user', () => {
    const claims = path.join(scratch(), 'uids');
    const busy = new Set<number>();
    const first = claimUid(claims, (uid) => busy.has(uid));
    busy.add(first + 1);
    const second = claimUid(claims, (uid) => busy.has(uid));
    expect(second).toBeGreaterThan(first + 1);
    expect(first).toBeGreaterThanOrEqual(uidRange.first);
    releaseUid(claims, first);
    releaseUid(claims, first);
    expect(claimUid(claims, () => false)).toBe(first);
  });
  test.each([
    ['', []],
    [
      'a:100000:65536\nb:165536:65536\n',
      [
        { first: 100000, last: 165535 },
        { first: 165536, last: 231071 },
      ],
    ],
    ['garbage\n:\nx:y:z', []],
  ])('%j', (text, ranges) => {
    expect(subordinateRanges(text)).toEqual(ranges);
  });
});

describe('records', () => {
  const record: SandboxRecord = {
    ...{ sessionId: 'a-1', name: 'n', folder: '/f', uid: null, generation: 1, wanted: 'suspended' },
    ...{ isolated: true, notes: [], cgroups: [], memoryKills: 0 },
  };
  test('kept by name, listed, removed', () => {
    const records = createRecords(path.join(scratch(), 'r'));
    expect(records.get('a-1')).toBeNull();
    records.put(record, true);
    expect(records.get('a-1')).toEqual(record);
    expect(records.list()).toEqual([record]);
    records.remove('a-1');
    records.remove('a-1');
    expect(records.list()).toEqual([]);
  });
  test.each(['../x', 'a/b', '', '.', 'a\0', 'x'.repeat(100)])('%j is no name', (name) => {
    const records = createRecords(path.join(scratch(), 'r'));
    expect(() => records.get(name)).toThrow('not a session id');
    expect(() => records.put({ ...record, sessionId: name })).toThrow('not a session id');
  });
});

test('a log keeps its end', () => {
  const file = path.join(scratch(), 'log');
  expect(tailOf(file, 3)).toEqual([]);
  writeFileSync(file, 'one\n\ntwo\nthree');
  expect(tailOf(file, 2)).toEqual(['two', 'three']);
  writeFileSync(file, `${'x'.repeat(99)}\n`.repeat(20_000) + 'last\n');
  closeLog(file);
  trimLog(file);
  expect(statSync(file).mode & 0o777).toBe(0o400);
  expect(statSync(file).size).toBeLessThan(70_000);
  expect(tailOf(file, 1)).toEqual(['last']);
});

test('a folder that others cannot enter is copied to where they can, once for each state', () => {
  const base = scratch(); // 0700, as a home folder is
  const original = path.join(base, 'original');
  mkdirSync(original);
  writeFileSync(path.join(original, 'file'), 'one');
  expect([reachable('/usr/bin/env'), reachable(original)]).toEqual([true, false]);
  expect(publish('/usr/bin/env', base)).toBe('/usr/bin/env');
  const copy = publish(original, path.join(base, 'shared'));
  expect(readFileSync(path.join(copy, 'file'), 'utf8')).toBe('one');
  expect(publish(original, path.join(base, 'shared'))).toBe(copy);

  // What is reached by a link through such a folder is not where the sandbox could find it either.
  const link = path.join(base, 'link');
  symlinkSync('/usr/bin', link);
  expect(publish(path.join(link, 'env'), base)).toBe('/usr/bin/env');
});

test.runIf(process.getuid?.() === 0)('a sandbox is never started as root', () => {
  const nothing = { bwrap: '/usr/bin/bwrap', args: [], command: [], cgroups: [] };
  const files = { logFile: '/none', statusFile: '/none', scratch: '/none' };
  expect(() => launch({ ...nothing, ...files, seccomp: Buffer.alloc(0), uid: null })).toThrow(
    'never started as root',
  );
});

test('turns: one at a time for a name, in order, through failures', async () => {
  const turns = createTurns();
  const seen: string[] = [];
  const work =
    (name: string, fail = false) =>
    async () => {
      seen.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.push(`${name} ends`);
      if (fail) throw new Error(name);
      return name;
    };
  const first = turns.take('a', work('1', true));
  const second = turns.take('a', work('2'));
  await expect(first).rejects.toThrow('1');
  expect(await second).toBe('2');
  expect(seen).toEqual(['1 begins', '1 ends', '2 begins', '2 ends']);
});
