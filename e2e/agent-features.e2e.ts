import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ContentBlock, EventKind, Payload, Session, Turn } from '@berth/contract';
import { until, type Berth } from './support/berth.ts';
import { litellmMissing } from './support/litellm.ts';
import type { ModelServer } from './support/model-server.ts';
import { realAgents, startForRealAgents } from './support/real-agents.ts';
import { idle, replay, say, text, waiting } from './support/talk.ts';
import { killNamed, openKiller } from './support/terminal.ts';

/**
 * What a person may give a real agent beside words, and what comes back beside text: images, files, modes, models, commands, thoughts, diffs. Beside
 * `agents.e2e.ts`, which takes the same agents through a life with accidents.
 */
const missing = litellmMissing();
if (missing !== null) console.error(`agent-features.e2e: left out: ${missing}`);

/** One red pixel. */
const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';

describe.skipIf(missing !== null)('what real agents take and give', () => {
  let model: ModelServer;
  let berth: Berth;
  const scope = new AsyncDisposableStack();

  beforeAll(async () => {
    ({ model, berth } = await startForRealAgents(scope));
  });
  afterAll(() => scope.disposeAsync());

  describe.each(realAgents)('$id', (kind) => {
    let session: Session;

    beforeAll(async () => {
      const { id: harness, model: own } = kind;
      const agent = await berth.client.agents.create({ name: harness, harness, model: own });
      session = await berth.client.sessions.create({ agentId: agent.id });
      await idle(berth, session.id, 300_000);
    }, 310_000);

    const give = async (prompt: ContentBlock[]): Promise<Turn> =>
      berth.client.turns.create(session.id, { id: randomUUID(), prompt }, { waitSeconds: 60 });
    const seen = async <K extends EventKind>(of: K, turnId?: string): Promise<Payload<K>[]> =>
      (await replay(berth, session.id)).flatMap((event) =>
        event.kind === of && (turnId === undefined || event.turnId === turnId)
          ? [event.payload as Payload<K>]
          : [],
      );
    /** Ours: what an agent says of itself (Codex, that it does not know the scripted model) is its own affair. */
    const warnings = async (): Promise<string[]> =>
      (await seen('notice')).map(({ code }) => code).filter((code) => code !== 'agent-notice');
    const change = async (body: { mode?: 'ask' | 'auto'; model?: string }): Promise<void> => {
      const { version } = await berth.client.sessions.get(session.id);
      await berth.client.sessions.patch(session.id, version, body);
      await idle(berth, session.id);
    };
    const answer = async (wanted: string): Promise<void> => {
      const { id, options, revision } = await waiting(berth, session.id);
      const optionId = options.find((option) => option.kind === wanted)?.optionId ?? '';
      await berth.client.approvals.decide(id, { optionId, revision });
    };

    test('an image of a prompt reaches the model', async () => {
      const image = { type: 'image' as const, mimeType: 'image/png', data: png };
      expect((await give([...text('LOOK'), image])).reply).toContain('I see 1 images');
    });

    test('a mentioned file is named to the model', async () => {
      await berth.client.files.write(session.id, 'notes.md', Buffer.from('the notes'));
      const link = {
        type: 'resource_link' as const,
        uri: 'file:///workspace/notes.md',
        name: 'notes.md',
      };
      const turn = await give([...text('what stands in'), link]);
      expect(turn.state).toBe('done');
      expect(JSON.stringify(model.requests.at(-1)?.body)).toContain('notes.md');
    });

    test('a thought is a thought', async () => {
      const turn = await say(berth, session.id, 'THINK of the sea');
      expect(turn.reply).toContain('I thought.');
      const thoughts = await seen('thought', turn.id);
      expect(JSON.stringify(thoughts).includes('of the sea')).toBe(kind.thinks);
      expect(turn.reply).not.toContain('of the sea');
    });

    test('its commands are listed', async () => {
      const listed = (await seen('commands')).at(-1)?.commands ?? [];
      expect(listed.length).toBeGreaterThan(0);
      expect(listed.every(({ name }) => /^\S+( \S+)*$/.test(name))).toBe(true);
    });

    test('mode ask asks and shows what it would write; mode auto does not ask; and back', async () => {
      const write = 'WRITE /workspace/asked.txt one';
      const id = randomUUID();
      await berth.client.turns.create(session.id, { id, prompt: text(write) });
      await answer('allow_once');
      expect((await berth.client.turns.get(session.id, id, { waitSeconds: 60 })).state).toBe(
        'done',
      );
      const diffs = (await seen('tool', id)).flatMap(({ diff }) => diff ?? []);
      expect(diffs.some(({ path, newText }) => /asked.txt$/.test(path) && newText === 'one')).toBe(
        kind.diff,
      );

      await change({ mode: 'auto' });
      const before = (await seen('approval.requested')).length;
      const auto = await say(
        berth,
        session.id,
        'SHELL echo "made" > auto.txt; printf "did-%d" 052',
      );
      expect(auto.reply).toContain('did-42');
      expect(await seen('approval.requested')).toHaveLength(before);

      await change({ mode: 'ask' });
      const again = randomUUID();
      await berth.client.turns.create(session.id, {
        id: again,
        prompt: text('SHELL echo no > never.txt'),
      });
      await answer('reject_once');
      await berth.client.turns.get(session.id, again, { waitSeconds: 60 });
      const names = (await berth.client.files.list(session.id)).items.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['asked.txt', 'auto.txt']));
      expect(names).not.toContain('never.txt');
      expect((await seen('mode')).map(({ current }) => current)).toEqual(['ask', 'auto', 'ask']);
    });

    test('another model answers from the next prompt on, in the same conversation', async () => {
      await say(berth, session.id, 'before the change');
      await change({ model: kind.second });
      const from = model.requests.length;
      const recalled = await say(berth, session.id, 'RECALL');
      expect(recalled.reply).toContain('before the change');
      const asked = new Set(model.requests.slice(from).map(({ model: name }) => name));
      expect([...asked]).toEqual([kind.secondUpstream]);
      await change({ model: kind.model });
      const last = model.requests.length;
      await say(berth, session.id, 'and back');
      expect(model.requests.slice(last).map(({ model: name }) => name)).toContain(kind.upstream);
    });

    test('tokens that came out of a cache are in the log', async () => {
      await until(async () => (await seen('usage')).length > 0, 10_000, 'usage');
      const cached = (await seen('usage')).map(({ cachedTokens = 0 }) => cachedTokens);
      expect(Math.max(...cached)).toBe(kind.cachedTokens);
    });

    test('none of it needed a word of warning', async () => {
      expect(await warnings()).toEqual([]);
      expect(await seen('error')).toEqual([]);
    });

    test('killed in the first moment of a conversation: the message arrives once', async () => {
      const { agentId } = session;
      const fresh = await berth.client.sessions.create({ agentId });
      await idle(berth, fresh.id, 60_000);
      const killer = await openKiller(berth, fresh.id);
      const id = randomUUID();
      await berth.client.turns.create(fresh.id, { id, prompt: text('the very first') });
      await killer.kill(kind.process);
      await killer.end();
      const turn = await berth.client.turns.get(fresh.id, id, { waitSeconds: 60 });
      expect(turn.state).toBe('done');
      const recalled = (await say(berth, fresh.id, 'RECALL')).reply ?? '';
      expect(recalled.match(/the very first/g)).toHaveLength(1);
    }, 180_000);

    test.skipIf(kind.inner === null)(
      'what dies inside of it ends neither turn nor session',
      async () => {
        const inner = kind.inner ?? '';
        const id = randomUUID();
        await berth.client.turns.create(session.id, { id, prompt: text('STREAM 1000 10') });
        await until(async () => (await seen('message.delta', id)).length > 3, 30_000, 'some words');
        await killNamed(berth, session.id, inner);
        const turn = await berth.client.turns.get(session.id, id, { waitSeconds: 60 });
        expect(turn.state).toBe('done');
        expect(await warnings()).toEqual(['agent-restarted']);

        await killNamed(berth, session.id, inner);
        const recalled = await say(berth, session.id, 'RECALL');
        expect(recalled.state).toBe('done');
        expect(recalled.reply?.match(/STREAM 1000 10/g)).toHaveLength(1);
      },
      120_000,
    );
  });
});
