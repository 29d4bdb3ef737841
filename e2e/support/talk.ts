import { randomUUID } from 'node:crypto';
import type { Agent, Approval, Event, Session, Turn } from '@berth/contract';
import { openChannels, type Channels } from '../../client/index.ts';
import { connectNode } from '../../client/node.ts';
import { until, type Berth } from './berth.ts';

export const rehearsal = async (berth: Berth): Promise<Agent> => {
  const agents = await berth.client.agents.list();
  const found = agents.items.find((agent) => agent.name === 'Rehearsal');
  if (found === undefined) throw new Error('the ready-made agent is missing');
  return found;
};

/** An agent of the rehearsal kind that never asks. */
export const autoAgent = (
  berth: Berth,
  more: { instructions?: string; egress?: { allow: string[] } } = {},
): Promise<Agent> =>
  berth.client.agents.create({
    name: `auto-${randomUUID().slice(0, 8)}`,
    harness: 'rehearsal',
    mode: 'auto',
    ...more,
  });

export const text = (value: string) => [{ type: 'text' as const, text: value }];

/** Sends a prompt and waits for the end of its turn. */
export async function say(
  berth: Berth,
  sessionId: string,
  prompt: string,
  waitSeconds = 60,
): Promise<Turn> {
  const turn = await berth.client.turns.create(
    sessionId,
    { id: randomUUID(), prompt: text(prompt) },
    { waitSeconds },
  );
  if (turn.endedAt === undefined)
    throw new Error(
      `the turn is still ${turn.state} after ${String(waitSeconds)} s\n${berth.log().slice(-4000)}`,
    );
  return turn;
}

export const idle = (berth: Berth, sessionId: string, timeoutMs = 30_000): Promise<Session> =>
  status(berth, sessionId, 'idle', timeoutMs);
export async function status(
  berth: Berth,
  sessionId: string,
  wanted: Session['status'],
  timeoutMs = 30_000,
): Promise<Session> {
  let last: Session | undefined;
  await until(
    async () => (last = await berth.client.sessions.get(sessionId)).status === wanted,
    timeoutMs,
    `status ${wanted}`,
  ).catch((error: unknown) => {
    throw new Error(
      `${String(error)}; it is ${String(last?.status)} (${String(last?.reason)})\n${berth.log().slice(-4000)}`,
    );
  });
  if (last === undefined) throw new Error('no session');
  return last;
}

/** The next approval of this session that waits. */
export async function waiting(berth: Berth, sessionId: string): Promise<Approval> {
  let found: Approval | undefined;
  await until(
    async () => {
      found = (await berth.client.approvals.list({ state: 'waiting', sessionId })).items[0];
      return found !== undefined;
    },
    20_000,
    'a waiting approval',
  ).catch(async (error: unknown) => {
    const session = await berth.client.sessions.get(sessionId);
    const log = (await replay(berth, sessionId)).map((event) => JSON.stringify(event)).join('\n');
    throw new Error(
      `${String(error)}\n${JSON.stringify(session)}\n${log}\n${berth.log().slice(-4000)}`,
    );
  });
  if (found === undefined) throw new Error('unreachable');
  return found;
}

/** The whole log as REST gives it now. */
export async function replay(berth: Berth, sessionId: string): Promise<Event[]> {
  const all: Event[] = [];
  for (let after = 0; ;) {
    const page = await berth.client.sessions.events(sessionId, { after, limit: 1000 });
    all.push(...page.items);
    const last = all.at(-1)?.seq ?? 0;
    if (last <= after || last >= page.lastSeq) return all;
    after = last;
  }
}

/** Reads the log live through the channel socket, over reconnects, and remembers everything that it was given. */
export function follow(
  berth: Berth,
  sessionId: string,
  after = 0,
): { seen: Event[]; seqs: number[]; channels: Channels; close(): void } {
  const seen: Event[] = [];
  const seqs: number[] = [];
  const channels = openChannels({ client: berth.client, connect: connectNode });
  channels.session(
    sessionId,
    { after },
    {
      events: (events) => {
        for (const event of events) {
          seqs.push(event.seq);
          seen.push(event);
        }
      },
    },
  );
  return { seen, seqs, channels, close: () => channels.close() };
}
