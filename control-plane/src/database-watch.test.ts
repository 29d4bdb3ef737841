import { expect, test, vi } from 'vitest';
import { watchDatabase } from './database-watch.ts';

/** A database that answers, refuses or is silent, and a clock of its own. */
function scene() {
  const said: string[] = [];
  const state = { answer: async (): Promise<unknown> => 1, at: 0, asked: 0 };
  const watch = watchDatabase({
    pool: {
      query: () => {
        state.asked += 1;
        return state.answer();
      },
    },
    away: () => said.push('away'),
    logger: { error: () => said.push('error'), info: () => said.push('info') },
    now: () => state.at,
    times: { lookMs: 1, answerMs: 5, patienceMs: 10_000 },
  });
  const looked = async (times = 3) => {
    const from = state.asked;
    await vi.waitFor(() => expect(state.asked).toBeGreaterThan(from + times), { interval: 1 });
  };
  return { said, state, looked, watch };
}
const refuses = () => Promise.reject(new Error('ECONNREFUSED'));
const isSilent = () => new Promise(() => undefined);

test.each([
  ['refuses', refuses],
  ['is silent', isSilent],
])('a database that %s: said once, and that it is back', async (_how, answer) => {
  const { said, state, looked, watch } = scene();
  await using _watch = watch;
  await looked();
  state.answer = answer;
  state.at = 9_000;
  await looked();
  expect(said).toEqual([]); // a restart is nothing to speak of
  state.at = 11_000;
  await looked();
  expect(said).toEqual(['error', 'away']);
  state.answer = async () => 1;
  await looked();
  expect(said).toEqual(['error', 'away', 'info']);
  state.at = 20_000;
  state.answer = answer;
  await looked();
  expect(said).toHaveLength(3); // patience begins anew
  state.at = 60_000;
  await looked();
  expect(said.slice(3)).toEqual(['error', 'away']);
});

test('closed while it waits for an answer, it tells nobody', async () => {
  const { said, state, looked, watch } = scene();
  await looked();
  state.answer = isSilent;
  state.at = 60_000;
  await watch[Symbol.asyncDispose]();
  expect(said).toEqual([]);
});
