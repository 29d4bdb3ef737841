import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where this build's files lie and where its data goes. The bundle is `dist/control-plane/main.mjs`. */
export interface Places {
  readonly dist: string;
  readonly harnesses: string;
  readonly migrations: string;
  readonly webview: string;
  readonly agentd: string;
  readonly vaultScript: string;
  readonly runnerScript: string;
  readonly vsix: string;
  readonly nodeDir: string;
  readonly nodeBinary: string;
  readonly runnerState: string;
  readonly egressSocket: string;
}

/** Unix socket paths end at 107 bytes on Linux. */
const socketBytesMax = 107;

export function placesOf(dataDir: string): Places {
  const dist = resolve(dirname(fileURLToPath(import.meta.url)), '..');
  const egressSocket = join(dataDir, 'vault.sock');
  if (Buffer.byteLength(egressSocket) > socketBytesMax)
    throw new Error(`BERTH_DATA_DIR: "${dataDir}" is too long for the sockets that live in it`);
  return {
    dist,
    harnesses: resolve(dist, '..', 'harnesses'),
    migrations: join(dist, 'prisma', 'migrations'),
    webview: join(dist, 'webview'),
    agentd: join(dist, 'agentd'),
    vaultScript: join(dist, 'vault', 'main.mjs'),
    runnerScript: join(dist, 'runner', 'main.mjs'),
    vsix: join(dist, 'berth.vsix'),
    nodeDir: dirname(dirname(process.execPath)),
    nodeBinary: process.execPath,
    runnerState: join(dataDir, 'runner'),
    egressSocket,
  };
}
