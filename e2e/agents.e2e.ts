import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Event, Session, Turn } from '@berth/contract';
import { until, type Berth } from './support/berth.ts';
import { litellmMissing, type LiteLlm } from './support/litellm.ts';
import type { ModelServer } from './support/model-server.ts';
import { realAgents, startForRealAgents } from './support/real-agents.ts';
import { follow, idle, replay, say, text, waiting } from './support/talk.ts';
import { killNamed, openShell, screenShows, typeOn } from './support/terminal.ts';

/**
 * The real agents in real sandboxes, their model traffic through Berth's gateway and a real LiteLLM to a scripted model. One session for each, used
 * from its first boot to its last failure.
 */
const missing = litellmMissing();
if (missing !== null) console.error(`agents.e2e: left out: ${missing}`);

describe.skipIf(missing !== null)('real agents', () => {
  let model: ModelServer;
  let litellm: LiteLlm;
  let berth: Berth;
  let cached: (harness: string) => boolean;
  let env: Record<string, string>;
  // Also when only a part of it came up.
  const scope = new AsyncDisposableStack();
  const sessions = new Map<string, string>();

  beforeAll(async () => {
    ({ model, litellm, berth, cached, env } = await startForRealAgents(scope));
  });
  afterAll(() => scope.disposeAsync());

  const notices = (log: readonly Event[], code: string): Event[] =>
    log.filter((event) => event.kind === 'notice' && event.payload.code === code);
  async function send(sessionId: string, prompt: string): Promise<string> {
    const id = randomUUID();
    await berth.client.turns.create(sessionId, { id, prompt: text(prompt) });
    return id;
  }
  const ended = async (sessionId: string, turnId: string, waitSeconds = 60): Promise<Turn> => {
    const turn = await berth.client.turns.get(sessionId, turnId, { waitSeconds });
    expect(turn.endedAt, `${turn.state}\n${berth.log().slice(-3000)}`).toBeDefined();
    return turn;
  };
  const answer = async (sessionId: string, kind: string): Promise<void> => {
    const { id, options, revision } = await waiting(berth, sessionId);
    const option = options.find((each) => each.kind === kind);
    expect(option, `an option of kind ${kind}`).toBeDefined();
    await berth.client.approvals.decide(id, { optionId: option?.optionId ?? '', revision });
  };
  const file = async (sessionId: string, path: string): Promise<string> =>
    Buffer.from(await (await berth.client.files.read(sessionId, path)).bytes()).toString();
  /** The words of a turn as they come. */
  async function streaming(sessionId: string, turnId: string): Promise<ReturnType<typeof follow>> {
    const reader = follow(berth, sessionId);
    await until(
      () =>
        reader.seen.some(
          (event) =>
            event.turnId === turnId &&
            event.kind === 'message.delta' &&
            event.payload.text.includes('w2'),
        ),
      30_000,
      'the first words',
    );
    return reader;
  }

  describe.each(realAgents)('$id', (kind) => {
    const { id, process: processName, upstream, rejected, handsOver } = kind;
    let session: Session;
    let folder: string;
    let asked = 0;
    /** What the upstream was asked for on behalf of this harness. */
    const requests = (): ModelServer['requests'] => model.requests.slice(asked);

    beforeAll(async () => {
      asked = model.requests.length;
      folder = await mkdtemp(join(tmpdir(), 'berth-folder-'));
      await writeFile(join(folder, 'README.md'), 'old\n');
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    test('a session from a folder boots visibly, the agent fetched at its first use', async () => {
      const agent = await berth.client.agents.create({
        name: id,
        harness: id,
        model: kind.model,
        mode: 'ask',
      });
      session = await berth.client.sessions.create({ agentId: agent.id, awaitArchive: true });
      sessions.set(id, session.id);
      await until(
        async () =>
          (await replay(berth, session.id)).some(
            (event) =>
              event.kind === 'sandbox.phase' && event.payload.detail === 'Waiting for the files',
          ),
        300_000,
        'a sandbox that waits for the files',
      );
      await berth.client.files.archive(
        session.id,
        execFileSync('tar', ['-czf', '-', '-C', folder, '.']),
      );
      await idle(berth, session.id, 90_000);
      const phases = (await replay(berth, session.id)).flatMap((event) =>
        event.kind === 'sandbox.phase' ? [event.payload] : [],
      );
      expect(phases.map(({ phase }) => phase)).toEqual(
        expect.arrayContaining(['creating', 'starting', 'agent-starting', 'ready']),
      );
      const installing = phases.filter(({ phase }) => phase === 'installing');
      expect(installing.some(({ progress }) => progress !== undefined)).toBe(!cached(id));
    });

    test('text streams, and its tokens and cost are the session’s', async () => {
      const turnId = await send(session.id, 'STREAM 200 10');
      const reader = await streaming(session.id, turnId);
      const turn = await ended(session.id, turnId);
      expect(turn.state).toBe('done');
      expect(turn.reply).toContain('w1 w2 w3');
      expect(turn.reply).toContain('w199 w200');
      const pieces = reader.seen.filter(
        (event) => event.kind === 'message.delta' && event.turnId === turnId,
      );
      expect(pieces.length).toBeGreaterThan(3);
      await until(() => reader.seen.some((event) => event.kind === 'usage'), 10_000, 'usage');
      // The event is first; all calls of 50 ms are counted into the session together.
      const usageOf = async () => (await berth.client.sessions.get(session.id)).usage;
      await until(async () => (await usageOf()).inputTokens >= 100, 10_000, 'its tokens');
      const usage = await usageOf();
      expect(usage.outputTokens).toBeGreaterThanOrEqual(20);
      expect(Number(usage.costUsd)).toBeGreaterThan(0);
      reader.close();
    });

    test('what the upstream sees: the model, the session, and nothing of the agent’s key', () => {
      expect(requests().length).toBeGreaterThan(0);
      for (const { headers, model: asked } of requests()) {
        const own = headers['x-api-key'] ?? headers['x-goog-api-key'];
        const key = own ?? headers.authorization?.replace('Bearer ', '');
        expect(key).toBe('key-of-the-upstream');
        expect(asked).toBe(upstream);
      }
    });

    test('an edit asks: allowed, it is made; denied, it is not', async () => {
      const allowed = await send(session.id, 'WRITE /workspace/allowed.txt yes');
      await answer(session.id, 'allow_once');
      expect((await ended(session.id, allowed)).state).toBe('done');
      expect(await file(session.id, 'allowed.txt')).toBe('yes');
      const denied = await send(session.id, 'WRITE /workspace/denied.txt no');
      await answer(session.id, 'reject_once');
      expect((await ended(session.id, denied)).state).toBe(rejected);
      const names = (await berth.client.files.list(session.id)).items.map(({ name }) => name);
      expect(names).toContain('allowed.txt');
      expect(names).not.toContain('denied.txt');
    });

    test('a command runs in the sandbox, and the agent gets its output', async () => {
      const turnId = await send(session.id, 'SHELL echo "new" > README.md; printf "made-%d" 052');
      await answer(session.id, 'allow_once');
      expect((await ended(session.id, turnId)).reply).toContain('made-42');
      expect(await file(session.id, 'README.md')).toBe('new\n');
    });

    test('the changes come out as a patch that git takes', async () => {
      await until(
        async () => (await berth.client.changes.list(session.id)).files.length === 2,
        10_000,
        'two changed files',
      );
      const patch = await berth.client.changes.patch(session.id);
      execFileSync('git', ['init', '-q'], { cwd: folder });
      execFileSync('git', ['apply', '-'], { cwd: folder, input: await patch.bytes() });
      expect(await readFile(join(folder, 'README.md'), 'utf8')).toBe('new\n');
      expect(await readFile(join(folder, 'allowed.txt'), 'utf8')).toBe('yes');
    });

    test('a model that is not the agent’s own is refused, and said', async () => {
      const shell = await openShell(berth, session.id);
      shell.type(
        `curl -s -o /dev/null -w 'status %{http_code}\\n' http://127.0.0.1:4100/v1/chat/completions -H 'content-type: application/json' -d '{"model":"second","messages":[]}'`,
      );
      await shell.shows('status 400');
      await shell.end();
      const seen = notices(await replay(berth, session.id), 'model-not-allowed');
      expect(seen).toHaveLength(1);
      expect(requests().every(({ model: asked }) => asked === upstream)).toBe(true);
    });

    test('cancelled in mid-stream; the next prompt works', async () => {
      const turnId = await send(session.id, 'STREAM 4000 10');
      const reader = await streaming(session.id, turnId);
      await berth.client.sessions.cancel(session.id);
      expect((await ended(session.id, turnId)).state).toBe('cancelled');
      reader.close();
      expect((await say(berth, session.id, 'and then')).reply).toContain('You said: and then');
    });

    test('kill -9 of the agent in mid-stream: it is back, says so, and remembers', async () => {
      const turnId = await send(session.id, 'STREAM 1000 10');
      const reader = await streaming(session.id, turnId);
      await killNamed(berth, session.id, processName);
      const turn = await ended(session.id, turnId, 120);
      expect(turn).toMatchObject({ state: 'done' });
      expect(notices(await replay(berth, session.id), 'agent-restarted')).toHaveLength(1);
      const recalled = (await say(berth, session.id, 'RECALL')).reply ?? '';
      expect(recalled).toContain('and then');
      expect(recalled.match(/STREAM 1000 10/g)).toHaveLength(1);
      reader.close();
    });

    test('kill -9 of the control plane in mid-stream: the log is one, live and replayed', async () => {
      const turnId = await send(session.id, 'STREAM 300 10');
      const reader = await streaming(session.id, turnId);
      const before = await replay(berth, session.id);
      await berth.kill();
      await berth.start();
      const turn = await ended(session.id, turnId, 120);
      // The stream of the model went through the dead process: the agent asked again by itself.
      expect(turn).toMatchObject({ state: 'done' });
      expect(turn.reply).toContain('w300');
      await idle(berth, session.id);
      const log = await replay(berth, session.id);
      const kept = new Map(log.map((event) => [event.seq, event]));
      for (const event of before)
        if (event.kind !== 'message.delta') expect(kept.get(event.seq)).toEqual(event);
      const last = log.at(-1)?.seq ?? 0;
      await until(() => (reader.seqs.at(-1) ?? 0) >= last, 20_000, 'the reader at the end');
      expect(new Set(reader.seqs).size).toBe(reader.seqs.length);
      const live = new Map(reader.seen.map((event) => [event.seq, event]));
      for (const event of log) expect(live.get(event.seq)).toEqual(event);
      expect(await replay(berth, session.id)).toEqual(log);
      reader.close();
    });

    test('its own terminal shows the conversation; the chat goes on afterwards', async () => {
      const said = `marker-${id}`;
      await say(berth, session.id, said);
      const terminal = await berth.client.terminals.open(session.id, {
        kind: 'agent',
        cols: 100,
        rows: 40,
      });
      await screenShows(berth, terminal.id, `You said: ${said}`);
      expect((await berth.client.sessions.get(session.id)).holder).toBe(
        handsOver ? 'terminal' : 'chat',
      );
      const typed = `typed-${id}`;
      if (handsOver) {
        await typeOn(berth, terminal.id, typed);
        await berth.client.sessions.takeBack(session.id);
        await until(
          async () => (await berth.client.sessions.get(session.id)).holder === 'chat',
          15_000,
          'the conversation back in the chat',
        );
      }
      const turn = await say(berth, session.id, 'after the terminal');
      expect(turn.reply).toContain('You said: after the terminal');
      // An attached one sees what the chat does.
      if (!handsOver) {
        await screenShows(berth, terminal.id, 'You said: after the terminal');
        await berth.client.terminals.close(terminal.id);
      }
      expect((await say(berth, session.id, 'RECALL')).reply).toContain(said);
      if (!handsOver) return;
      // What was typed there is in the chat, with what the agent said to it; and it is nobody's turn.
      const log = await replay(berth, session.id);
      const users = log.filter((event) => event.kind === 'message.user');
      const there = users.filter(({ payload }) => payload.via === 'terminal');
      expect(there.map(({ payload }) => payload.content)).toEqual([text(typed)]);
      const turnId = there[0]?.turnId ?? '';
      expect(
        log.flatMap((event) =>
          event.kind === 'message' && event.turnId === turnId ? [event.payload.content] : [],
        ),
      ).toEqual([text(`You said: ${typed}`)]);
      expect(notices(log, 'terminal-unread')).toEqual([]);
      await expect(berth.client.turns.get(session.id, turnId)).rejects.toMatchObject({
        code: 'not-found',
      });
    });
  });

  /** What a person sees within a minute, however the agent takes it; then the session is at rest again. */
  async function trouble(code: string): Promise<void> {
    for (const [id, sessionId] of sessions) {
      const before = notices(await replay(berth, sessionId), code).length;
      const turnId = await send(sessionId, 'hello');
      await until(
        async () => notices(await replay(berth, sessionId), code).length > before,
        30_000,
        `${id}: ${code}`,
      );
      await berth.client.sessions.cancel(sessionId);
      await ended(sessionId, turnId);
      await idle(berth, sessionId);
      expect(notices(await replay(berth, sessionId), code)).toHaveLength(before + 1);
    }
  }
  test('the key is wrong: said once, in one sentence', async () => {
    env['LITELLM_API_KEY'] = 'sk-wrong';
    await berth.stop();
    await berth.start();
    await trouble('gateway-key');
  });
  test('the gateway is down: said once, in one sentence', async () => {
    await litellm.stop();
    await trouble('gateway-unreachable');
  });
});
