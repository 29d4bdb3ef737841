import type { Session } from '@berth/contract';
import type { OperationId } from '@berth/contract/routes';
import type { Actor } from '../../identity/index.ts';
import type { EventLog, Sessions, Turns } from '../../sessions/index.ts';
import type { Reply } from '../answer.ts';
import { json, versioned } from '../answer.ts';
import { acceptable, versionOf } from '../conditions.ts';
import { exportJson, exportMarkdown } from '../export.ts';
import type { Mount } from '../mount.ts';

const orders = {
  suspendSession: 'suspend',
  resumeSession: 'resume',
  archiveSession: 'archive',
  unarchiveSession: 'unarchive',
  cancelTurn: 'cancel',
  restartAgent: 'restartAgent',
  takeBack: 'takeBack',
} as const satisfies Partial<Record<OperationId, keyof Sessions>>;

const answered = (status: number, session: Session): Reply =>
  json(status, session, versioned(session));

export function mountSessions(
  mount: Mount,
  { sessions, turns, log }: { sessions: Sessions; turns: Turns; log: EventLog },
): void {
  mount('listSessions', async ({ actor, query }) => json(200, await sessions.list(actor, query)));
  mount('createSession', async ({ actor, body, createdId }) => {
    const session = await sessions.create(actor, body, createdId);
    const reply = answered(201, session);
    return { ...reply, headers: { ...reply.headers, Location: `/api/v1/sessions/${session.id}` } };
  });
  mount('getSession', async ({ actor, params }) =>
    answered(200, await sessions.get(actor, params.sessionId)),
  );
  mount('patchSession', async ({ actor, params, body, request }) => {
    const version = versionOf(request.headers['if-match']);
    return answered(200, await sessions.patch(actor, params.sessionId, version, body));
  });
  mount('deleteSession', async ({ actor, params }) =>
    json(202, await sessions.remove(actor, params.sessionId)),
  );

  const order = (
    id: keyof typeof orders,
    run: (actor: Actor, sessionId: string) => Promise<Session>,
  ) => mount(id, async ({ actor, params }) => answered(202, await run(actor, params.sessionId)));
  for (const id of Object.keys(orders) as (keyof typeof orders)[]) {
    order(id, (actor, sessionId) => sessions[orders[id]](actor, sessionId));
  }

  mount('exportSession', async ({ actor, params, request, response, signal }) => {
    const { sessionId } = params;
    const type = acceptable(request.headers.accept, ['text/markdown', 'application/json']);
    response.setHeader('Vary', 'Accept');
    if (type === 'text/markdown')
      await exportMarkdown(response, { sessions }, actor, sessionId, signal);
    else await exportJson(response, { sessions, turns, log }, actor, sessionId, signal);
    return 'sent';
  });
}
