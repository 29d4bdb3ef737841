import type { Session } from '@berth/contract';
import { expect, test } from 'vitest';
import { anyTurnOpen, tellWorking } from './at-work.ts';
import type { Actor } from './identity/index.ts';
import type { SessionsFeature } from './sessions/index.ts';

const owner = {} as Actor;
/** Answers `list` only, of sessions with these statuses. */
function feature(...statuses: Session['status'][]) {
  const told: string[] = [];
  const list: SessionsFeature['sessions']['list'] = async (_actor, { status }) => ({
    items: statuses.flatMap((each, at) =>
      each === status ? [{ id: `${each} ${String(at)}` } as Session] : [],
    ),
    nextCursor: null,
  });
  return {
    told,
    sessions: { list } as SessionsFeature['sessions'],
    notice: (id: string, code: string) => void told.push(`${id}: ${code}`),
  };
}

test.each([
  [['idle', 'suspended', 'failed', 'starting'], false],
  [['idle', 'running'], true],
  [['waiting'], true],
  [['stalled'], true],
  [[], false],
] satisfies [Session['status'][], boolean][])(
  'a turn is open somewhere: %j %s',
  async (statuses, open) => {
    expect(await anyTurnOpen(feature(...statuses), owner)).toBe(open);
  },
);

test('every session that an agent works in is told, no other', async () => {
  const working = feature('running', 'idle', 'waiting', 'running', 'lost', 'stalled');
  await tellWorking(working, owner)('restart', 'It restarts.');
  expect(working.told.toSorted()).toEqual([
    'running 0: restart',
    'running 3: restart',
    'stalled 5: restart',
    'waiting 2: restart',
  ]);
});
