import { until, type Berth } from '../../e2e/support/berth.ts';

/** Sessions without a process: what flows through them is the bench's own. */
export async function createIdleSessions(berth: Berth, count: number): Promise<string[]> {
  const agent = (await berth.client.agents.list()).items.find(
    ({ harness }) => harness === 'rehearsal',
  );
  if (agent === undefined) throw new Error('the ready-made agent is missing');
  const ids: string[] = [];
  for (let made = 0; made < count; made++) {
    const { id } = await berth.client.sessions.create({ agentId: agent.id });
    await berth.client.sessions.suspend(id);
    ids.push(id);
  }
  for (const id of ids)
    await until(
      async () => (await berth.client.sessions.get(id)).status === 'suspended',
      60_000,
      'a suspended session',
    );
  return ids;
}
