import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHarnesses } from '../control-plane/src/agents/index.ts';
import { systemClock } from '../control-plane/src/clock.ts';
import { startHarness, type Place, type StartedHarness } from './support/acp-agent.ts';
import { startModelServer, type ModelServer } from './support/model-server.ts';

/**
 * What Berth relies on, for every folder in `harnesses/` with a record, outside of Berth: the real agent from the npm registry, over ACP
 * on stdio, against a scripted model. A new harness is tested by being there.
 */
const repository = join(import.meta.dirname, '..');
// Installed once and kept: hundreds of megabytes. Not below the temporary directory, where Codex refuses to live.
const cache = process.env['BERTH_TEST_CACHE'] ?? join(homedir(), '.cache', 'berth-tests');
const harnesses = createHarnesses({
  harnessesDir: join(repository, 'harnesses'),
  dataDir: cache,
  distDir: join(cache, 'dist'),
  nodeDir: dirname(dirname(process.execPath)),
  clock: systemClock,
  logger: { info: () => undefined, error: () => undefined },
});

/** How the agent is made to do something: by the scripted model, or by its own script. */
const viaModel = {
  hello: 'hello there',
  write: (path: string, text: string) => `WRITE ${path} ${text}`,
  shell: (command: string) => `SHELL ${command}`,
  stream: (n: number) => `STREAM ${n} 5`,
  hang: 'HANG',
  recall: 'RECALL',
};
const viaScript: typeof viaModel = {
  hello: '/say You said: hello there',
  write: (path, text) => `/write ${path} ${text}`,
  shell: (command) => `/run ${command}`,
  stream: (n) => `/stream ${n} 5`,
  hang: '/say holding\n/hang',
  recall: '/diary',
};

