import type { Sql } from './sql.ts';
import { inFlight } from './turn.ts';

/**
 * With its journal the runner lost what it knew of the turn under way, and who waits for an answer. Sending the turn again could double it: it is in
 * question, and a person decides. In the transaction that begins to count the next journal; the events are found missing and said afterwards.
 */
export async function loseJournal(sql: Sql, sessionId: string, at: Date): Promise<void> {
  await sql.query(
    `update turn set state = 'unknown', version = version + 1 where session_id = $1 and state = any($2::text[])`,
    [sessionId, [...inFlight]],
  );
  await sql.query(
    `update approval set state = 'superseded', revision = revision + 1, decided_at = $2 where session_id = $1 and state = 'waiting' and about is null`,
    [sessionId, at],
  );
}
