import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import { ndJsonStream } from '@agentclientprotocol/sdk';
import { createAgent } from './agent.ts';
import { createStore } from './store.ts';
import { runTui } from './tui.ts';

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
  process.exitCode = await runTui({
    store,
    sessionId: values.session,
    newId: randomUUID,
    input: process.stdin,
    output: process.stdout,
    cwd: process.cwd(),
  });
} else {
  const app = createAgent({
    store,
    version,
    newId: randomUUID,
    exit: (code) => process.exit(code),
    onFault: (error) => process.stderr.write(`rehearsal: ${String(error)}\n`),
  });
  const connection = app.connect(
    ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin)),
  );
  process.once('SIGTERM', () => process.exit(0));
  await connection.closed;
  process.exit(0); // whoever drove it has gone
}
