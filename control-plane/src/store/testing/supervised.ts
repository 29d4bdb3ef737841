// A process that starts the embedded server and says so; the supervisor's tests kill it, or its server.
import { pino } from 'pino';
import { startEmbeddedPostgres } from '../index.ts';

const [baseDir = '', runAs] = process.argv.slice(2);
try {
  const server = await startEmbeddedPostgres({
    baseDir,
    logger: pino({ level: 'silent' }),
    ...(runAs ? { runAs } : {}),
  });
  const say = () =>
    process.stdout.write(
      `${JSON.stringify({ url: server.url, pid: server.pid, adopted: server.adopted, baseDir: server.baseDir })}\n`,
    );
  process.stdin.on('data', say); // a line asks again
  process.on('SIGTERM', () => {
    server.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  });
  say(); // after the handlers: who reads it may send a signal at once
} catch (error) {
  fail(error);
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
