import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from './clock.ts';
import { createIds } from './ids.ts';
import { createLog, linesAbout } from './log.ts';
import { createRunner } from './runner.ts';
import { createScreens } from './screen/index.ts';
import { lockStateDir, readLinkFile } from './state-dir.ts';

/** `main.mjs --state <dir>`: one process per machine; it outlives the control plane, and the sandboxes outlive it. */
const version = '0.1.0';
const idleLookMs = 2000;
const closeMs = 1000;

const { values } = parseArgs({ options: { state: { type: 'string' } } });
if (values.state === undefined) {
  process.stderr.write('usage: main.mjs --state <dir>\n');
  process.exit(2);
}
/** Not by `process.exit`: it may wait for ever for a compile thread of V8 that waits for the main thread (nodejs/node#54918). */
const die = (): void => {
  process.kill(process.pid, 'SIGKILL');
};
const dir = values.state;
const lock = await lockStateDir(dir);
if (lock === null) {
  process.stderr.write(`berth runner: another runner has ${dir}\n`);
  process.exit(1);
}
const logPath = join(dir, 'runner.log');
const { logger } = createLog(logPath, process.env['LOG_LEVEL'] ?? 'info');
process.on('uncaughtException', (error) => {
  logger.fatal({ err: error }, 'uncaught');
  die(); // whoever started us starts another; the journal has all that matters
});

const screens = createScreens();
const runner = await createRunner({
  dir,
  target: (turn) => readLinkFile(dir, turn),
  clock: systemClock,
  newId: createIds(systemClock),
  version,
  screens,
  log: (fields, message) => logger.info(fields, message),
  runnerLines: (sessionId, tail) => linesAbout(logPath, sessionId, tail),
});
logger.info({ version }, 'runner started');

let ending = false;
async function end(reason: string): Promise<void> {
  if (ending) return;
  ending = true;
  logger.info({ reason }, 'runner ends');
  await runner[Symbol.asyncDispose]();
  await screens[Symbol.asyncDispose]();
  await lock?.[Symbol.asyncDispose]();
  clearInterval(looking);
  setTimeout(die, closeMs).unref();
}
for (const name of ['SIGTERM', 'SIGINT'] as const)
  process.on(name, () => {
    end(name).catch((error: unknown) => {
      logger.fatal({ err: error }, 'ending failed');
      die();
    });
  });

/** Nobody to serve and nobody to talk to: the data directory is being given up, or is gone with everything in it. */
async function look(): Promise<void> {
  const there = (path: string): Promise<boolean> =>
    access(path).then(
      () => true,
      () => false,
    );
  if (!(await there(dir))) await end('the state directory is gone');
  else if (runner.bound === 0 && !(await there(join(dir, 'link.json'))))
    await end('link.json is gone');
}
const looking = setInterval(() => {
  look().catch((error: unknown) => logger.error({ err: error }, 'look'));
}, idleLookMs);
