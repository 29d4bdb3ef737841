import type { Store } from '../store/index.ts';

export async function runnerHash(store: Store, runnerId: string): Promise<Uint8Array | null> {
  const row = await store.prisma.runner.findUnique({
    where: { id: runnerId },
    select: { hash: true },
  });
  return row?.hash ?? null;
}

/** Its journal outlives the database's row, so an identity that the machine still holds is taken over as it is. */
export async function ensureRunner(
  store: Store,
  runner: { id: string; hash: Uint8Array<ArrayBuffer>; at: Date },
): Promise<void> {
  await store.prisma.runner.upsert({
    where: { id: runner.id },
    create: { id: runner.id, hash: runner.hash, createdAt: runner.at },
    update: { hash: runner.hash },
  });
}

export async function runnerSeen(store: Store, runnerId: string, at: Date): Promise<void> {
  await store.prisma.runner.updateMany({ where: { id: runnerId }, data: { lastSeenAt: at } });
}
