import { chmodSync, rmSync } from 'node:fs';
import { systemClock } from '../../clock.ts';
import { parseTrusted } from './addresses.ts';
import type { FromProxy, ToProxy } from './messages.ts';
import { createProxy, type Proxy } from './proxy.ts';

/** The egress proxy's process. Its parent is the control plane: it ends when that is gone, and the next one starts its own. */
const tell = (message: FromProxy): void => {
  process.send?.(message);
};
let proxy: Proxy | undefined;

async function start(socketPath: string, trusted: string): Promise<void> {
  proxy = createProxy({
    clock: systemClock,
    trusted: parseTrusted(trusted),
    record: (record) => tell({ op: 'egress', record }),
  });
  rmSync(socketPath, { force: true });
  await proxy.listen(socketPath);
  // Only the runner, which has our uid, may connect.
  chmodSync(socketPath, 0o600);
  tell({ op: 'listening' });
}

process.on('message', (message: ToProxy) => {
  switch (message.op) {
    case 'start':
      start(message.socketPath, message.trusted).catch((error: unknown) => {
        tell({ op: 'refused', detail: error instanceof Error ? error.message : String(error) });
        process.exitCode = 1;
        process.disconnect();
      });
      break;
    case 'policy':
      proxy?.setPolicy(message.policy);
      break;
    case 'forget':
      proxy?.forget(message.sessionId);
      break;
  }
});
// Not by `process.exit`, which may wait for ever for a compile thread of V8 (nodejs/node#54918): the port must not stay open.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// Ctrl-C reaches the whole foreground group: the parent drains first and then lets go of us.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
