import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Event } from '@berth/contract';
import { attachTerminal, createClient } from '../client/index.ts';
import { connectNode } from '../client/node.ts';
import { until, type Berth } from './support/berth.ts';
import { startBalancer, startCluster, watchWrites, type Cluster } from './support/replicas.ts';
import { autoAgent, follow, idle, rehearsal, replay, say, text, waiting } from './support/talk.ts';

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster();
});
afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
});
/** The helpers ask of it only what a process of the control plane has. */
const asBerth = (replica: Cluster['a']): Berth => replica as unknown as Berth;

const spoken = (log: readonly Event[]): string =>
  log
    .flatMap((event) => (event.kind === 'message' ? event.payload.content : []))
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('\n');
const allWords = (count: number): string =>
  Array.from({ length: count }, (_, index) => `w${String(index + 1)}`).join(' ');
function checkWhole(seqs: readonly number[], log: readonly Event[]): void {
  expect(new Set(seqs).size).toBe(seqs.length);
  expect([...seqs]).toEqual([...seqs].sort((one, other) => one - other));
  const seen = new Set(seqs);
  for (const { seq } of log) expect(seen.has(seq), `event ${String(seq)} was read`).toBe(true);
}
const reached = (reader: { seqs: number[] }, log: readonly Event[]): Promise<void> =>
  until(() => (reader.seqs.at(-1) ?? 0) >= (log.at(-1)?.seq ?? 0), 20_000, 'the reader at the end');
const streaming = (reader: { seen: Event[] }): Promise<void> =>
  until(
    () => reader.seen.some((event) => event.kind === 'message.delta'),
    20_000,
    'the first words',
  );

test('turns, approvals, cancels and intents through the process that does not hold the link; viewers of both read the same bytes', async () => {
  const { holder, other } = await cluster.holder();
  const agent = await autoAgent(asBerth(other));
  const session = await other.client.sessions.create({ agentId: agent.id });
  await idle(asBerth(other), session.id);
  const here = follow(asBerth(holder), session.id);
  const there = follow(asBerth(other), session.id);
  expect((await say(asBerth(other), session.id, '/say one')).reply).toBe('one');
  expect((await say(asBerth(holder), session.id, '/say two')).reply).toBe('two');

  const hanging = randomUUID();
  await other.client.turns.create(session.id, { id: hanging, prompt: text('/hang') });
  const queued = randomUUID();
  const withdrawn = randomUUID();
  await other.client.turns.create(session.id, { id: queued, prompt: text('/say first') });
  await other.client.turns.create(session.id, { id: withdrawn, prompt: text('/say never') });
  await until(
    async () => (await other.client.turns.get(session.id, hanging)).state === 'running',
    20_000,
    'a turn that hangs',
  );
  await other.client.turns.patch(session.id, queued, { prompt: text('/say edited') });
  await other.client.turns.withdraw(session.id, withdrawn);
  const before = performance.now();
  await other.client.sessions.cancel(session.id);
  expect(await other.client.turns.get(session.id, hanging, { waitSeconds: 20 })).toMatchObject({
    state: 'cancelled',
  });
  process.stdout.write(`cancelled after ${(performance.now() - before).toFixed(0)} ms\n`);
  const edited = await other.client.turns.get(session.id, queued, { waitSeconds: 20 });
  expect(edited.reply).toBe('edited');
  expect(await other.client.turns.get(session.id, withdrawn)).toMatchObject({ state: 'cancelled' });

  const asking = await other.client.sessions.create({
    agentId: (await rehearsal(asBerth(other))).id,
    prompt: text('/ask Which? | red | green'),
  });
  const approval = await waiting(asBerth(other), asking.id);
  await other.client.approvals.decide(approval.id, {
    optionId: approval.options.find((option) => option.name === 'green')?.optionId ?? '',
    revision: approval.revision,
  });
  await until(
    async () => spoken(await replay(asBerth(holder), asking.id)).includes('green'),
    20_000,
    'the answer',
  );

  await other.client.sessions.suspend(session.id);
  await until(
    async () => (await holder.client.sessions.get(session.id)).status === 'suspended',
    30_000,
    'a session asleep',
  );
  expect((await say(asBerth(other), session.id, '/say awake')).reply).toBe('awake');

  const log = await replay(asBerth(holder), session.id);
  expect(await replay(asBerth(other), session.id)).toEqual(log);
  await reached(here, log);
  await reached(there, log);
  checkWhole(here.seqs, log);
  checkWhole(there.seqs, log);
  for (const reader of [here, there]) {
    const bySeq = new Map(reader.seen.map((event) => [event.seq, event]));
    for (const event of log) expect(bySeq.get(event.seq)).toEqual(event);
    reader.close();
  }
  const ends = log.filter(({ kind }) => kind === 'turn.ended').map(({ turnId }) => turnId);
  expect(new Set(ends).size).toBe(ends.length);
});

