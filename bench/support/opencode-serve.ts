import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What somebody without Berth would run: one server for all conversations, on the machine itself. */
export interface OpencodeServe extends AsyncDisposable {
  /** From the start of the process until it takes requests. */
  readonly readyMs: number;
  /** A conversation of its own, a prompt, and the first piece of the answer at a reader of its events. */
  firstText(prompt: string, answers: (text: string) => boolean): Promise<number>;
}
const limitMs = 60_000;

export async function startOpencodeServe(options: {
  binary: string;
  env: Readonly<Record<string, string>>;
}): Promise<OpencodeServe> {
  const home = mkdtempSync(join(tmpdir(), 'berth-opencode-'));
  const startedAt = performance.now();
  const child = spawn(options.binary, ['serve', '--port', '0', '--hostname', '127.0.0.1'], {
    cwd: home,
    env: { ...options.env, HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const gone = once(child, 'exit');
  let said = '';
  const listening = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const found = /listening on (http:\/\/\S+)/.exec(said)?.[1];
      if (found !== undefined) listening.resolve(found);
    });
  child.once('exit', (code) =>
    listening.reject(new Error(`opencode serve ended with ${String(code)}\n${said}`)),
  );
  const timer = setTimeout(() => listening.reject(new Error(`not ready\n${said}`)), limitMs);
  const url = await listening.promise.finally(() => clearTimeout(timer));
  const readyMs = performance.now() - startedAt;

  const post = async (path: string, body: object): Promise<unknown> => {
    const answer = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(limitMs),
    });
    if (!answer.ok) throw new Error(`${path}: ${String(answer.status)} ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  };

  return {
    readyMs,
    async firstText(prompt, answers) {
      const stop = new AbortController();
      const events = await fetch(`${url}/event`, {
        signal: AbortSignal.any([stop.signal, AbortSignal.timeout(limitMs)]),
      });
      if (events.body === null) throw new Error('no events');
      const reader = events.body.pipeThrough(new TextDecoderStream()).getReader();
      const from = performance.now();
      const asked = (async () => {
        const session = (await post('/session', {})) as { id: string };
        await post(`/session/${session.id}/prompt_async`, {
          parts: [{ type: 'text', text: prompt }],
        });
      })();
      const failed = asked.then(() => new Promise<never>(() => undefined));
      try {
        let text = '';
        for (;;) {
          const next = await Promise.race([reader.read(), failed]);
          if (next.done) throw new Error('the events ended');
          text += next.value;
          // The text of a part, or a piece that is added to it.
          for (const [, piece] of text.matchAll(/"(?:text|delta)":"((?:[^"\\]|\\.)*)"/g))
            if (piece !== undefined && answers(piece)) return performance.now() - from;
          text = text.slice(text.lastIndexOf('\n') + 1);
        }
      } finally {
        stop.abort();
        await asked;
      }
    },
    async [Symbol.asyncDispose]() {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      await gone;
      rmSync(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
