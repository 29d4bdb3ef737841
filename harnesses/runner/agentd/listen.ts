import { chmod, chown, rm } from 'node:fs/promises';
import type { Server } from 'node:net';

/** A Unix socket that the sandbox's uid, and nobody else but us, may connect to. */
export async function listen(
  server: Server,
  path: string,
  owner: { uid: number; gid: number },
): Promise<void> {
  await rm(path, { force: true }); // of a runner that died; the lock says that it is not alive
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
  await chmod(path, 0o600);
  if (process.getuid?.() === 0) await chown(path, owner.uid, owner.gid);
}
