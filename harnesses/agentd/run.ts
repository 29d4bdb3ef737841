import { openPipes } from './child.ts';
import { markName, killTree, scanProcs, treeOf } from './tree.ts';
import type { AgentdReply, AgentdRequest } from './protocol.ts';

type Run = Extract<AgentdRequest, { op: 'run' }>;
type Done = Extract<AgentdReply, { op: 'done' }>;

/** Each stream's text must fit a frame, escapes of JSON included. */
const limitBytesMax = 1024 * 1024;
/** After its end, what something left behind still writes is not waited for longer than this. */
const lingerMs = 250;

/** Runs one program to its end. What outlives its deadline is killed with all that it started. Rejects when it cannot start. */
export async function run(
  request: Run,
  place: { cwd: string; env: Readonly<Record<string, string>>; tag: string },
  signal: AbortSignal,
): Promise<Done> {
  const limitBytes = Math.min(request.limitBytes, limitBytesMax);
  const held = { output: collector(limitBytes), stderr: collector(limitBytes) };
  const open = new Set(['output', 'stderr']);
  const exit = Promise.withResolvers<{ code: number | null; signal: string | null }>();
  const streams = Promise.withResolvers<undefined>();
  const child = await openPipes(
    {
      argv: request.argv,
      cwd: place.cwd,
      env: { ...place.env, ...request.env, [markName]: place.tag },
    },
    {
      output: held.output.take,
      stderr: held.stderr.take,
      ended: (stream) => {
        open.delete(stream);
        if (open.size === 0) streams.resolve(undefined);
      },
      exit: (code, name) => exit.resolve({ code, signal: name }),
      inputDrained: () => undefined,
    },
  );
  if (request.input !== undefined) child.write(Buffer.from(request.input));
  child.endInput();

  let timedOut = false;
  const spared = new Set([1, process.pid]);
  const stop = (): void => {
    killTree(() => treeOf(child.pid, place.tag, scanProcs(), spared)).catch((error: unknown) =>
      exit.reject(error instanceof Error ? error : new Error(String(error))),
    );
  };
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, request.timeoutMs);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    const ended = await exit.promise;
    await Promise.race([
      streams.promise,
      new Promise((resolve) => setTimeout(resolve, lingerMs).unref()),
    ]);
    return {
      op: 'done',
      ...ended,
      stdout: held.output.text(),
      stderr: held.stderr.text(),
      truncated: held.output.truncated() || held.stderr.truncated(),
      timedOut,
    };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    child.close();
  }
}

function collector(limitBytes: number) {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let cut = false;
  return {
    take: (chunk: Uint8Array): void => {
      const fits = chunk.subarray(0, limitBytes - size);
      if (fits.length < chunk.length) cut = true;
      if (fits.length === 0) return;
      chunks.push(fits);
      size += fits.length;
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
    truncated: () => cut,
  };
}
