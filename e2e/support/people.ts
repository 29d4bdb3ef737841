import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { createClient } from '../../client/index.ts';
import type { Berth } from './berth.ts';

/** The database of a running instance, as its owner. */
export async function openDatabaseOf(dataDir: string): Promise<pg.Client> {
  const paths = await readdir(dataDir, { recursive: true });
  const socket = paths.find((path) => path.endsWith('.s.PGSQL.5432'));
  const secret = paths.find((path) => path.endsWith('pg.secret'));
  if (socket === undefined || secret === undefined) throw new Error('no embedded server here');
  const client = new pg.Client({
    host: join(dataDir, dirname(socket)),
    port: 5432,
    user: 'berth',
    database: 'berth',
    password: (await readFile(join(dataDir, secret), 'utf8')).trim(),
  });
  await client.connect();
  return client;
}

export interface Person {
  role: 'viewer' | 'member' | 'admin' | 'owner';
  /** Absent: a team of their own, beside the one that the start made. What one team has, the other must not find. */
  teamId?: string;
  scopes?: string[];
}
/** Somebody else on the same server, signed in. */
export async function person(berth: Berth, { role, teamId, scopes }: Person): Promise<Berth> {
  const sql = await openDatabaseOf(berth.dataDir);
  const team = teamId ?? randomUUID();
  const user = randomUUID();
  const id = randomBytes(5).toString('hex');
  const secret = randomBytes(16).toString('hex');
  try {
    if (teamId === undefined)
      await sql.query('insert into team (id, name) values ($1, $2)', [team, 'The others']);
    await sql.query('insert into app_user (id, name) values ($1, $2)', [user, `a ${role}`]);
    await sql.query('insert into membership (team_id, user_id, role) values ($1, $2, $3)', [
      team,
      user,
      role,
    ]);
    await sql.query(
      "insert into api_token (id, team_id, user_id, name, hash, scopes) values ($1, $2, $3, 'test', $4, $5)",
      [id, team, user, createHash('sha256').update(secret).digest(), scopes ?? ['*']],
    );
  } finally {
    await sql.end();
  }
  const token = `berth_${id}_${secret}`;
  return {
    ...berth,
    url: berth.url,
    token,
    client: createClient({ url: berth.url, token: () => token }),
  };
}
