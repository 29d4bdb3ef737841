import { mustActIn, type Actor } from '../identity/index.ts';
import type { Core } from './core.ts';
import { readSession, type SessionRow } from './sessions.store.ts';
import { isUuid, noSession } from './sql.ts';

/** For whoever reads. One of another team is not there. */
export async function readable(
  { pool }: Pick<Core, 'pool'>,
  actor: Actor,
  id: string,
): Promise<SessionRow> {
  const row = isUuid(id) ? await readSession(pool, actor, id) : null;
  if (row === null) throw noSession();
  return row;
}

/** For whoever changes something in it. `forbidden`: somebody else made it. */
export async function own(core: Pick<Core, 'pool'>, actor: Actor, id: string): Promise<SessionRow> {
  const row = await readable(core, actor, id);
  mustActIn(actor, row.created_by_id);
  return row;
}
