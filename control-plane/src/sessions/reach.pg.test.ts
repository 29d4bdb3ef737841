import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Actor } from '../identity/index.ts';
import { own, readable } from './reach.ts';
import { openWorld } from './testing/world.ts';

test('one of another team is not there; one of a colleague can be read, and is only an admin’s to act in', async () => {
  await using world = await openWorld();
  const pool = world.db.pool;
  const made = await world.feature.sessions.create(world.actor, { agentId: world.agentId });
  const as = (role: Actor['role'], other: Partial<Actor> = {}): Actor => ({
    ...world.actor,
    userId: randomUUID(),
    role,
    ...other,
  });
  const code = (wanted: string) => expect.objectContaining({ code: wanted }) as unknown;

  for (const reach of [readable, own]) {
    const foreign = as('owner', { teamId: randomUUID() });
    await expect(reach({ pool }, foreign, made.id)).rejects.toEqual(code('not-found'));
    for (const id of [randomUUID(), 'nonsense', ''])
      await expect(reach({ pool }, world.actor, id)).rejects.toEqual(code('not-found'));
  }
  for (const role of ['viewer', 'member', 'admin', 'owner'] as const)
    expect((await readable({ pool }, as(role), made.id)).id).toBe(made.id);
  for (const role of ['viewer', 'member'] as const)
    await expect(own({ pool }, as(role), made.id)).rejects.toEqual(code('forbidden'));
  for (const actor of [as('admin'), as('owner'), as('member', { userId: world.actor.userId })])
    expect((await own({ pool }, actor, made.id)).id).toBe(made.id);
  // Who may only look may not act either in what they made before they were only to look.
  const before = as('viewer', { userId: world.actor.userId });
  await expect(own({ pool }, before, made.id)).rejects.toEqual(code('forbidden'));
});
