import { expect, test } from 'vitest';
import type { PromptOutcome } from '../acp/agent.ts';
import { hasLost } from './lost.ts';

const refused = (code: number, detail: string): PromptOutcome => ({
  kind: 'refused',
  code,
  detail,
});
const quirks = { lostWords: ['process exited unexpectedly'] };

test.each<[string, PromptOutcome, Parameters<typeof hasLost>[1], boolean]>([
  ['it knows no such conversation', refused(-32002, 'Resource not found'), undefined, true],
  ['a code that says it of a load alone', refused(-32603, 'x'), { lostCodes: [-32603] }, false],
  ['its own words for that', refused(-32603, 'The process exited unexpectedly.'), quirks, true],
  ['other words', refused(-32603, 'the model is busy'), quirks, false],
  ['a failure that says nothing of it', refused(-32603, 'process exited'), undefined, false],
  ['it died as a whole', { kind: 'died' }, quirks, false],
  ['it answered', { kind: 'stopped', response: { stopReason: 'end_turn' } }, quirks, false],
])('%s', (_name, outcome, of, lost) => {
  expect(hasLost(outcome, of)).toBe(lost);
});
