import { uuidV7 } from '../ids.ts';
import type { Store } from '../store/index.ts';
import type { EgressRecord } from './proxy/messages.ts';

/** Append-only; one statement per batch. */
export async function insertEgressEvents(
  store: Store,
  entries: readonly { id: string; record: EgressRecord }[],
): Promise<void> {
  const prisma = await store.prisma();
  await prisma.egressEvent.createMany({
    data: entries.map(({ id, record }) => ({
      id,
      teamId: record.teamId,
      sessionId: record.sessionId,
      at: new Date(record.at),
      host: record.host,
      port: record.port,
      outcome: record.outcome,
      reason: record.reason,
      address: record.address ?? null,
      bytesUp: BigInt(record.bytesUp),
      bytesDown: BigInt(record.bytesDown),
      ms: record.ms,
    })),
  });
}

/** One batch of what is older; false: there is no more. Ids sort by birth, so the primary key serves it: no index of its own for a deletion. */
export async function sweepEgressEvents(
  store: Store,
  beforeMs: number,
  batch: number,
): Promise<boolean> {
  const oldest = uuidV7(beforeMs, new Uint8Array(10));
  const { rowCount } = await store.pool.query(
    `delete from egress_event where id in (select e.id from egress_event e where e.id < $1 order by e.id limit $2)`,
    [oldest, batch],
  );
  return (rowCount ?? 0) === batch;
}
