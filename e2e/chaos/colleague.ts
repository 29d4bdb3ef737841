import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type pg from 'pg';

/** A second person in the team that the start made, who may act in others' sessions. Answers their token. */
export async function addColleague(sql: pg.Client, name: string): Promise<string> {
  const user = randomUUID();
  const id = randomBytes(5).toString('hex');
  const secret = randomBytes(16).toString('hex');
  const { rows } = await sql.query<{ team_id: string }>('select team_id from membership limit 1');
  const team = rows[0]?.team_id;
  await sql.query('insert into app_user (id, name) values ($1, $2)', [user, name]);
  await sql.query("insert into membership (team_id, user_id, role) values ($1, $2, 'admin')", [
    team,
    user,
  ]);
  await sql.query(
    "insert into api_token (id, team_id, user_id, name, hash, scopes) values ($1, $2, $3, 'chaos', $4, '{*}')",
    [id, team, user, createHash('sha256').update(secret).digest()],
  );
  return `berth_${id}_${secret}`;
}
