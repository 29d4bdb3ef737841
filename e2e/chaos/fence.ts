import type pg from 'pg';

/** Who wrote what, as the database saw it: each process is known there by the name of its connections. */
export interface Written {
  readonly session: string;
  /** `raised`: took the session over. `event`: one of the log. `turn`: another state of a message, that only the session's writer gives it. */
  readonly what: 'raised' | 'event' | 'turn';
  readonly epoch: number;
  readonly by: string;
  readonly detail: string;
}

/**
 * From now on every write to a log, every take-over and every step of a message is noted. A person's own steps (withdrawn, settled) may come from any
 * process, and are not.
 */
export async function watchWriters(sql: pg.Client): Promise<void> {
  await sql.query(`
    create table chaos_written (n bigint generated always as identity, session uuid, what text, epoch int, by text, detail text);
    create function chaos_raised() returns trigger language plpgsql as $$ begin
      insert into chaos_written (session, what, epoch, by, detail)
        values (new.session_id, 'raised', new.epoch, current_setting('application_name'), '');
      return null; end $$;
    create function chaos_event() returns trigger language plpgsql as $$ begin
      insert into chaos_written (session, what, epoch, by, detail)
        values (new.session_id, 'event', new.epoch, current_setting('application_name'), new.seq || ' ' || new.kind);
      return null; end $$;
    create function chaos_turn() returns trigger language plpgsql as $$ begin
      insert into chaos_written (session, what, epoch, by, detail)
        select new.session_id, 'turn', h.epoch, current_setting('application_name'), new.id || ' ' || old.state || ' → ' || new.state
          from session_head h where h.session_id = new.session_id;
      return null; end $$;
    create trigger chaos_raised after update on session_head for each row when (new.epoch > old.epoch) execute function chaos_raised();
    create trigger chaos_event after insert on session_event for each row execute function chaos_event();
    create trigger chaos_turn after update on turn for each row
      when (new.state <> old.state and old.state <> 'unknown' and new.state in ('sent', 'accepted', 'running', 'done', 'failed'))
      execute function chaos_turn()`);
}

export async function readWritten(sql: pg.Client): Promise<Written[]> {
  const { rows } = await sql.query<Written>(
    'select session, what, epoch, by, detail from chaos_written order by n',
  );
  return rows;
}

/** Pure. A process that was taken over from, frozen or slow or cut off, writes nothing any more: neither events nor the rows that go with them. */
export function checkWriters(written: readonly Written[]): { session: string; what: string }[] {
  const faults: { session: string; what: string }[] = [];
  const raisedBy = new Map<string, string>();
  const newest = new Map<string, number>();
  for (const { session, what, epoch, by } of written)
    if (what === 'raised') raisedBy.set(`${session} ${String(epoch)}`, by);
  for (const { session, what, epoch, by, detail } of written) {
    if (what === 'raised') newest.set(session, Math.max(newest.get(session) ?? 0, epoch));
    if (what === 'event' && epoch < (newest.get(session) ?? 0))
      faults.push({
        session,
        what: `${by} wrote event ${detail} in epoch ${String(epoch)}, after ${String(newest.get(session))} was taken`,
      });
    const owner = raisedBy.get(`${session} ${String(epoch)}`);
    if (what !== 'raised' && owner !== undefined && owner !== by)
      faults.push({
        session,
        what: `${by} wrote ${what} ${detail} in epoch ${String(epoch)}, which is of ${owner}`,
      });
  }
  return faults;
}
