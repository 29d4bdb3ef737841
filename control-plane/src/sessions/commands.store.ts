import type { Entry } from './log/entry.ts';
import type { Sql } from './sql.ts';

export interface CommandRow {
  id: string;
  kind: string | null;
  turn_id: string | null;
  payload: string | null;
  at: number;
  /** The log has the event already: whoever said it died before the row was deleted. */
  told: boolean;
}

/** Without an event: only "look"; at a turn, when it names one. */
export async function insertCommand(
  sql: Sql,
  id: string,
  sessionId: string,
  at: number,
  entry: Entry | null,
  turnId: string | null = entry?.turnId ?? null,
): Promise<void> {
  await sql.query(
    `insert into session_command (id, session_id, kind, turn_id, payload, at, after_seq)
     select $1, h.session_id, $3, $4, $5, $6, h.last_seq from session_head h where h.session_id = $2`,
    [id, sessionId, entry?.kind ?? null, turnId, entry?.payload ?? null, new Date(entry?.at ?? at)],
  );
}

/** In the order in which they were left. An event is known again by its kind, time and text, behind the place where the log stood. */
export async function readCommands(sql: Sql, sessionId: string): Promise<CommandRow[]> {
  const { rows } = await sql.query<CommandRow>(
    `select c.id, c.kind, c.turn_id, c.payload::text as payload, (extract(epoch from c.at) * 1000)::float8 as at,
        c.kind is not null and exists (select 1 from session_event e where e.session_id = c.session_id and e.seq > c.after_seq
          and e.kind = c.kind and e.at = c.at and e.payload::text = c.payload::text) as told
       from session_command c where c.session_id = $1 order by c.id`,
    [sessionId],
  );
  return rows;
}

export async function deleteCommands(sql: Sql, ids: readonly string[]): Promise<void> {
  await sql.query(`delete from session_command where id = any($1::uuid[])`, [ids]);
}

/** The table is empty unless something has just been left. */
export async function commandedSessions(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ session_id: string }>(
    `select distinct session_id from session_command limit 1000`,
  );
  return rows.map((row) => row.session_id);
}
