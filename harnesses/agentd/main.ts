/**
 * The main process of a sandbox, under a minimal init. Holds nothing of value: no token, no journal, no right that an agent lacks.
 * Bundled to dist/agentd/agentd.cjs, with the native terminal module beside it.
 */
import path from 'node:path';
import { createAgentd } from './agentd.ts';
import { startFileName } from './protocol.ts';
import { readStart } from './start-file.ts';

const { BERTH_RUN, BERTH_WORKSPACE, ...inherited } = process.env;
const env: Record<string, string> = {};
for (const [name, value] of Object.entries(inherited)) if (value !== undefined) env[name] = value;

const closeMs = 1000;
const log = (line: string): void => {
  process.stderr.write(`agentd: ${line}\n`);
};
const socketDir = BERTH_RUN ?? '/run/berth';
const workspace = BERTH_WORKSPACE ?? '/workspace';
const agentd = createAgentd({
  socketDir,
  workspace,
  env,
  start: readStart(path.join(socketDir, startFileName), workspace, log),
  startedAtMs: Math.trunc(performance.timeOrigin),
  log,
  abandoned: (reason) => end(`${reason}: the sandbox ends`, 75),
});
/**
 * Ends by having nothing left to do. `process.exit` may wait for ever for a compile thread of V8 that waits for the main thread
 * (nodejs/node#54918), and with agentd the whole sandbox would stay.
 */
function end(line: string, code: number): void {
  log(line);
  agentd.close();
  process.exitCode = code;
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), closeMs).unref();
}
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
  process.on(name, () => end(`${name}: the sandbox ends`, 0));