test('a terminal, files and logs through the process that does not hold the link, joined again by offset', async () => {
  const { holder, other } = await cluster.holder();
  const agent = await autoAgent(asBerth(other));
  const session = await other.client.sessions.create({ agentId: agent.id });
  await idle(asBerth(other), session.id);
  const size = { cols: 100, rows: 30 };
  const terminal = await other.client.terminals.open(session.id, { kind: 'shell', ...size });

  const join = (client: Cluster['a']['client'], offset?: number) => {
    const attached = attachTerminal({
      client,
      connect: connectNode,
      terminalId: terminal.id,
      size,
      ...(offset === undefined ? {} : { offset }),
    });
    let seen = '';
    attached.onScreen(({ bytes }) => {
      seen += Buffer.from(bytes).toString();
    });
    attached.onBytes((bytes) => {
      seen += Buffer.from(bytes).toString();
    });
    return { attached, seen: () => seen };
  };
  const typed = (one: ReturnType<typeof join>, keys: string): Promise<void> =>
    until(() => one.attached.write(Buffer.from(keys)), 15_000, 'a terminal that takes keys');
  const shows = (one: ReturnType<typeof join>, what: string): Promise<void> =>
    until(() => one.seen().includes(what), 20_000, what);

  const there = join(other.client);
  await typed(there, 'echo rel""ayed > file.txt; cat file.txt\n');
  await shows(there, 'relayed');
  const offset = there.attached.offset;
  there.attached.close();
  const here = join(holder.client);
  await typed(here, 'echo mean""while\n');
  await shows(here, 'meanwhile');
  const again = join(other.client, offset);
  await shows(again, 'meanwhile');
  expect(again.seen()).not.toContain('relayed');

  // How much longer a key's echo takes through the other process: one key after the other, each seen by both before the next.
  const starts = [here.seen().length, again.seen().length] as const;
  let keys = 0;
  const arrived = (one: number): boolean =>
    (one === 0 ? here : again).seen().length - starts[one === 0 ? 0 : 1] >= keys;
  const tick = () => new Promise((done) => setImmediate(done));
  const echo = async (one: 0 | 1): Promise<number> => {
    keys += 1;
    const from = performance.now();
    (one === 0 ? here : again).attached.write(Buffer.from('x'));
    while (!arrived(one)) await tick();
    const took = performance.now() - from;
    while (!arrived(0) || !arrived(1)) await tick();
    return took;
  };
  const direct: number[] = [];
  const relayed: number[] = [];
  for (let n = 0; n < 40; n++) {
    direct.push(await echo(0));
    relayed.push(await echo(1));
  }
  const median = (times: number[]) => times.sort((one, two) => one - two)[times.length >> 1] ?? 0;
  process.stdout.write(
    `echo of a key: ${median(direct).toFixed(2)} ms direct, ${median(relayed).toFixed(2)} ms relayed\n`,
  );
  await typed(again, '\u0003');
  await typed(again, 'seq 200000 | tail -c 100000; echo flo""od\n');
  await shows(again, 'flood');

  const files = await other.client.files.list(session.id, '/workspace');
  expect(files.items.map(({ name }) => name)).toContain('file.txt');
  here.attached.close();
  again.attached.close();
  await other.client.terminals.close(terminal.id);
});

