import type { Terminal } from '@berth/contract';
import type { Store } from '../store/index.ts';

const columns = {
  id: true,
  sessionId: true,
  kind: true,
  cols: true,
  rows: true,
  state: true,
  exitCode: true,
  reason: true,
  createdById: true,
  createdByName: true,
  createdAt: true,
  closedAt: true,
} as const;

interface Row {
  id: string;
  sessionId: string;
  kind: string;
  cols: number;
  rows: number;
  state: string;
  exitCode: number | null;
  reason: string | null;
  createdById: string;
  createdByName: string;
  createdAt: Date;
  closedAt: Date | null;
}

const toTerminal = (row: Row): Terminal => ({
  id: row.id,
  sessionId: row.sessionId,
  kind: row.kind === 'agent' ? 'agent' : 'shell',
  cols: row.cols,
  rows: row.rows,
  state: row.state === 'open' ? 'open' : 'closed',
  ...(row.exitCode === null ? {} : { exitCode: row.exitCode }),
  ...(row.reason === null ? {} : { reason: row.reason }),
  createdBy: { id: row.createdById, name: row.createdByName },
  createdAt: row.createdAt.toISOString(),
  ...(row.closedAt === null ? {} : { closedAt: row.closedAt.toISOString() }),
});

/** Under an id that was given out before and did not open, it is open again. */
export async function insertTerminal(
  store: Store,
  terminal: {
    id: string;
    teamId: string;
    sessionId: string;
    kind: string;
    cols: number;
    rows: number;
    createdById: string;
    createdByName: string;
    createdAt: Date;
  },
): Promise<Terminal> {
  const prisma = await store.prisma();
  return toTerminal(
    await prisma.terminal.upsert({
      where: { id: terminal.id },
      create: terminal,
      update: { state: 'open', closedAt: null, reason: null },
      select: columns,
    }),
  );
}

export async function findTerminal(
  store: Store,
  teamId: string,
  id: string,
): Promise<Terminal | null> {
  const prisma = await store.prisma();
  const row = await prisma.terminal.findFirst({ where: { id, teamId }, select: columns });
  return row === null ? null : toTerminal(row);
}

/** Newest first. Served by the index on session_id; a session has a few dozen at most. */
export async function listTerminals(
  store: Store,
  teamId: string,
  sessionId: string,
  limit: number,
): Promise<Terminal[]> {
  const prisma = await store.prisma();
  const rows = await prisma.terminal.findMany({
    where: { teamId, sessionId },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit,
    select: columns,
  });
  return rows.map(toTerminal);
}

interface Closing {
  reason: string;
  at: Date;
}
const closed = ({ reason, at }: Closing) => ({ state: 'closed', closedAt: at, reason });

/** The first closing stands; a repeated one, or one that comes late, changes nothing. What a runner says of an end is stored with its event, by sessions. */
export async function closeTerminal(
  store: Store,
  sessionId: string,
  id: string,
  closing: Closing,
): Promise<void> {
  const prisma = await store.prisma();
  await prisma.terminal.updateMany({
    where: { id, sessionId, state: 'open' },
    data: closed(closing),
  });
}

export async function closeTerminalsOf(
  store: Store,
  sessionId: string,
  closing: Closing,
): Promise<void> {
  const prisma = await store.prisma();
  await prisma.terminal.updateMany({
    where: { sessionId, state: 'open' },
    data: closed(closing),
  });
}
