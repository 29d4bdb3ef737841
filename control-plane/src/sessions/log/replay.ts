import type pg from 'pg';
import { eventJson, type Stored } from './entry.ts';
import { limits } from './limits.ts';

/** Where readers get stored events from. Implemented on Postgres here, and by a model in the feed's property test. */
export interface EventTable {
  /** Up to `limits.pageRows` visible events of `(after, to]`, in order; fewer = there are no more. */
  page(sessionId: string, after: number, to: number): Promise<Stored[]>;
  /** The last number given out. Null: no such session. */
  lastSeq(sessionId: string): Promise<number | null>;
}

type Row = [seq: string, atMs: string, kind: string, turnId: string | null, payload: string];
/** Every column as the text that came: the payload is sent on without being parsed. */
const verbatim = { getTypeParser: () => (text: string) => text };

/**
 * Visible: all but the deltas that a later `message` or `thought` supersedes. Those below `open_from` are all superseded, so no marker is ever updated.
 * A page is a range of the primary key; 1,000 rows cost 0.9 ms. `to_char` would make it five times that.
 */
const columns = `e.seq, (extract(epoch from e.at) * 1000)::int8, e.kind, e.turn_id, e.payload`;
const visible = `(e.kind not in ('message.delta', 'thought.delta')
  or e.seq >= (select coalesce(h.open_from, 9223372036854775807) from session_head h where h.session_id = $1))`;

const statements = {
  after: `select ${columns} from session_event e
    where e.session_id = $1 and e.seq > $2 and e.seq <= $3 and ${visible} order by e.seq limit $4`,
  before: `select ${columns} from session_event e
    where e.session_id = $1 and e.seq < $2 and ${visible} order by e.seq desc limit $3`,
} as const;

async function read(
  pool: pg.Pool,
  name: keyof typeof statements,
  values: readonly (string | number)[],
): Promise<Stored[]> {
  const [sessionId] = values;
  const query = {
    name: `session-events-${name}`,
    text: statements[name],
    values: [...values],
    rowMode: 'array' as const,
    types: verbatim,
  };
  const { rows } = await pool.query<Row>(query);
  return rows.map(([seq, at, kind, turnId, payload]) => ({
    seq: Number(seq),
    kind,
    json: eventJson(String(sessionId), Number(seq), Number(at), kind, turnId, payload),
  }));
}

export interface EventReader extends EventTable {
  before(sessionId: string, before: number, limit: number): Promise<Stored[]>;
  after(sessionId: string, after: number, limit: number): Promise<Stored[]>;
}

const endless = Number.MAX_SAFE_INTEGER;

export function createEventReader(pool: pg.Pool): EventReader {
  return {
    page: (sessionId, after, to) => read(pool, 'after', [sessionId, after, to, limits.pageRows]),
    after: (sessionId, after, limit) => read(pool, 'after', [sessionId, after, endless, limit]),
    before: async (sessionId, before, limit) =>
      (await read(pool, 'before', [sessionId, before, limit])).reverse(),
    async lastSeq(sessionId) {
      const { rows } = await pool.query<{ last_seq: number }>(
        `select last_seq::float8 as last_seq from session_head where session_id = $1`,
        [sessionId],
      );
      return rows[0]?.last_seq ?? null;
    },
  };
}
