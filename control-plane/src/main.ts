import { createLocalFile } from './local-file.ts';
import { loadConfig } from './load-config.ts';
import { createLogger } from './logger.ts';
import { placesOf } from './places.ts';
import { run } from './run.ts';

/**
 * The control plane's process. Standard output gets exactly one line, when it serves; everything else is standard error. A fault of the operator ends it
 * with one sentence and status 1, never with a stack.
 */
const config = loadConfig();
const logger = createLogger(config.logLevel);
const stop = new AbortController();

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    // The second time somebody means it.
    if (stop.signal.aborted) process.exit(1);
    logger.info({ signal }, 'stopping');
    stop.abort();
  });
}

try {
  await run({
    config,
    logger,
    places: placesOf(config.dataDir),
    localFile: createLocalFile(config.dataDir),
    signal: stop.signal,
  });
  // What still holds the loop open after an orderly end would be a leak: name it instead of hanging.
  setTimeout(() => {
    logger.warn({ holding: process.getActiveResourcesInfo() }, 'something was not closed');
    process.exit();
  }, 2_000).unref();
} catch (error) {
  logger.debug({ err: error }, 'the start failed');
  process.stderr.write(`berth: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
