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
