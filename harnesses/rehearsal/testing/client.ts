import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import {
  client,
  methods,
  ndJsonStream,
  PROTOCOL_VERSION,
  type ContentBlock,
  type RequestPermissionRequest,
  type SessionUpdate,
} from '@agentclientprotocol/sdk';
import { build } from 'esbuild';

const entry = join(import.meta.dirname, '..', 'main.ts');

/** The bundle as it ships, built once per test file. */
export async function bundle(): Promise<{ path: string; [Symbol.asyncDispose](): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'berth-rehearsal-'));
  const path = join(dir, 'rehearsal.mjs');
  await build({
    entryPoints: [entry],
    outfile: path,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    logLevel: 'error',
  });
  return { path, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

export interface Home {
  home: string;
  workspace: string;
  [Symbol.asyncDispose](): Promise<void>;
}
export async function makeHome(): Promise<Home> {
  const dir = await mkdtemp(join(tmpdir(), 'berth-rehearsal-home-'));
  const home = join(dir, 'home');
  const workspace = join(dir, 'workspace');
  await mkdir(home);
  await mkdir(workspace);
  return {
    home,
    workspace,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

type Answer = (request: RequestPermissionRequest) => string | null | Promise<string | null>;

/** A real agent process, driven by a real ACP client. */
export function startAgent(path: string, { home, workspace }: Home, mode: 'ask' | 'auto' = 'auto') {
  const child = spawn(process.execPath, [path], {
    cwd: workspace,
    env: { HOME: home, PATH: process.env['PATH'], BERTH_REHEARSAL_MODE: mode },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const updates: SessionUpdate[] = [];
  const asked: RequestPermissionRequest[] = [];
  let answer: Answer = () => 'allow';
  let waiting: (() => void)[] = [];
  const connection = client()
    .onNotification(methods.client.session.update, ({ params }) => {
      updates.push(params.update);
      for (const wake of waiting.splice(0)) wake();
    })
    .onRequest(methods.client.session.requestPermission, async ({ params }) => {
      asked.push(params);
      for (const wake of waiting.splice(0)) wake();
      const optionId = await answer(params);
      return optionId === null
        ? { outcome: { outcome: 'cancelled' as const } }
        : { outcome: { outcome: 'selected' as const, optionId } };
    })
    .connect(ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout)));
  const { agent } = connection;

  return {
    child,
    agent,
    updates,
    asked,
    exited,
    stderr: () => stderr,
    answerWith(next: Answer) {
      answer = next;
    },
    initialize: () =>
      agent.request(methods.agent.initialize, {
        protocolVersion: PROTOCOL_VERSION,
        clientCapabilities: {},
      }),
    async newSession(): Promise<string> {
      const made = await agent.request(methods.agent.session.new, {
        cwd: workspace,
        mcpServers: [],
      });
      return made.sessionId;
    },
    load: (sessionId: string) =>
      agent.request(methods.agent.session.load, { sessionId, cwd: workspace, mcpServers: [] }),
    resume: (sessionId: string) =>
      agent.request(methods.agent.session.resume, { sessionId, cwd: workspace }),
    prompt: (sessionId: string, prompt: string | ContentBlock[]) =>
      agent.request(methods.agent.session.prompt, {
        sessionId,
        prompt: typeof prompt === 'string' ? [{ type: 'text', text: prompt }] : prompt,
      }),
    cancel: (sessionId: string) => agent.notify(methods.agent.session.cancel, { sessionId }),
    setMode: (sessionId: string, modeId: string) =>
      agent.request(methods.agent.session.setMode, { sessionId, modeId }),
    /** The text of all agent messages so far. */
    said: () =>
      updates
        .flatMap((update) =>
          update.sessionUpdate === 'agent_message_chunk' && update.content.type === 'text'
            ? [update.content.text]
            : [],
        )
        .join(''),
    of: <K extends SessionUpdate['sessionUpdate']>(kind: K) =>
      updates.filter((update) => update.sessionUpdate === kind) as Extract<
        SessionUpdate,
        { sessionUpdate: K }
      >[],
    /** Until it holds, looking again at every message. */
    async until(holds: () => boolean): Promise<void> {
      const died = exited.then(() => Promise.reject(new Error(`the agent died: ${stderr}`)));
      while (!holds()) await Promise.race([new Promise<void>((wake) => waiting.push(wake)), died]);
    },
    async kill(): Promise<void> {
      child.kill('SIGKILL');
      await exited;
      waiting = [];
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await exited;
    },
  };
}
