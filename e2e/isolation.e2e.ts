import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Session } from '@berth/contract';
import { probePath } from '../scripts/probes.mjs';
import { runnerPid, startBerth, type Berth } from './support/berth.ts';
import {
  disguise,
  probeAsAgent,
  probeInTerminal,
  type Answers,
  type Questions,
} from './support/inside.ts';
import { autoAgent, idle, replay, say } from './support/talk.ts';

/*
 * The wall as the agent meets it: everything is looked at from inside a real session's sandbox, by the agent and by hand in a terminal, with
 * the product run by root and by an ordinary user. Every "cannot" here has a twin that can, from outside or in another place.
 */
const gatewayKey = 'sk-canary-5f0d2c9b7a1e4c63';
const planted = 'canary-of-the-control-planes-environment-91c7';
const model = 'the-allowed-model';
const isRoot = process.getuid?.() === 0;
/** `nobody`: an ordinary user that every system has. */
const asUsers = isRoot ? [undefined, 65534] : [undefined];

interface World extends AsyncDisposable {
  berth: Berth;
  upstream: { server: Server; seen: { path: string; headers: Record<string, unknown> }[] };
  session: Session;
  other: Session;
  canaries: Map<string, string>;
  questions: Questions;
}

const base64 = (text: string): string[] =>
  // Wherever it stands in what is encoded: at each of the three alignments the middle is the same.
  [0, 1, 2].map((shift) =>
    Buffer.from('x'.repeat(shift) + text)
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -4),
  );

/** Both ends live outside: it is in the memory of our runner, once a connection was made. */
async function egressToken(pid: number, sessionId: string): Promise<string | undefined> {
  const maps = await readFile(`/proc/${String(pid)}/maps`, 'utf8');
  const { openSync, readSync, closeSync } = await import('node:fs');
  const memory = openSync(`/proc/${String(pid)}/mem`, 'r');
  try {
    for (const line of maps.split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      if (from === undefined || to === undefined) continue;
      const start = BigInt(`0x${from}`);
      const bytes = Buffer.alloc(Math.min(Number(BigInt(`0x${to}`) - start), 256 * 2 ** 20));
      let length = 0;
      try {
        length = readSync(memory, bytes, 0, bytes.length, start);
      } catch {
        continue; // not backed by memory
      }
      const text = bytes.subarray(0, length).toString('latin1');
      const found = new RegExp(`BERTH/1 ${sessionId} ([A-Za-z0-9_-]{43})\\n`).exec(text);
      if (found?.[1] !== undefined) return found[1];
    }
    return undefined;
  } finally {
    closeSync(memory);
  }
}

