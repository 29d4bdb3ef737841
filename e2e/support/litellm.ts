import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { litellmCommand, testCache } from '../../scripts/litellm.mjs';

export { litellmMissing } from '../../scripts/litellm.mjs';

/** A real LiteLLM without a database, in front of a scripted model server. */
export interface LiteLlm extends AsyncDisposable {
  readonly url: string;
  readonly key: string;
  stop(): Promise<void>;
  /** Again on the same port, with the same configuration. */
  start(): Promise<void>;
}

const startMs = 120_000;
const key = 'sk-master-of-this-test';

/**
 * `models`: a name → the name that the upstream is asked for, behind the kind of upstream. The upstream's names must be known to LiteLLM's price
 * list: for others it calls without `stream` and makes the pieces up itself.
 */
const usual = {
  scripted: 'openai/gpt-4o',
  second: 'openai/gpt-4o-mini',
  'scripted-claude': 'anthropic/claude-sonnet-4-5',
  'second-claude': 'anthropic/claude-haiku-4-5',
  'scripted-gemini': 'gemini/gemini-2.5-pro',
  'second-gemini': 'gemini/gemini-2.5-flash',
  'fault-500': 'openai/fault-500',
};

export async function startLiteLlm(options: {
  upstream: string;
  models?: Record<string, string>;
}): Promise<LiteLlm> {
  await mkdir(testCache(), { recursive: true });
  const folder = await mkdtemp(join(testCache(), 'litellm-run-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${String(port)}`;
  const config = join(folder, 'config.yaml');
  // JSON is YAML.
  await writeFile(config, JSON.stringify(configuration(options.upstream, options.models ?? usual)));
  let child: ChildProcess | undefined;
  let written = '';

  async function start(): Promise<void> {
    const command = litellmCommand();
    const next = spawn(
      command,
      ['--config', config, '--host', '127.0.0.1', '--port', String(port)],
      {
        cwd: folder,
        // Nothing of ours, and nothing asked from outside: its price list and the like are in the package.
        env: {
          PATH: `${dirname(command)}:/usr/bin:/bin`,
          HOME: folder,
          LITELLM_LOG: 'ERROR',
          LITELLM_LOCAL_MODEL_COST_MAP: 'True',
          LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS: 'True',
          LITELLM_LOCAL_BLOG_POSTS: 'True',
          LITELLM_LOCAL_POLICY_TEMPLATES: 'True',
          LITELLM_LOCAL_AUTOROUTER_PRESETS: 'True',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    child = next;
    const take = (chunk: Buffer): void => {
      written = (written + chunk.toString()).slice(-8000);
    };
    next.stdout.on('data', take);
    next.stderr.on('data', take);
    const end = performance.now() + startMs;
    while (!(await alive(url))) {
      if (next.exitCode !== null || performance.now() > end)
        throw new Error(`LiteLLM did not start\n${written}`);
      await pause(200);
    }
  }

  async function stop(): Promise<void> {
    const last = child;
    if (last === undefined || last.exitCode !== null || last.signalCode !== null) return;
    const gone = once(last, 'exit');
    last.kill('SIGKILL');
    await gone;
  }

  await start();
  return {
    url,
    key,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configuration(upstream: string, models: Record<string, string>): unknown {
  return {
    model_list: Object.entries(models).map(([name, model]) => ({
      model_name: name,
      litellm_params: {
        model,
        // Each kind of client has its own idea of where the version stands.
        api_base: model.startsWith('anthropic/') ? upstream : `${upstream}/v1`,
        api_key: 'key-of-the-upstream',
      },
    })),
    litellm_settings: {
      num_retries: 0,
      request_timeout: 60,
      telemetry: false,
      // Codex sends a reasoning effort with every model, also with those that know none.
      drop_params: true,
      include_cost_in_streaming_usage: true,
    },
    general_settings: { master_key: key },
  };
}

async function alive(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/liveliness`)).ok;
  } catch {
    return false; // not there yet
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
