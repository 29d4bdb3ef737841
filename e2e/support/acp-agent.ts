import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable, Writable } from 'node:stream';
import {
  client,
  methods,
  ndJsonStream,
  PROTOCOL_VERSION,
  type PermissionOptionKind,
  type RequestPermissionRequest,
  type SessionUpdate,
} from '@agentclientprotocol/sdk';
import { fill, type HarnessRecord } from '@berth/contract/harness';

/** What the runner gives a harness record when it starts the agent. */
export interface Place {
  record: HarnessRecord;
  agents: string;
  home: string;
  workspace: string;
  modelUrl: string;
  model: string;
  mode: string;
}

const valuesOf = (place: Place): Record<string, string> => ({
  model: place.model,
  modelUrl: place.modelUrl,
  workspace: place.workspace,
  home: place.home,
  agents: place.agents,
  node: process.execPath,
  mode: place.mode,
  acpMode: place.record.modes[place.mode]?.acpMode ?? place.mode,
  instructions: '',
  agentSessionId: '',
  'secret:server': 'a-secret-of-this-test',
});

/** Every process that has this mark in its environment: an agent's tree, children that it left behind included. */
async function marked(mark: string): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/environ`, 'utf8').includes(mark)) pids.push(Number(name));
    } catch {
      // It ended while we looked.
    }
  }
  return pids;
}

/** A harness outside of Berth: its process as the record says, driven over ACP on stdio. No client capability is offered. */
export async function startHarness(place: Place) {
  const { record } = place;
  const values = valuesOf(place);
  for (const file of record.files) {
    const path = fill(file.path, values);
    if (existsSync(path) && file.overwrite !== true) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, fill(file.content, values));
  }
  const mark = `BERTH_TEST_MARK=${crypto.randomUUID()}`;
  const [command = '', ...args] = record.acp.argv.map((arg) => fill(arg, values));
  const env = Object.fromEntries(
    Object.entries({ ...record.env, ...record.acp.env }).map(([name, value]) => [
      name,
      fill(value, values),
    ]),
  );
  const child = spawn(command, args, {
    cwd: place.workspace,
    env: {
      PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
      BERTH_TEST_MARK: mark.split('=')[1],
      npm_config_offline: 'true', // no traffic but loopback
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-8000)));
  const exited = once(child, 'exit');

  const updates: SessionUpdate[] = [];
  const asked: RequestPermissionRequest[] = [];
  let wanted: PermissionOptionKind = 'allow_once';
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  const { agent } = client()
    .onNotification(methods.client.session.update, ({ params }) => {
      updates.push(params.update);
      wake();
    })
    .onRequest(methods.client.session.requestPermission, ({ params }) => {
      asked.push(params);
      wake();
      const option = params.options.find(({ kind }) => kind === wanted);
      if (option === undefined) throw new Error(`no option of kind ${wanted}`);
      return { outcome: { outcome: 'selected' as const, optionId: option.optionId } };
    })
    .connect(ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout)));

  async function kill(): Promise<void> {
    for (let round = 0; round < 20; round++) {
      const pids = await marked(mark);
      if (pids.length === 0) break;
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended meanwhile.
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (child.exitCode === null && child.signalCode === null) await exited;
  }
  const texts = (kind: 'agent_message_chunk' | 'user_message_chunk'): string =>
    updates
      .flatMap((update) =>
        update.sessionUpdate === kind && update.content.type === 'text'
          ? [update.content.text]
          : [],
      )
      .join('');

  return {
    updates,
    asked,
    stderr: () => stderr,
    answerWith(kind: PermissionOptionKind) {
      wanted = kind;
    },
    initialize: () =>
      agent.request(methods.agent.initialize, {
        protocolVersion: PROTOCOL_VERSION,
        clientCapabilities: {},
      }),
    newSession: () =>
      agent.request(methods.agent.session.new, { cwd: place.workspace, mcpServers: [] }),
    load: (sessionId: string) =>
      agent.request(methods.agent.session.load, {
        sessionId,
        cwd: place.workspace,
        mcpServers: [],
      }),
    setMode: (sessionId: string, modeId: string) =>
      agent.request(methods.agent.session.setMode, { sessionId, modeId }),
    prompt: (sessionId: string, text: string) =>
      agent.request(methods.agent.session.prompt, {
        sessionId,
        prompt: [{ type: 'text', text }],
      }),
    cancel: (sessionId: string) => agent.notify(methods.agent.session.cancel, { sessionId }),
    said: () => texts('agent_message_chunk'),
    heard: () => texts('user_message_chunk'),
    forget() {
      updates.length = 0;
      asked.length = 0;
    },
    async until(holds: () => boolean): Promise<void> {
      const died = exited.then(() => Promise.reject(new Error(`the agent died: ${stderr}`)));
      while (!holds())
        await Promise.race([new Promise<void>((resolve) => waiting.add(resolve)), died]);
    },
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
export type StartedHarness = Awaited<ReturnType<typeof startHarness>>;