test('kill -9 of the process that holds the link, in mid-stream: the other one takes over, nothing lost, nothing doubled', async () => {
  const { holder, other } = await cluster.holder();
  await using front = await startBalancer(() => [holder.url, other.url]);
  const viewer = {
    ...holder,
    client: createClient({ url: front.url, token: () => holder.token }),
  };
  const session = await other.client.sessions.create({
    agentId: (await autoAgent(asBerth(other))).id,
  });
  await idle(asBerth(other), session.id);
  const through = follow(asBerth(viewer), session.id);
  const there = follow(asBerth(other), session.id);
  const turnId = randomUUID();
  await holder.client.turns.create(session.id, { id: turnId, prompt: text('/stream 150 20') });
  await streaming(through);
  holder.signal('SIGKILL');
  const from = performance.now();
  // Said while nobody holds the link: it waits for the one that will.
  const next = randomUUID();
  await other.client.turns.create(session.id, { id: next, prompt: text('/diary') });
  const told = there.seqs.length;
  await until(() => there.seqs.length > told + 3, 20_000, 'the stream going on');
  process.stdout.write(`taken over after ${(performance.now() - from).toFixed(0)} ms\n`);
  const turn = await other.client.turns.get(session.id, turnId, { waitSeconds: 60 });
  expect(turn.state).toBe('done');
  const diary = await other.client.turns.get(session.id, next, { waitSeconds: 60 });
  expect(diary.reply?.match(/stream 150/g)).toHaveLength(1);
  const log = await replay(asBerth(other), session.id);
  expect(spoken(log)).toContain(allWords(150));
  expect(log.some(({ kind }) => kind === 'notice')).toBe(false);
  await reached(through, log);
  await reached(there, log);
  checkWhole(through.seqs, log);
  checkWhole(there.seqs, log);
  through.close();
  there.close();
});

test('a process that is frozen and thawed is fenced: it writes nothing, and its viewers are sent on', async () => {
  const { holder, other } = await cluster.holder();
  const session = await other.client.sessions.create({
    agentId: (await autoAgent(asBerth(other))).id,
  });
  await idle(asBerth(other), session.id);
  const there = follow(asBerth(other), session.id);
  const left = follow(asBerth(holder), session.id);
  const turnId = randomUUID();
  await holder.client.turns.create(session.id, { id: turnId, prompt: text('/stream 1500 25') });
  await streaming(there);
  const writes = await watchWrites(cluster.sql);
  holder.signal('SIGSTOP');
  const from = performance.now();
  await until(
    async () => (await cluster.holder().catch(() => null))?.holder === other,
    60_000,
    'the runner at the other process',
  );
  process.stdout.write(`moved on after ${(performance.now() - from).toFixed(0)} ms frozen\n`);
  const seen = there.seqs.length;
  await until(() => there.seqs.length > seen + 5, 20_000, 'the stream going on');
  const { rows: heads } = await cluster.sql.query<{ epoch: number; last_seq: number }>(
    'select epoch, last_seq::int as last_seq from session_head where session_id = $1',
    [session.id],
  );
  const epoch = heads[0]?.epoch ?? 0;
  const before = (await writes(holder.name)).length;
  holder.signal('SIGCONT');
  await until(() => holder.log().includes('this process was away'), 20_000, 'the thaw seen');
  // Asked while it may still believe that the session is its own.
  expect((await holder.client.turns.get(session.id, turnId)).state).toBe('running');
  await holder.client.sessions.cancel(session.id);
  const turn = await other.client.turns.get(session.id, turnId, { waitSeconds: 60 });
  expect(turn.state).toBe('cancelled');
  await idle(asBerth(other), session.id);
  // It asked for the cancel, which is a row of the turn; of the session and its log it wrote nothing.
  const after = (await writes(holder.name)).slice(before);
  expect(after.filter((what) => what !== 'UPDATE turn')).toEqual([]);
  const { rows } = await cluster.sql.query<{ n: number }>(
    'select count(1)::int as n from session_event where session_id = $1 and epoch < $2 and seq > $3',
    [session.id, epoch, heads[0]?.last_seq],
  );
  expect(rows[0]?.n).toBe(0);
  // The twin: who owns it does write.
  expect((await writes(other.name)).some((what) => what === 'INSERT session_event')).toBe(true);
  const log = await replay(asBerth(other), session.id);
  await reached(there, log);
  await reached(left, log);
  checkWhole(there.seqs, log);
  checkWhole(left.seqs, log);
  there.close();
  left.close();
});

test('SIGTERM hands the runners over in mid-stream, without losing an event', async () => {
  const { holder, other } = await cluster.holder();
  const session = await other.client.sessions.create({
    agentId: (await autoAgent(asBerth(other))).id,
  });
  await idle(asBerth(other), session.id);
  const there = follow(asBerth(other), session.id);
  const turnId = randomUUID();
  await holder.client.turns.create(session.id, { id: turnId, prompt: text('/stream 150 20') });
  await streaming(there);
  holder.signal('SIGTERM');
  await holder.ended();
  expect((await cluster.holder()).holder).toBe(other);
  const turn = await other.client.turns.get(session.id, turnId, { waitSeconds: 60 });
  expect(turn.state).toBe('done');
  const log = await replay(asBerth(other), session.id);
  expect(spoken(log)).toContain(allWords(150));
  await reached(there, log);
  checkWhole(there.seqs, log);
  there.close();
});
