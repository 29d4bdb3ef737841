// Postgres connections for prisma-engine.mjs. PrismaPg as it is does not serve the WebAssembly engine: each override below says why.
import { randomUUID } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import { ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { parse } from 'pg-connection-string';

const nowhere = 'postgresql://localhost:1/none'; // `diff` of two files asks for a connection that it never uses
const charOid = 18;
const textOid = 25;
const charMark = '\u0001char';

export function parseUrl(url) {
  const config = { ...parse(url || nowhere) };
  delete config.schema; // Prisma's own, unknown to pg
  return config;
}

function openPool(config) {
  // One connection: the migration lock is an advisory lock, which lives in a session.
  const pool = new pg.Pool({ ...config, max: 1, idleTimeoutMillis: 0 });
  pool.on('error', () => undefined); // the next query reports it
  pool.on('connect', (client) => {
    // The catalogue's type "char" is unknown to the adapter: it goes through as text, under a name that gives it away.
    client.connection.prependListener('rowDescription', ({ fields }) => {
      for (const field of fields) {
        if (field.dataTypeID !== charOid) continue;
        field.dataTypeID = textOid;
        field.name += charMark;
      }
    });
  });
  return pool;
}

async function connect(config, schema, release) {
  const pool = openPool(config);
  const adapter = await new PrismaPg(pool, { schema, disposeExternalPool: false }).connect();
  const queryRaw = adapter.queryRaw.bind(adapter);
  adapter.queryRaw = async (query) => {
    const result = await queryRaw(query);
    result.columnNames.forEach((name, index) => {
      if (!name.endsWith(charMark)) return;
      result.columnNames[index] = name.slice(0, -charMark.length);
      result.columnTypes[index] = ColumnTypeEnum.Character;
    });
    return result;
  };
  // The adapter splits scripts at every semicolon, inside functions and strings too. As one simple query the script
  // is one implicit transaction, as with the native engine.
  adapter.executeScript = async (script) => {
    try {
      await pool.query(script);
    } catch (error) {
      adapter.onError(error);
    }
  };
  let disposed;
  adapter.dispose = () => (disposed ??= pool.end().then(release));
  return adapter;
}

/** Connections of one engine call. `close` ends them all and drops the shadow databases that the engine left behind. */
export function createAdapters({ url, shadowDatabaseUrl }) {
  const config = parseUrl(url);
  const schema = parse(url || nowhere).schema ?? undefined;
  const open = new Set();
  const track = async (pending) => {
    const adapter = await pending;
    open.add(adapter);
    return adapter;
  };
  const admin = async (sql) => {
    const client = new pg.Client(config);
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  const factory = {
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: () => track(connect(config, schema)),
    // The adapter's own version connects to the main database when it was given a URL.
    connectToShadowDb: async () => {
      if (shadowDatabaseUrl) return track(connect(parseUrl(shadowDatabaseUrl), schema));
      const database = `prisma_migrate_shadow_db_${randomUUID()}`;
      await admin(`CREATE DATABASE "${database}"`);
      const release = () => admin(`DROP DATABASE IF EXISTS "${database}" WITH (FORCE)`);
      return track(connect({ ...config, database }, schema, release));
    },
  };
  return {
    factory,
    close: async () => {
      for (const adapter of open) await adapter.dispose();
    },
  };
}
