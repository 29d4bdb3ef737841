import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { defaultDataDir } from '@berth/client/node';
import { createHarnesses } from '../../../control-plane/src/agents/index.ts';
import { exitCode, Refused, type Run } from '../context.ts';
import { bytes, columns } from '../format.ts';

export const list: Run = async (context) => {
  const harnesses = await (await context.client()).harnesses();
  context.give(harnesses, (all) =>
    columns(
      ['HARNESS', 'VERSION', 'INSTALLED', 'MODEL', 'TERMINAL', 'TITLE'],
      all.map((harness) => [
        context.style.bold(harness.id),
        harness.version,
        harness.installed ? context.style.green('yes') : context.style.dim('at first use'),
        harness.needsModel ? 'needed' : '–',
        harness.terminal,
        harness.title,
      ]),
    ),
  );
  return exitCode.ok;
};

/** Fetches what the first session would fetch, on the machine of the embedded server. */
export const install =
  (root: string): Run =>
  async (context) => {
    const id = context.word(0);
    const dataDir = defaultDataDir(context.env);
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const harnesses = createHarnesses({
      harnessesDir: join(root, 'harnesses'),
      dataDir,
      distDir: join(root, 'dist'),
      nodeDir: dirname(dirname(process.execPath)),
      clock: { now: context.now },
      logger: {
        info: () => undefined,
        error: (fields: unknown) => context.tell(JSON.stringify(fields)),
      },
    });
    const known = (await harnesses.list()).map((harness) => harness.id);
    if (!known.includes(id))
      throw new Refused(
        `there is no harness "${id}"; there are ${known.join(', ')}`,
        exitCode.usage,
      );
    const stop = new AbortController();
    const interrupt = (): void => stop.abort(new Refused('stopped; nothing is left of it'));
    process.once('SIGINT', interrupt);
    try {
      const { hostPath } = await harnesses.prepare(
        id,
        async (done, total, _unit, detail) => {
          context.stderr.write(
            context.stderr.isTTY
              ? `\r${detail}: ${bytes(done)} of about ${bytes(total)} `
              : `${detail}: ${bytes(done)}\n`,
          );
        },
        stop.signal,
      );
      if (context.stderr.isTTY) context.tell('');
      context.give({ id, path: hostPath }, () => hostPath);
      return exitCode.ok;
    } finally {
      process.removeListener('SIGINT', interrupt);
    }
  };
