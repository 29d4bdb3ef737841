import { describe, expect, test } from 'vitest';
import { createStage, type Stage } from './testing/stage.ts';

async function ready(): Promise<Stage> {
  const stage = await createStage();
  stage.startAgentd();
  await stage.startRunner();
  stage.bind();
  await stage.wait('ready', () =>
    stage.items('sandbox.phase').find(({ payload }) => payload['phase'] === 'ready'),
  );
  return stage;
}

describe('one session', () => {
  test('boots visibly, answers a turn, and says everything once', async () => {
    await using stage = await ready();
    const phases = stage.items('sandbox.phase').map(({ payload }) => payload['phase']);
    expect(phases).toEqual(['agent-starting', 'ready']);
    const turnId = stage.turn('/say hello\n/think hm\n/say world');
    expect(await stage.ended(turnId)).toMatchObject({ state: 'done', stopReason: 'end_turn' });
    expect(stage.said(turnId)).toBe('helloworld');
    stage.turn('/say again', turnId);
    await stage.wait('accepted twice', () =>
      stage.control.frames.filter((frame) => frame.op === 'accepted').length === 2 || undefined,
    );
    expect(stage.diary()).toHaveLength(1);
    expect(stage.control.gaps).toEqual([]);
    expect(stage.control.repeats).toBe(0);
  });
});
