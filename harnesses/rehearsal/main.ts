import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createAgent } from './agent.ts';
import { speak } from './peer.ts';
import { createStore } from './store.ts';

/**
 * `rehearsal.mjs`                        the agent, ACP on standard input and output
 * `rehearsal.mjs tui --session <id>`     the same conversation in a terminal
 *
 * `BERTH_REHEARSAL_MODE` is the mode of a conversation that has not chosen one.
 */
const version = '1.0.0';

const store = createStore({
  dir: join(homedir(), '.rehearsal'),
  defaultMode: process.env['BERTH_REHEARSAL_MODE'] === 'auto' ? 'auto' : 'ask',
  pid: process.pid,
  // eslint-disable-next-line no-restricted-syntax -- the agent's edge: it reads the time here and nowhere else
  now: () => new Date().toISOString(),
});

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { session: { type: 'string' }, version: { type: 'boolean' } },
});

if (values.version === true) {
  process.stdout.write(`rehearsal ${version}\n`);
} else if (positionals[0] === 'tui') {
  const { runTui } = await import('./tui.ts');
  process.exitCode = await runTui({
    store,
    sessionId: values.session,
    newId: randomUUID,
    input: process.stdin,
    output: process.stdout,
    cwd: process.cwd(),
  });
} else {
  const onFault = (error: unknown): void => {
    process.stderr.write(`rehearsal: ${String(error)}\n`);
  };
  const handlers = createAgent({
    store,
    version,
    newId: randomUUID,
    exit: (code) => process.exit(code),
    onFault,
  });
  process.once('SIGTERM', () => process.exit(0));
  await speak({ input: process.stdin, output: process.stdout, handlers, onFault });
  process.exit(0); // whoever drove it has gone
}