for (const { id, terminal } of await harnesses.list()) {
  const record = harnesses.record(id);
  const does = record.protocol === 'none' ? viaScript : viaModel;

  describe(id, () => {
    let model: ModelServer;
    let place: Place;
    let root: string;
    const agents: StartedHarness[] = [];

    beforeAll(async () => {
      model = await startModelServer();
      await mkdir(cache, { recursive: true });
      if (record.install === undefined)
        await build({
          entryPoints: [join(repository, 'harnesses', id, 'main.ts')],
          outfile: join(cache, 'dist', id, `${id}.mjs`),
          bundle: true,
          platform: 'node',
          format: 'esm',
          target: 'node24',
        });
      const { hostPath } = await harnesses.prepare(
        id,
        async () => undefined,
        AbortSignal.timeout(240_000),
      );
      root = await mkdtemp(join(cache, `home-${id}-`));
      const home = join(root, 'home');
      const workspace = join(root, 'workspace');
      await mkdir(home);
      await mkdir(workspace);
      place = {
        record,
        agents: hostPath,
        home,
        workspace,
        modelUrl: model.url,
        model: 'scripted',
        mode: 'ask',
      };
    });
    afterAll(async () => {
      for (const agent of agents) await agent.kill();
      await rm(root, { recursive: true, force: true });
      await model[Symbol.asyncDispose]();
    });
    const start = async (): Promise<StartedHarness> => {
      const agent = await startHarness(place);
      agents.push(agent);
      return agent;
    };
    const modeOf = (mode: string): string => record.modes[mode]?.acpMode ?? mode;

    let agent: StartedHarness;
    let session: string;

    test('initialize: it can load a conversation', async () => {
      agent = await start();
      const answer = await agent.initialize();
      expect(answer.protocolVersion).toBe(1);
      expect(answer.agentCapabilities?.loadSession).toBe(true);
    });

    test('session/new, and a prompt is answered in pieces', async () => {
      session = (await agent.newSession()).sessionId;
      await agent.setMode(session, modeOf('ask'));
      expect((await agent.prompt(session, does.hello)).stopReason).toBe('end_turn');
      expect(agent.said()).toContain('You said: hello there');
      agent.forget();
      await agent.prompt(session, does.stream(20));
      expect(agent.said()).toContain('w20');
      const pieces = agent.updates.filter((u) => u.sessionUpdate === 'agent_message_chunk');
      expect(pieces.length).toBeGreaterThan(5);
    });

    test('writing asks a person: allowed, it is done', async () => {
      agent.forget();
      const path = join(place.workspace, 'allowed.txt');
      await agent.prompt(session, does.write(path, 'yes'));
      expect(agent.asked).toHaveLength(1);
      expect(agent.asked[0]?.sessionId).toBe(session);
      expect(await readFile(path, 'utf8')).toBe('yes');
      // The call is told, by an update or by the question alone.
      const told = agent.updates.find((update) => update.sessionUpdate === 'tool_call');
      const call = told ?? agent.asked[0]?.toolCall;
      expect(call?.title).toMatch(/./);
      const done = agent.updates.findLast((update) => update.sessionUpdate === 'tool_call_update');
      expect(done).toMatchObject({ toolCallId: call?.toolCallId, status: 'completed' });
    });

    test('writing asks a person: rejected, it is not done', async () => {
      agent.forget();
      agent.answerWith('reject_once');
      const path = join(place.workspace, 'rejected.txt');
      const { stopReason } = await agent.prompt(session, does.write(path, 'no'));
      expect(['end_turn', 'cancelled']).toContain(stopReason);
      expect(agent.asked).toHaveLength(1);
      expect(existsSync(path)).toBe(false);
      agent.answerWith('allow_once');
    });

    test('a shell command asks, too', async () => {
      agent.forget();
      await agent.prompt(session, does.shell('echo made > shell.txt'));
      expect(agent.asked).toHaveLength(1);
      expect(await readFile(join(place.workspace, 'shell.txt'), 'utf8')).toBe('made\n');
    });

    test('mode auto does not ask', async () => {
      agent.forget();
      await agent.setMode(session, modeOf('auto'));
      await agent.prompt(session, does.shell('echo auto > auto.txt'));
      await agent.prompt(session, does.write(join(place.workspace, 'auto2.txt'), 'auto'));
      expect(agent.asked).toEqual([]);
      expect(await readFile(join(place.workspace, 'auto.txt'), 'utf8')).toBe('auto\n');
      expect(await readFile(join(place.workspace, 'auto2.txt'), 'utf8')).toBe('auto');
    });

    test('cancel ends the turn as cancelled, and the next prompt works', async () => {
      agent.forget();
      const turn = agent.prompt(session, does.hang);
      await agent.until(() => agent.said().includes('holding'));
      await agent.cancel(session);
      expect((await turn).stopReason).toBe('cancelled');
      agent.forget();
      expect((await agent.prompt(session, does.hello)).stopReason).toBe('end_turn');
      expect(agent.said()).toContain('You said: hello there');
    });

    test('killed in mid-stream: another process loads the conversation and knows every prompt', async () => {
      agent.forget();
      const cut = does.stream(5000);
      const turn = agent.prompt(session, cut).catch(() => 'gone');
      await agent.until(() => agent.said().includes('w20'));
      await agent.kill();
      expect(await turn).toBe('gone');

      agent = await start();
      await agent.initialize();
      await agent.load(session);
      await expect.poll(() => agent.heard(), { timeout: 10_000 }).toContain(cut);
      expect(agent.heard()).toContain(does.hello);
      agent.forget();
      await agent.setMode(session, modeOf('auto'));
      expect((await agent.prompt(session, does.recall)).stopReason).toBe('end_turn');
      expect(agent.said()).toContain(cut);
    });

    test('what it needs from the network is the model alone', () => {
      const hosts = new Set(model.requests.map(({ headers }) => headers.host));
      expect([...hosts].filter((host) => !model.url.endsWith(host ?? ''))).toEqual([]);
      expect(model.requests.length > 0).toBe(record.protocol !== 'none');
      expect(['attach', 'handover', 'none']).toContain(terminal);
    });
  });
}
