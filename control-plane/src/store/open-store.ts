import type { Logger } from 'pino';
import pg from 'pg';
import type { PrismaClient } from '../generated/prisma/client.ts';

/** A forgotten transaction stops the pruning of the session heads for everybody, so no connection of ours can keep one open. */
const limits = {
  connectMs: 5_000,
  idleInTransactionMs: 15_000,
  transactionMs: 60_000,
  /** A connection that hangs without closing is given up. Longer than the server's own limit, which is the cleaner end. */
  queryMs: 65_000,
};

export interface Store extends AsyncDisposable {
  readonly url: string;
  readonly pool: pg.Pool;
  /** Loaded at the first call: paths that every start or every session takes do without it. */
  prisma(): Promise<PrismaClient>;
  /** A connection of its own, outside the pool. The caller ends it, and listens for `error` and `end`. */
  connect(name: string): Promise<pg.Client>;
}
export interface StoreOptions {
  url: string;
  logger: Logger;
  maxConnections?: number;
}

export async function openStore({
  url,
  logger,
  maxConnections = 10,
}: StoreOptions): Promise<Store> {
  const settings = {
    connectionString: url,
    connectionTimeoutMillis: limits.connectMs,
    query_timeout: limits.queryMs,
    keepAlive: true,
    options: await sessionOptions(url),
  };
  const pool = new pg.Pool({ ...settings, max: maxConnections, application_name: 'berth' });
  // The pool listens to idle connections only. One that breaks between two statements of a transaction would end the process; as it is, the next
  // statement fails, and the pool throws the connection away.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', (error) => logger.warn({ err: error }, 'an idle database connection broke'));
  let prisma: Promise<PrismaClient> | undefined;
  const close = async () => {
    await (await prisma)?.$disconnect();
    await pool.end();
  };
  let closing: Promise<void> | undefined;
  return {
    url,
    pool,
    prisma: () => (prisma ??= import('./prisma.ts').then(({ openPrisma }) => openPrisma(pool))),
    async connect(name) {
      const client = new pg.Client({ ...settings, application_name: `berth ${name}` });
      client.on('error', (error) =>
        logger.warn({ err: error, name }, 'a database connection broke'),
      );
      await client.connect();
      return client;
    },
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

/** Sent with the start of every connection, so that no statement ever runs without them. */
async function sessionOptions(url: string): Promise<string> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: limits.connectMs,
  });
  await client.connect();
  try {
    const { rows } = await client.query<{ version: number }>(
      `select current_setting('server_version_num')::int as version`,
    );
    const settings: Record<string, string> = {
      // Under repeatable read or serializable, two log writers get 40001 on about half of their groups.
      default_transaction_isolation: 'read\\ committed',
      idle_in_transaction_session_timeout: String(limits.idleInTransactionMs),
    };
    if ((rows[0]?.version ?? 0) >= 170_000) {
      settings['transaction_timeout'] = String(limits.transactionMs);
    } else {
      settings['statement_timeout'] = String(limits.transactionMs);
    }
    return Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' ');
  } finally {
    await client.end();
  }
}
