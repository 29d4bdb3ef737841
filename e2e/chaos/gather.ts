import type { Event, Turn } from '@berth/contract';
import { randomUUID } from 'node:crypto';
import { until, type Berth } from '../support/berth.ts';
import { text } from '../support/talk.ts';
import type { Evidence } from './check.ts';
import type { LoggedEvent } from './check-log.ts';
import { persist } from './person.ts';
import type { Talk } from './run.ts';
import type { Timeline } from './timeline.ts';

const quietMs = 60_000;

/** When nothing is under way any more: what everybody can see. */
export async function gather(
  { kind, conversation, reader }: Talk,
  berth: Berth,
  answered: Evidence['answered'],
  timeline: Timeline,
  endMs: number,
): Promise<Evidence> {
  const { index, sessionId, turns: sent, faults } = conversation;
  let diary: Evidence['diary'] = [];
  // A stuck turn holds the queue: what the agent received cannot be asked then.
  if (!faults.some((what) => what.includes('has no end'))) {
    const id = randomUUID();
    const asked = await persist('diary', endMs, (signal) =>
      berth.client.turns.create(sessionId, { id, prompt: text(kind.diary.ask) }, { signal }),
    );
    const done = await persist('diary', endMs, () =>
      berth.client.turns.get(sessionId, asked.id, { waitSeconds: 60 }),
    );
    diary = kind.diary.read(done.reply ?? '');
    if (diary.length === 0) faults.push(`no diary: ${JSON.stringify(done)}`);
  }
  const ran = await persist('read ran.txt', 20_000, async () => {
    const file = await berth.client.files.read(sessionId, 'ran.txt');
    return file.text();
  }).catch(() => '');
  const log = await wholeLog(berth, sessionId);
  await until(() => reader.lastSeq >= (log.at(-1)?.event.seq ?? 0), quietMs).catch(() => {
    timeline.add(index, 'the viewer did not catch up');
  });
  return {
    index,
    sent,
    turns: await allTurns(berth, sessionId),
    log,
    live: [...reader.seen],
    diary,
    exact: kind.exact,
    ran: ran.split('\n').filter((line) => line !== ''),
    answered: answered.filter((one) => one.sessionId === sessionId),
  };
}

/** The bytes of each event, not what the client makes of them. */
async function wholeLog(berth: Berth, sessionId: string): Promise<LoggedEvent[]> {
  const all: LoggedEvent[] = [];
  for (let after = 0; ;) {
    const answer = await fetch(
      `${berth.url}/api/v1/sessions/${sessionId}/events?after=${String(after)}&limit=1000`,
      { headers: { authorization: `Bearer ${berth.token}` } },
    );
    const page = (await answer.json()) as { items: Event[]; lastSeq: number };
    all.push(...page.items.map((event) => ({ event, text: JSON.stringify(event) })));
    const last = all.at(-1)?.event.seq ?? 0;
    if (last <= after || last >= page.lastSeq) return all;
    after = last;
  }
}
async function allTurns(berth: Berth, sessionId: string): Promise<Turn[]> {
  const all: Turn[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await berth.client.turns.list(sessionId, { limit: 200, cursor });
    all.push(...page.items);
    if (page.nextCursor === null) return all;
    cursor = page.nextCursor;
  }
}