async function createWorld(uid: number | undefined): Promise<World> {
  const seen: World['upstream']['seen'] = [];
  const server = createServer((request, response) => {
    seen.push({ path: request.url ?? '', headers: request.headers });
    response.setHeader('content-type', 'application/json');
    response.end('{"id":"1","object":"chat.completion","choices":[]}');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const upstreamPort = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const berth = await startBerth({
    env: {
      LITELLM_GATEWAY_URL: `http://127.0.0.1:${String(upstreamPort)}`,
      LITELLM_API_KEY: gatewayKey,
      SOME_VARIABLE: planted,
    },
    ...(uid === undefined ? {} : { uid }),
  });
  const agent = await berth.client.agents.create({
    name: 'with a model',
    harness: 'rehearsal',
    mode: 'auto',
    model,
  });
  const session = await berth.client.sessions.create({ agentId: agent.id });
  const other = await berth.client.sessions.create({ agentId: (await autoAgent(berth)).id });
  await idle(berth, session.id);
  await idle(berth, other.id);
  await say(
    berth,
    other.id,
    `/write secret.txt canary-of-the-other-session-77e1
/run node -e 'const n=require("net"); n.createServer().listen(4555, "127.0.0.1"); n.createServer().listen("\\0other-session"); setTimeout(()=>process.exit(), 200000)' > /dev/null 2>&1 &`,
  );
  // One connection, so that the egress token was used.
  await say(
    berth,
    session.id,
    '/run curl -sS -m 5 https://example.com/ || true\n/run curl -sS -m 5 https://example.com/ || true',
  );
  const runner = (await runnerPid(berth.dataDir)) ?? 0;
  const link = JSON.parse(
    await readFile(join(berth.dataDir, 'runner', 'link.json'), 'utf8'),
  ) as Record<string, string>;
  const canaries = new Map([
    ['token', berth.token.replace(/^berth_[^_]+_/, '')],
    ['gateway key', gatewayKey],
    ['environment', planted],
    ['runner credential', link['credential'] ?? ''],
    ['egress token', (await egressToken(runner, session.id)) ?? ''],
    ['database password', (await databasePassword(berth.dataDir)) ?? ''],
    ['other session', 'canary-of-the-other-session-77e1'],
  ]);
  const port = Number(new URL(berth.url).port);
  const own = Object.values(networkInterfaces())
    .flat()
    .flatMap((one) => (one === undefined || one.address.startsWith('fe80') ? [] : [one.address]));
  const gateways = (await readFile('/proc/net/route', 'utf8'))
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const hex = line.split('\t')[2];
      return hex === undefined || hex === '00000000'
        ? []
        : [
            hex
              .match(/../g)
              ?.reverse()
              .map((byte) => Number.parseInt(byte, 16))
              .join('.') ?? '',
          ];
    });
  const elsewhere = [...own, ...gateways, '10.0.0.1', '169.254.169.254', '1.1.1.1'];
  const resolvers = [
    ...(await readFile('/etc/resolv.conf', 'utf8')).matchAll(/^nameserver\s+(\S+)/gm),
  ].map((found) => found[1] ?? '');
  const sockets = [
    join(berth.dataDir, 'vault.sock'),
    join(berth.dataDir, 'pg', 'pg', 'run', '.s.PGSQL.5432'),
    join(berth.dataDir, 'pg', 'run', '.s.PGSQL.5432'),
    '/var/run/docker.sock',
    '/run/dbus/system_bus_socket',
  ];
  const chat = (name: string): string => JSON.stringify({ model: name, messages: [] });
  const post = (path: string, body: string, more = ''): string =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n${more}Content-Length: ${String(body.length)}\r\n\r\n${body}`;
  return {
    berth,
    upstream: { server, seen },
    session,
    other,
    canaries,
    questions: {
      canaries: [...canaries].flatMap(([name, value]) => [
        { name, disguised: disguise(value) },
        ...base64(value).map((text) => ({ name: `${name} in base64`, disguised: disguise(text) })),
      ]),
      hostPids: [process.pid, berth.pid, runner],
      hostPaths: [
        berth.dataDir,
        join(berth.dataDir, 'local.json'),
        join(berth.dataDir, 'runner', 'link.json'),
        import.meta.filename,
        '/root',
        '/etc/shadow',
        '/etc/ssh',
        '/var/lib/berth',
        '/sys',
        '/boot',
        '/mnt',
        '/srv',
      ],
      dials: [
        ...['127.0.0.1', '::1', ...elsewhere].flatMap((host) => [
          { host, port },
          { host, port: upstreamPort },
        ]),
        ...elsewhere.map((host) => ({ host, port: 80 })),
        { host: 'example.com', port: 443 },
        { host: '127.0.0.1', port: 4555 },
        { path: '\0other-session' },
        ...sockets.map((path) => ({ path })),
      ],
      dns: ['127.0.0.1', '127.0.0.53', '1.1.1.1', ...resolvers],
      commands: [
        'unshare -Ur true',
        'mount -t tmpfs none /tmp',
        'mount -o remount,rw /',
        'chroot / true',
        'su -c true',
        'mknod /tmp/disk b 254 0',
        'dmesg',
        'nsenter -t 1 -a true',
        'setpriv --reuid 0 true',
        'ip link add dummy0 type dummy',
        'echo core > /proc/sys/kernel/core_pattern',
        // The log of agentd and its init, which lies on the host.
        ...[1, 2].flatMap((pid) =>
          [1, 2].map((fd) => `echo x >> /proc/${String(pid)}/fd/${String(fd)}`),
        ),
        'date -s 2020-01-01',
        'curl -sS -m 5 --noproxy "*" https://example.com/',
      ],
      speak: [
        ...[
          post('/v1/chat/completions', chat(model)),
          post(
            '/v1/chat/completions',
            chat(model),
            `Authorization: Bearer sk-mine\r\nX-Berth-Session: ${other.id}\r\nX-LiteLLM-Api-Key: mine\r\n`,
          ),
          post('/v1/chat/completions', chat('another-model')),
          post('/v1/embeddings', JSON.stringify({ model, input: 'x' })),
          post('/key/generate', '{}'),
          post('/v1/../key/generate', '{}'),
          post('/v1/%2e%2e/key/generate', '{}'),
          post('http://127.0.0.1/key/generate', '{}'),
          'GET /api/v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
          'GET /gateway/openai/v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
          'GET /v1/../../api/v1/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
          'GET /v1/../../../metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
          `CONNECT 127.0.0.1:${String(port)} HTTP/1.1\r\nHost: x\r\n\r\n`,
        ].map((bytes) => ({ port: 4100, bytes })),
        ...[
          ...[`127.0.0.1:${String(port)}`, '169.254.169.254:80', `[::1]:${String(port)}`],
          ...['[::ffff:127.0.0.1]:443', '2130706433:443', 'localhost:443', 'example.com:443'],
        ].map((target) => ({
          port: 3128,
          bytes: `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`,
        })),
        {
          port: 3128,
          bytes: `GET http://127.0.0.1:${String(port)}/metrics HTTP/1.1\r\nHost: x\r\n\r\n`,
        },
        // Nobody speaks for another session by writing the runner's first line again.
        {
          port: 3128,
          bytes: `BERTH/1 ${other.id} ${'A'.repeat(43)}\nCONNECT example.com:443 HTTP/1.1\r\n\r\n`,
        },
      ],
    },
    async [Symbol.asyncDispose]() {
      await berth[Symbol.asyncDispose]();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The embedded server's; where it lies is the store's own affair. */
async function databasePassword(dataDir: string): Promise<string | undefined> {
  const places = await readdir(dataDir, { recursive: true });
  const found = places.find((path) => path.endsWith('pg.secret'));
  return found === undefined ? undefined : (await readFile(join(dataDir, found), 'utf8')).trim();
}

/** Mount points, and whether they may be written. Nothing else of the host exists inside. */
const allowedMounts: readonly (readonly [RegExp, 'ro' | 'rw'])[] = [
  [/^\/$/, 'ro'],
  [/^\/(usr|bin|sbin|lib|lib32|lib64|libx32)$/, 'ro'],
  [/^\/etc\/[^/]+(\/[^/]+)*$/, 'ro'],
  [/^\/proc$/, 'rw'],
  [/^\/proc\/.+$/, 'ro'],
  [/^\/dev$/, 'ro'],
  [/^\/dev\/(null|zero|full|random|urandom|tty|pts|shm|console)$/, 'rw'],
  [/^\/(tmp|run)$/, 'rw'],
  [/^\/run\/berth$/, 'ro'],
  [/^\/(workspace|home\/agent)$/, 'rw'],
  [/^\/opt\/(node|agentd|agents\/[a-z-]+)$/, 'ro'],
];

function checkWall(answers: Answers, world: World): void {
  for (const { pid, status, command } of answers.processes) {
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status[set], `${set} of ${String(pid)} ${command}`).toBe('0'.repeat(16));
    expect(status['Seccomp']?.trim(), `seccomp of ${String(pid)}`).toBe('2');
    expect(status['NoNewPrivs']?.trim(), `no new privileges of ${String(pid)}`).toBe('1');
  }
  expect(answers.uid).toBe(1000);
  expect(answers.hostname).toBe('berth');
  expect(JSON.stringify(answers.names)).not.toContain(hostname());

  for (const line of answers.mounts) {
    const [, , , root = '', at = '', options = ''] = line.split(' ');
    const rule = allowedMounts.find(([pattern]) => pattern.test(at));
    expect(rule, `mount ${line}`).toBeDefined();
    expect(options.split(',')[0], `mount ${line}`).toBe(rule?.[1]);
    expect(root, 'no folder of a person shows').not.toMatch(/^\/(home|root|Users)\//);
  }
  const top = answers.files.folders.filter((path) => /^\/[^/]+$/.test(path)).sort();
  expect(top.filter((path) => !/^\/(lib32|lib64|libx32|bin|sbin|lib)$/.test(path))).toEqual([
    ...['/dev', '/etc', '/home', '/opt', '/run', '/tmp', '/var', '/workspace'],
  ]);
  for (const path of answers.files.writable)
    expect(path).toMatch(/^\/(workspace|home\/agent|tmp|run|dev\/shm)(\/|$)/);
  expect(answers.files.writable).toEqual(expect.arrayContaining(['/workspace', '/home/agent']));
  expect(answers.files.sockets.sort()).toEqual(
    ['agentd', 'egress', 'gateway'].map((name) => `/run/berth/${name}.sock`),
  );
  expect(answers.files.devices.filter((path) => !path.startsWith('/dev/pts/')).sort()).toEqual(
    ['full', 'null', 'random', 'tty', 'urandom', 'zero'].map((name) => `/dev/${name}`),
  );
  expect(answers.sysctls.count).toBeGreaterThan(500);
  expect(answers.sysctls.open).toEqual([]);

  // Of our files only the sandbox's own log is open inside: agentd writes to it. Who is not root sees its name, as in the mounts.
  for (const path of answers.processSecrets.opened.filter((one) =>
    one.includes(world.berth.dataDir),
  ))
    expect(path.slice(world.berth.dataDir.length)).toMatch(/^\/s\/[0-9a-f]+\/(log|w\/.*|h\/.*)$/);
  for (const { command } of answers.processes)
    expect(command).toMatch(/bwrap|agentd\.cjs|rehearsal|probe|bash|node|sh -c|^ *$/);
  expect(answers.processes.length).toBeLessThan(20);
  for (const answer of answers.hostPids) expect(answer).toMatchObject({ refused: 'ESRCH' });
  for (const answer of answers.hostPaths) expect(answer).toMatchObject({ refused: 'ENOENT' });

  expect(answers.interfaces).toEqual(['lo']);
  expect(answers.routes).toEqual([]);
  expect(answers.ports).toEqual({ v4: [3128, 4100], v6: [] });
  for (const [target, answer] of Object.entries(answers.dials))
    expect(answer, target).toMatch(
      /^(ECONNREFUSED|ENETUNREACH|ENOENT|EAI_AGAIN|ENOTFOUND|EADDRNOTAVAIL)$/,
    );
  for (const answer of answers.dns) expect(answer).toMatch(/^(ECONNREFUSED|ENETUNREACH|silent)$/);
  expect(answers.unixSockets.join('\n')).not.toContain('other-session');

  expect(answers.files.found).toEqual([]);
  expect(answers.processSecrets.found).toEqual([]);
  expect(answers.files.count).toBeGreaterThan(50);
  // The processes of one uid may read each other: so agentd and its init hold nothing either.
  expect(answers.processSecrets.scannedBytes).toBeGreaterThan(2 ** 20);
  for (const [command, { code, said }] of Object.entries(answers.tried))
    expect(code, `${command}: ${said}`).not.toBe(0);
}

function checkSpoken(answers: Answers, world: World): void {
  const head = answers.spoken.map((said) => said.split('\r\n')[0] ?? '');
  const [plain, smuggled, ...refused] = head;
  expect(plain).toBe('HTTP/1.1 200 OK');
  expect(smuggled).toBe('HTTP/1.1 200 OK');
  for (const [index, line] of refused.entries())
    expect(line, JSON.stringify(world.questions.speak[index + 2])).toMatch(
      /^(HTTP\/1\.1 4\d\d .*)?$/,
    );
  const asked = world.upstream.seen.filter(({ path }) => path.includes('completions'));
  expect(asked.length).toBeGreaterThanOrEqual(2);
  for (const { headers } of asked) {
    expect(headers['authorization']).toBe(`Bearer ${gatewayKey}`);
    expect(JSON.stringify(headers)).not.toContain('mine');
    expect(JSON.stringify(headers)).not.toContain('x-berth');
  }
  expect(world.upstream.seen.filter(({ path }) => path.includes('key/generate'))).toEqual([]);
}

describe.each(asUsers)('started by uid %s', (uid) => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld(uid);
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  test('the canaries are known, and can be found where they belong', async () => {
    for (const [name, value] of world.canaries)
      expect(value.length, name).toBeGreaterThanOrEqual(16);
    const me = await fetch(`${world.berth.url}/api/v1/me`, {
      headers: { authorization: `Bearer ${world.berth.token}` },
    });
    expect(me.status).toBe(200);
  });

  test('the agent sees and reaches its sandbox, and nothing else', async () => {
    const answers = await probeAsAgent(world.berth, world.session.id, world.questions);
    checkWall(answers, world);
    checkSpoken(answers, world);
    // The twin: what is planted in its own workspace, it finds; not one of the canaries, which would stay in agentd's memory.
    const known = 'planted-to-be-found-3b1d8a';
    await world.berth.client.files.write(
      world.session.id,
      'planted.txt',
      Buffer.from(Buffer.from(`x${known}`).toString('base64')),
    );
    const again = await probeAsAgent(world.berth, world.session.id, {
      ...world.questions,
      canaries: base64(known).map((one) => ({ name: 'planted', disguised: disguise(one) })),
      speak: [],
    });
    expect(again.files.found).toEqual([{ name: 'planted', path: '/workspace/planted.txt' }]);
    await say(world.berth, world.session.id, '/run rm planted.txt');
  });

  test('so does a shell in a terminal', async () => {
    const answers = await probeInTerminal(world.berth, world.session.id, world.questions);
    checkWall(answers, world);
    checkSpoken(answers, world);
  });

  test('no canary is in what people and logs are told', async () => {
    const { berth, session, other } = world;
    const told = new Map([['the log on standard error', berth.log()]]);
    for (const { id } of [session, other]) {
      told.set(`events of ${id}`, JSON.stringify(await replay(berth, id)));
      for (const path of [
        `sessions/${id}`,
        `sessions/${id}/turns`,
        `sessions/${id}/export`,
        `sessions/${id}/terminals`,
        ...['runner', 'agent', 'sandbox'].map((source) => `sessions/${id}/logs?source=${source}`),
      ]) {
        const answer = await fetch(`${berth.url}/api/v1/${path}`, {
          headers: { authorization: `Bearer ${berth.token}` },
        });
        expect(answer.status, path).toBe(200);
        told.set(path, await answer.text());
      }
    }
    for (const path of ['agents', 'me', 'meta', 'harnesses', 'tokens'])
      told.set(
        path,
        await (
          await fetch(`${berth.url}/api/v1/${path}`, {
            headers: { authorization: `Bearer ${berth.token}` },
          })
        ).text(),
      );
    told.set('metrics', await (await fetch(`${berth.url}/metrics`)).text());
    for (const path of await readdir(berth.dataDir, { recursive: true }))
      if (/\.(log|out)$/.test(path))
        told.set(path, await readFile(join(berth.dataDir, path), 'utf8'));
    for (const [name, value] of world.canaries) {
      if (name === 'other session') continue; // its own transcript may have it
      for (const form of [value, ...base64(value)])
        for (const [where, text] of told)
          expect(text.includes(form), `${name} in ${where}`).toBe(false);
    }
  });

  test('who speaks the protocol to the runner from inside disturbs neither the runner nor another session', async () => {
    const { berth, session, other } = world;
    const before = await runnerPid(berth.dataDir);
    await berth.client.files.write(
      session.id,
      'intruder.mjs',
      await readFile(join(import.meta.dirname, 'support', 'intruder.mjs')),
    );
    const intruding = say(berth, session.id, '/run node intruder.mjs', 120);
    for (let round = 0; round < 5; round++)
      expect((await say(berth, other.id, `/say round ${String(round)}`)).reply).toBe(
        `round ${String(round)}`,
      );
    const turn = await intruding;
    expect(turn.state).toBe('done');
    const said = JSON.stringify(await replay(berth, session.id));
    expect(said).toContain('intruder: done');
    expect(said).toContain('intruder: heard 0 bytes');
    expect((await say(berth, session.id, '/say still here')).reply).toBe('still here');
    expect(await runnerPid(berth.dataDir)).toBe(before);
    expect((await berth.client.sessions.get(session.id)).status).toBe('idle');
  });

  test.skipIf(!existsSync(probePath('amicontained')))(
    'amicontained finds a container without rights (skipped without Go)',
    async () => {
      // At its end it tries every system call with zeros for arguments, in its own process, and now and then one of them does not come back. What
      // is asked of it here it says before that. Its last question, a Docker socket, is the probe's: that one lists every socket there is.
      const said = await runInside(world, 'amicontained', 'timeout -s KILL 5 ./amicontained');
      expect(said).toMatch(/Seccomp: filtering/);
      expect(said).toMatch(/user: true/);
      expect(said).toMatch(/pid: true/);
      expect(said).not.toMatch(/Capabilities:\s*\n\s*BOUNDING -> \w/);
    },
  );

  test.skipIf(!existsSync(probePath('cdk')))(
    'cdk evaluate finds no way out (skipped without Go)',
    async () => {
      const said = await runInside(world, 'cdk', './cdk evaluate');
      expect(said).toMatch(/CapBnd:\s+0{16}/);
      expect(said).toMatch(/net namespace isolated/);
      expect(said).not.toMatch(/critical|escape|sensitive/i);
      expect(said).not.toContain(hostname());
      for (const value of world.canaries.values()) expect(said).not.toContain(value);
    },
  );
});

/** Inside only: as root on a host, these programs change the host. */
async function runInside(
  world: World,
  name: 'amicontained' | 'cdk',
  command: string,
): Promise<string> {
  const { berth, session } = world;
  await berth.client.files.write(session.id, name, await readFile(probePath(name)));
  const turn = await say(
    berth,
    session.id,
    `/run chmod +x ${name}; { ${command}; } > ${name}.out 2>&1; echo ended >> ${name}.out; rm ${name}`,
    120,
  );
  expect(turn).toMatchObject({ state: 'done' });
  const file = await berth.client.files.read(session.id, `${name}.out`);
  const said = await file.text();
  expect(said).toContain('ended');
  return said;
}
