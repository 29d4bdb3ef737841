import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionSpec } from '@berth/contract/link';
import { socketName } from '../agentd/protocol.ts';
import { listen } from './agentd/listen.ts';
import type { Clock } from './clock.ts';
import { createEgressForwarder } from './forwarders/egress.ts';
import { createGatewayForwarder, type Upstream } from './forwarders/gateway.ts';
import type { NewId } from './ids.ts';
import type { Journal } from './journal/journal.ts';
import type { Screens } from './screen/index.ts';
import type { Session } from './session/ports.ts';
import { createSession } from './session/session.ts';

/** Everything that one bound sandbox has of us: its three sockets and what stands behind them. */
export async function openSandbox(options: {
  spec: SessionSpec;
  /** The latest bind of this generation: its token may be another. */
  current: () => SessionSpec;
  dir: string;
  journal: Journal;
  screens: Pick<Screens, 'open'>;
  upstream: () => Upstream | null;
  clock: Clock;
  newId: NewId;
  version: string;
  log: (fields: Record<string, unknown>, message: string) => void;
}): Promise<{ session: Session; close: () => Promise<void> }> {
  const { spec, current, dir, upstream, log } = options;
  const { sessionId, socketDir } = spec;
  const owner = { uid: spec.hostUid, gid: spec.hostGid };
  const gateway = createGatewayForwarder({ sessionId, upstream, log });
  const egress = createEgressForwarder({
    sessionId,
    target: () => ({ socket: current().egressSocket, token: current().egressToken }),
  });
  const close = (): void => {
    gateway.close();
    egress.close();
  };
  try {
    await listen(gateway.server, join(socketDir, socketName.gateway), owner);
    await listen(egress.server, join(socketDir, socketName.egress), owner);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const session = await createSession(options);
    return {
      session,
      async close() {
        close();
        await session[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}
