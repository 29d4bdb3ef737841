import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Agent, Event, Session } from '@berth/contract';
import { dist, startBerth, until, type Berth } from './support/berth.ts';
import { ownAgent, runsBeside, type OwnAgent } from './support/own-agent.ts';
import { idle, replay, status, text } from './support/talk.ts';

/*
 * An agent that cannot start: within seconds the session says why, with the last lines that it wrote; a message that was sent meanwhile is kept, and
 * is answered by an agent that can.
 */
let berth: Berth;
let agent: Agent;
let own: OwnAgent;
const install: OwnAgent['install'] = (content, mode) => own.install(content, mode);

beforeAll(async () => {
  berth = await startBerth();
  own = await ownAgent(berth);
  await install('#!/bin/sh\nexit 0\n');
  agent = await berth.client.agents.create({
    name: 'broken',
    harness: 'opencode',
    model: 'any',
    mode: 'auto',
  });
});
afterAll(() => berth[Symbol.asyncDispose]());

const started = (): Promise<Session> => berth.client.sessions.create({ agentId: agent.id });
type PhaseEvent = Extract<Event, { kind: 'sandbox.phase' }>['payload'];
const phases = async (sessionId: string): Promise<PhaseEvent[]> =>
  (await replay(berth, sessionId)).flatMap((event) =>
    event.kind === 'sandbox.phase' ? [event.payload] : [],
  );

const manyLines = Array.from({ length: 100 }, (_none, n) => `echo line ${String(n)} >&2`).join(
  '\n',
);
test.each<[string, string | Uint8Array, number, RegExp, RegExp | null]>([
  [
    'ends at once, with words',
    `#!/bin/sh\n${manyLines}\necho "no licence for this model" >&2\nexit 3\n`,
    0o755,
    /^The agent did not start \(exit code 3\), 3 times within a minute$/,
    /no licence for this model/,
  ],
  [
    'is no program',
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3]),
    0o755,
    /did not start/,
    null,
  ],
  [
    'may not be run',
    '#!/bin/sh\nexit 0\n',
    0o644,
    /^The agent did not start: .*bin\/opencode.*EACCES/,
    null,
  ],
  [
    'needs an interpreter that is not there',
    '#!/none/such\n',
    0o755,
    /^The agent did not start: .*bin\/opencode.*ENOENT/,
    null,
  ],
  [
    'speaks another language',
    '#!/bin/sh\necho "Welcome! What shall we do today?"\nread line\necho "I do not understand $line"\n',
    0o755,
    /did not start/,
    /Welcome! What shall we do today\?/,
  ],
])('an agent that %s', async (_name, content, mode, reason, line) => {
  await install(content, mode);
  const { id } = await started();
  const turnId = randomUUID();
  await berth.client.turns.create(id, { id: turnId, prompt: text('are you there?') });
  const failed = await status(berth, id, 'failed', 20_000);
  expect(failed.reason).toMatch(reason);
  expect(failed.reason).not.toMatch(/\n|\bat .*\.(ts|mjs):\d/);
  const last = (await phases(id)).findLast(({ phase }) => phase === 'failed');
  if (line !== null) {
    expect(last?.logs?.join('\n')).toMatch(line);
    expect(last?.logs?.length).toBeLessThanOrEqual(20);
  }
  // Nothing is lost: the message waits for an agent that works.
  expect((await berth.client.turns.get(id, turnId)).endedAt).toBeUndefined();
  await berth.client.sessions.remove(id);
});

test('an agent that never answers is said to be silent within seconds, and can be given up', async () => {
  await install('#!/bin/sh\necho warming up >&2\nexec sleep 600\n');
  const { id } = await started();
  await until(
    async () =>
      (await phases(id)).some(
        ({ detail, logs }) =>
          detail === 'opencode has not answered for 8 seconds' &&
          logs?.includes('warming up') === true,
      ),
    20_000,
    'the sentence',
  );
  expect((await berth.client.sessions.get(id)).sandbox.detail).toBe(
    'opencode has not answered for 8 seconds',
  );
  await berth.client.sessions.suspend(id);
  await status(berth, id, 'suspended', 20_000);
});

test('repaired, the session starts again and answers what waited', async () => {
  await install('#!/bin/sh\nexit 1\n');
  const { id } = await started();
  const turnId = randomUUID();
  await berth.client.turns.create(id, { id: turnId, prompt: text('/say here I am') });
  await status(berth, id, 'failed', 20_000);
  // An agent that works stands in its place: the rehearsal agent speaks the same protocol.
  await own.beside('rehearsal.mjs', await readFile(dist('rehearsal', 'rehearsal.mjs')));
  await install(runsBeside('rehearsal.mjs'));
  await berth.client.sessions.resume(id);
  const turn = await berth.client.turns.get(id, turnId, { waitSeconds: 30 });
  expect(turn).toMatchObject({ state: 'done', reply: 'here I am' });
  await idle(berth, id);
});
