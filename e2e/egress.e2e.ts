import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Session } from '@berth/contract';
import { startBerth, until, type Berth } from './support/berth.ts';
import { startGitServer, type GitServer } from './support/git-server.ts';
import { idle, replay, say } from './support/talk.ts';

/** What leaves a sandbox: the agent's hosts, through the proxy, and nothing else by no other way. */
let server: GitServer;
let berth: Berth;
let session: Session;

beforeAll(async () => {
  server = await startGitServer({ 'README.md': 'old\n', 'kept.txt': 'kept\n' });
  berth = await startBerth({
    env: { BERTH_EGRESS_TRUSTED: `${server.address}/32@${String(server.port)}` },
  });
  const agent = await berth.client.agents.create({
    name: 'reaches out',
    harness: 'rehearsal',
    mode: 'auto',
    repository: { url: server.url },
    egress: { allow: [server.host] },
    // Git knows no other way to trust one certificate before there is a file to name; curl below does check it.
    env: { GIT_SSL_NO_VERIFY: 'true' },
  });
  session = await berth.client.sessions.create({ agentId: agent.id });
});
afterAll(async () => {
  await berth[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** What a command says in the sandbox, both streams, and how it ends. */
async function run(command: string): Promise<string> {
  await say(berth, session.id, `/run { ${command}; } > said.txt 2>&1; echo "code $?" >> said.txt`);
  return (await berth.client.files.read(session.id, 'said.txt')).text();
}
interface EgressLine {
  msg: string;
  sessionId: string;
  host: string;
  port: number;
  outcome: string;
  reason: string;
  bytesDown: number;
}
const egress = (): EgressLine[] =>
  berth
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"egress"'))
    .map((line) => JSON.parse(line) as EgressLine)
    .filter(({ msg, sessionId }) => msg === 'egress' && sessionId === session.id);

test('the sandbox clones the agent’s repository through the proxy, and that is the base', async () => {
  await idle(berth, session.id, 60_000);
  expect(server.requests.some((line) => line.includes('git-upload-pack'))).toBe(true);
  const said = (await replay(berth, session.id)).flatMap((event) =>
    event.kind === 'sandbox.phase' ? [event.payload.detail ?? ''] : [],
  );
  expect(said).toContain(`Cloning ${server.url}`);
  const names = (await berth.client.files.list(session.id)).items.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['README.md', 'kept.txt']));
  expect((await berth.client.changes.list(session.id)).files).toEqual([]);
  await say(berth, session.id, '/write README.md changed');
  await until(
    async () => (await berth.client.changes.list(session.id)).files.length > 0,
    10_000,
    'a change',
  );
  const { files } = await berth.client.changes.list(session.id);
  expect(files.map(({ path }) => path)).toEqual(['README.md']);
  const patch = await (await berth.client.changes.patch(session.id)).text();
  expect(patch).toMatch(/-old\n\+changed/);
  await until(() => egress().length > 0, 5_000, 'a line in the log');
  expect(egress()[0]).toMatchObject({
    host: server.host,
    port: server.port,
    outcome: 'tunnelled',
    reason: 'on the egress list',
  });
  expect(egress()[0]?.bytesDown).toBeGreaterThan(0);
});

test('TLS goes through untouched: the server’s own certificate arrives', async () => {
  await berth.client.files.write(session.id, 'server.pem', Buffer.from(server.certificate));
  const said = await run(
    `curl -sS --cacert server.pem -o /dev/null -w 'status %{http_code}' ${server.url}/HEAD`,
  );
  expect(said).toContain('status 200');
});

test('a host that is not on the list: refused with the reason, and logged', async () => {
  const said = await run('curl -sS -v https://elsewhere.example/');
  expect(said).toContain('403');
  expect(said).toContain('x-berth: elsewhere.example is not on the egress list');
  expect(said).not.toContain('code 0');
  await until(
    () => egress().some(({ host }) => host === 'elsewhere.example'),
    5_000,
    'a line in the log',
  );
  expect(egress().find(({ host }) => host === 'elsewhere.example')).toMatchObject({
    outcome: 'denied',
    reason: 'elsewhere.example is not on the egress list',
    bytesDown: 0,
  });
});

test.each([
  ['another port of an allowed host', () => `https://${server.host}:9/`, 'port 9 is not open'],
  ['an address', () => `https://${server.address}:${String(server.port)}/`, 'not a host name'],
  ['plain HTTP', () => `http://${server.host}/`, 'plain HTTP is not tunnelled'],
])('%s is refused', async (_name, url, reason) => {
  // Loopback is never asked through a proxy otherwise.
  const said = await run(`curl -sS -v -k --noproxy '' ${url()}`);
  expect(said).toContain('403');
  expect(said).toContain(reason);
});

test('there is no other way out: no route, no names, no host', async () => {
  expect(await run('grep -vc Iface /proc/net/route')).toBe('0\ncode 1\n');
  const direct = `curl -sS -k -m 5 --noproxy '*'`;
  expect(await run(`${direct} https://${server.host}:${String(server.port)}/`)).toContain(
    'Could not resolve host',
  );
  // The same address is the sandbox's own loopback there, where nobody listens.
  const address = await run(`${direct} https://${server.address}:${String(server.port)}/`);
  expect(address).toMatch(/code [1-9]/);
  expect(await run(`${direct} https://1.1.1.1/`)).toMatch(/code [1-9]/);
  expect(await run('getent hosts elsewhere.example')).toContain('code 2');
  expect(await run('git ls-remote https://elsewhere.example/x.git')).toContain('403');
});
