import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { testCache } from '../../scripts/litellm.mjs';
import { ensurePythonPackages } from '../../scripts/python-packages.mjs';

const version = '1.58.0';
/** Its program, in a cache outside the repository; or one line that says why it cannot be had. */
export function ensureOpenhands(): { program: string } | { missing: string } {
  const folder = join(testCache(), `openhands-${version}`);
  const why = ensurePythonPackages({
    folder,
    packages: ['agent-server', 'sdk', 'tools'].map((name) => `openhands-${name}==${version}`),
    python: [12, 14],
    begins: () => console.error('installing OpenHands agent-server (about 550 MB) …'),
  });
  return why === null ? { program: join(folder, 'bin', 'agent-server') } : { missing: why };
}

/** What somebody without Berth would run: OpenHands' server for all conversations, on the machine itself. */
export interface OpenhandsServer extends AsyncDisposable {
  /** From the start of the process until it takes requests. */
  readonly readyMs: number;
  /** A conversation of its own, a prompt, and the first streamed piece of the answer at its event socket. */
  firstText(prompt: string, answers: (text: string) => boolean): Promise<number>;
}
const limitMs = 120_000;

export async function startOpenhandsServer(options: {
  program: string;
  env: Readonly<Record<string, string>>;
  /** Where the model is, by the OpenAI protocol. */
  modelUrl: string;
  model: string;
}): Promise<OpenhandsServer> {
  const home = mkdtempSync(join(tmpdir(), 'berth-openhands-'));
  const workspace = join(home, 'workspace', 'project');
  mkdirSync(workspace, { recursive: true });
  const startedAt = performance.now();
  const child = spawn(options.program, ['--host', '127.0.0.1', '--port', '0'], {
    cwd: home,
    env: {
      ...options.env,
      HOME: home,
      // Where its terminals listen.
      TMUX_TMPDIR: home,
      // Else its library asks GitHub for the prices of models, at every start.
      LITELLM_LOCAL_MODEL_COST_MAP: 'true',
      // The editor in a browser, which nobody looks at here. Everything else is as it comes.
      OH_ENABLE_VSCODE: 'false',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const gone = new Promise<void>((done) => {
    child.once('exit', () => done());
    child.once('error', () => done());
  });
  /** By its own hand: its terminals are processes of their own, which only it ends. */
  const end = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await gone;
    clearTimeout(timer);
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };
  let said = '';
  const listening = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      // Its log is in columns: the address may be on the next line.
      const found = /Uvicorn running on[^]*?(http:\/\/127\.0\.0\.1:\d+)\s/.exec(said)?.[1];
      if (found !== undefined) listening.resolve(found);
    });
  child.once('error', listening.reject);
  child.once('exit', (code) =>
    listening.reject(new Error(`agent-server ended with ${String(code)}\n${said}`)),
  );
  const timer = setTimeout(() => listening.reject(new Error(`not ready\n${said}`)), limitMs);
  const url = await listening.promise
    .finally(() => clearTimeout(timer))
    .catch(async (error: unknown) => {
      await end();
      throw error;
    });
  const readyMs = performance.now() - startedAt;

  const post = async (path: string, body: object): Promise<unknown> => {
    const answer = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(limitMs),
    });
    if (!answer.ok) throw new Error(`${path}: ${String(answer.status)} ${await answer.text()}`);
    return answer.json();
  };

  return {
    readyMs,
    async firstText(prompt, answers) {
      const from = performance.now();
      const { id } = (await post('/api/conversations', {
        agent_settings: {
          agent_kind: 'openhands',
          llm: {
            model: `openai/${options.model}`,
            base_url: options.modelUrl,
            api_key: 'none',
            stream: true,
          },
        },
        workspace: { working_dir: workspace },
      })) as { id: string };
      // Pieces of an answer go to who listens at that time; they are in no history.
      const socket = new WebSocket(`${url.replace('http', 'ws')}/sockets/events/${id}`);
      const text = Promise.withResolvers<number>();
      text.promise.catch(() => undefined); // what fails first is thrown below
      socket.on('message', (data: Buffer) => {
        const { kind, content } = JSON.parse(data.toString()) as {
          kind?: string;
          content?: unknown;
        };
        if (kind === 'StreamingDeltaEvent' && typeof content === 'string' && answers(content))
          text.resolve(performance.now() - from);
      });
      socket.once('error', text.reject);
      socket.once('close', () => text.reject(new Error(`the events ended\n${said}`)));
      const timer = setTimeout(() => text.reject(new Error(`no text\n${said}`)), limitMs);
      try {
        await once(socket, 'open');
        await post(`/api/conversations/${id}/events`, {
          role: 'user',
          content: [{ type: 'text', text: prompt }],
          run: true,
        });
        return await text.promise;
      } finally {
        clearTimeout(timer);
        socket.terminate();
      }
    },
    [Symbol.asyncDispose]: end,
  };
}
