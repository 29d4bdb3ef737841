import { expect, test } from 'vitest';
import { familyOf, passing } from './gateway.ts';

test.each([
  ['/v1/messages?beta=true', 'anthropic'],
  ['/v1/messages/count_tokens', 'anthropic'],
  ['/v1beta/models/m:streamGenerateContent?alt=sse', 'gemini'],
  ['/v1/chat/completions', 'openai'],
  ['/v1/responses', 'openai'],
  ['/v1/messagesque', 'openai'],
  ['/admin', null],
  ['/../gateway/x', null],
])('%s → %s', (path, family) => {
  expect(familyOf(path)).toBe(family);
});

test('what an agent believes to be its key stays behind, and so does what one hop says to the next', () => {
  const headers = {
    authorization: 'Bearer a',
    'x-api-key': 'a',
    'x-goog-api-key': 'a',
    'x-litellm-api-key': 'a',
    'x-berth-session': 'other',
    cookie: 'a',
    host: 'x',
    connection: 'keep-alive, x-hop',
    'x-hop': '1',
    'transfer-encoding': 'chunked',
    'content-type': 'application/json',
    'anthropic-beta': 'b',
  };
  expect(passing(headers, 'up')).toEqual({
    'content-type': 'application/json',
    'anthropic-beta': 'b',
  });
  expect(passing({ 'set-cookie': ['a'], 'content-type': 't' }, 'down')).toEqual({
    'content-type': 't',
  });
});
