import type { IncomingHttpHeaders } from 'node:http';
import type { Turn } from '@berth/contract';
import type { Actor } from '../../identity/index.ts';
import type { Approvals, Turns } from '../../sessions/index.ts';
import type { Reply } from '../answer.ts';
import { json } from '../answer.ts';
import { waitSecondsOf } from '../conditions.ts';
import type { Mount } from '../mount.ts';

interface Waiting {
  actor: Actor;
  params: { sessionId: string };
  request: { headers: IncomingHttpHeaders };
  signal: AbortSignal;
}

export function mountTurns(
  mount: Mount,
  { turns, approvals, draining }: { turns: Turns; approvals: Approvals; draining: AbortSignal },
): void {
  /** With `Prefer: wait`: the turn once it ended, else what there was, as 202. */
  async function awaited(call: Waiting, turnId: string, reply: Reply): Promise<Reply> {
    const header = call.request.headers['prefer'];
    const seconds = waitSecondsOf(typeof header === 'string' ? header : undefined);
    if (seconds === null) return reply;
    const { actor, params } = call;
    const signal = AbortSignal.any([call.signal, draining, AbortSignal.timeout(seconds * 1000)]);
    const headers = { ...reply.headers, 'Preference-Applied': `wait=${seconds}` };
    const ended = await turns.ended(actor, params.sessionId, turnId, signal);
    if (ended !== null) return json(200, ended, headers);
    return json(202, await turns.get(actor, params.sessionId, turnId), headers);
  }

  mount('listTurns', async ({ actor, params, query }) =>
    json(200, await turns.list(actor, params.sessionId, query)),
  );
  mount(
    'createTurn',
    async ({ actor, params, body }) => {
      const { turn, created } = await turns.create(actor, params.sessionId, body);
      const location = `/api/v1/sessions/${params.sessionId}/turns/${turn.id}`;
      return created ? json(201, turn, { Location: location }) : json(200, turn);
    },
    (call, reply) => awaited(call, call.body.id, reply),
  );
  mount('getTurn', async (call) => {
    const turn: Turn = await turns.get(call.actor, call.params.sessionId, call.params.turnId);
    return awaited(call, turn.id, json(200, turn));
  });
  mount('patchTurn', async ({ actor, params, body }) =>
    json(200, await turns.patch(actor, params.sessionId, params.turnId, null, body)),
  );
  mount('withdrawTurn', async ({ actor, params }) =>
    json(200, await turns.withdraw(actor, params.sessionId, params.turnId)),
  );
  mount('settleTurn', async ({ actor, params, body }) =>
    json(200, await turns.settle(actor, params.sessionId, params.turnId, body)),
  );

  mount('listApprovals', async ({ actor, query }) => json(200, await approvals.list(actor, query)));
  mount('getApproval', async ({ actor, params }) =>
    json(200, await approvals.get(actor, params.approvalId)),
  );
  mount('decideApproval', async ({ actor, params, body }) =>
    json(200, await approvals.decide(actor, params.approvalId, body)),
  );
}
