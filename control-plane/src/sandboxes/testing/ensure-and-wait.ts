/** A control plane that makes one sandbox and then only lives, so that a test can kill it. Argument: the driver's options. */
import { pino } from 'pino';
import { systemClock } from '../../clock.ts';
import { createLocalDriver, type LocalDriverOptions } from '../local/local.ts';

const plain = JSON.parse(process.argv[2] ?? '{}') as Omit<LocalDriverOptions, 'clock' | 'logger'>;
const driver = createLocalDriver({
  ...plain,
  clock: systemClock,
  logger: pino({ level: 'silent' }),
});
const spec = { sessionId: 'held', generation: 3, env: {}, agents: [], limits: {} };
const sandbox = await driver.ensure(spec, AbortSignal.timeout(20_000));
process.stdout.write(`${sandbox.state}\n`);
setInterval(() => undefined, 60_000);
