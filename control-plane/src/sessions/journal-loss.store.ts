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

/**
 * The same when the log is what was put back, and what lies between it and the journal is gone: of messages and questions from before `copied`. Those that waited, too:
 * one may have been sent since then, and sent again under its own id the runner would only say that it knows it, and nobody would ever hear of its end.
 */
export async function loseBetween(
  sql: Sql,
  sessionId: string,
  { copied, at }: { copied: Date; at: Date },
): Promise<void> {
  await sql.query(
    `update turn set state = 'unknown', version = version + 1 where session_id = $1 and state = any($2::text[]) and created_at < $3`,
    [sessionId, ['queued', ...inFlight], copied],
  );
  await sql.query(
    `update approval set state = 'superseded', revision = revision + 1, decided_at = $2 where session_id = $1 and state = 'waiting' and about is null and created_at < $3`,
    [sessionId, at, copied],
  );
}
