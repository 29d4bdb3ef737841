import { Problem } from '@berth/contract';
import * as z from 'zod/mini';
import { contextOf, type SessionContext } from './binding.ts';
import { readContextRow } from './facts.store.ts';
import type { Reports } from './intents.ts';
import { Elsewhere } from './owner.ts';
import type { RemoteReports } from './ports.ts';
import { isUuid, type Sql } from './sql.ts';

/** From a process of the same build: looked at so far that a mistake is found here, and passed on whole. */
const sandbox = z.looseObject({
  sessionId: z.string(),
  generation: z.int(),
  state: z.string(),
  notes: z.array(z.string()),
  isolated: z.boolean(),
});
const bodies = {
  phase: z.looseObject({ phase: z.string() }),
  running: z.object({ sandbox, grant: z.object({ token: z.string(), socket: z.string() }) }),
  removed: z.null(),
} as const;

/** The link may have moved on meanwhile: then the reconciler tells again, there. */
export async function remoteReport(
  here: Reports['here'],
  sessionId: string,
  name: string,
  body: unknown,
): Promise<void> {
  try {
    if (name === 'phase')
      await here.phase(sessionId, z.parse(bodies.phase, body) as unknown as RemoteReports['phase']);
    else if (name === 'running')
      await here.running(
        sessionId,
        z.parse(bodies.running, body) as unknown as RemoteReports['running'],
      );
    else if (name === 'removed') await here.removed(sessionId, z.parse(bodies.removed, body));
    else throw new Error(`no report: ${name}`);
  } catch (error) {
    if (!(error instanceof Elsewhere)) throw error;
    throw new Problem('not-ready', 'The link has moved.', { cause: error });
  }
}

/** Undefined: this runner does not serve the session. */
export async function readContext(
  sql: Sql,
  runnerId: string,
  sessionId: string,
): Promise<SessionContext | undefined> {
  const row = isUuid(sessionId) ? await readContextRow(sql, runnerId, sessionId) : null;
  if (row === null) return undefined;
  return contextOf(row, { id: row.agent_id, model: row.agent_model });
}
