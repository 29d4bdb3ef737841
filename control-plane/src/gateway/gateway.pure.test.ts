import fc from 'fast-check';
import { expect, test } from 'vitest';
import { downstreamHeaders, readBody, upstreamHeaders } from './body.ts';
import { price, readPrices } from './prices.ts';
import { classify, refusalBody, refusals, type Refusal } from './refusals.ts';
import { modelList, route, type Protocol } from './routes.ts';
import { EventTap } from './stream.ts';
import { isBareUsageChunk, isTerminal, readUsage } from './usage.ts';

test.each([
  [
    'POST',
    '/openai/v1/chat/completions',
    { kind: 'generate', protocol: 'chat', path: '/v1/chat/completions' },
  ],
  [
    'POST',
    '/openai/v1/responses',
    { kind: 'generate', protocol: 'responses', path: '/v1/responses' },
  ],
  [
    'POST',
    '/anthropic/v1/messages?beta=true',
    { kind: 'generate', protocol: 'messages', path: '/v1/messages' },
  ],
  [
    'POST',
    '/anthropic/v1/messages/count_tokens?beta=true',
    { kind: 'count', protocol: 'messages', path: '/v1/messages/count_tokens' },
  ],
  [
    'POST',
    '/gemini/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse',
    {
      kind: 'generate',
      protocol: 'gemini',
      path: '/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse',
      model: 'gemini-2.5-pro',
      stream: true,
    },
  ],
  ['GET', '/openai/v1/models', { kind: 'models', protocol: 'chat' }],
  ['HEAD', '/anthropic/', { kind: 'hello', protocol: 'messages' }],
  // Nothing of LiteLLM's management, pass-through or health is reachable.
  ['GET', '/openai/model/info', null],
  ['POST', '/openai/key/generate', null],
  ['POST', '/openai/v1/../key/generate', null],
  ['POST', '/openai/v1/%2e%2e/key/generate', null],
  ['POST', '/gemini/v1beta/models/a%2Fb:generateContent', null],
  ['GET', '/openai/v1/chat/completions', null],
  ['POST', '/other/v1/messages', null],
])('%s %s', (method, path, expected) => {
  expect(route(method, path)).toEqual(expected);
});

test('only listed fields pass, whatever else is there', () => {
  const steering = [
    'api_key',
    'api_base',
    'base_url',
    'extra_headers',
    'extra_body',
    'fallbacks',
    'num_retries',
    'timeout',
    'tags',
    'metadata',
    'litellm_metadata',
    'mock_response',
    'user',
    'custom_llm_provider',
    'mcp_servers',
  ];
  for (const protocol of ['chat', 'responses', 'messages', 'gemini'] as const) {
    const read = readBody(
      protocol,
      { model: 'm', ...Object.fromEntries(steering.map((name) => [name, 'x'])) },
      protocol === 'gemini' ? { model: 'm' } : {},
    );
    expect(read.kind === 'ok' && Object.keys(read.body)).toEqual(
      protocol === 'gemini' ? [] : ['model'],
    );
  }
});

test.each([[null], [[]], ['text'], [3], [{}], [{ model: '' }], [{ model: 5 }]])(
  '%j is refused',
  (value) => {
    expect(readBody('chat', value).kind).toBe('refused');
  },
);

test('a chat stream always asks for usage, and remembers who asked', () => {
  expect(readBody('chat', { model: 'm', stream: true })).toMatchObject({
    addedUsage: true,
    body: { stream_options: { include_usage: true } },
  });
  expect(
    readBody('chat', { model: 'm', stream: true, stream_options: { include_usage: true } }),
  ).toMatchObject({ addedUsage: false });
  expect(readBody('chat', { model: 'm' })).toMatchObject({
    addedUsage: false,
    stream: false,
    body: { model: 'm' },
  });
});

test('headers pass by list only', () => {
  expect(
    upstreamHeaders({
      authorization: 'Bearer x',
      'x-api-key': 'k',
      'x-litellm-tags': 't',
      'x-litellm-num-retries': '9',
      cookie: 'c',
      'anthropic-beta': 'b',
      accept: '*/*',
    }),
  ).toEqual({ 'anthropic-beta': 'b', accept: '*/*' });
  expect(
    downstreamHeaders({
      'content-type': 'x',
      'x-litellm-model-api-base': 'http://secret',
      'llm_provider-request-id': 'i',
      'set-cookie': ['a'],
      server: 's',
    }),
  ).toEqual({ 'content-type': 'x' });
});

test('no refusal holds a digit, and each speaks its route’s language', () => {
  for (const [name, { text, status }] of Object.entries(refusals) as [
    Refusal,
    (typeof refusals)[Refusal],
  ][]) {
    expect(text).not.toMatch(/\d/);
    expect(refusalBody('chat', name)).toMatchObject({ error: { message: text } });
    expect(refusalBody('messages', name)).toMatchObject({
      type: 'error',
      error: { message: text },
    });
    expect(refusalBody('gemini', name)).toMatchObject({ error: { code: status, message: text } });
  }
});

test.each<[number, string, Refusal]>([
  [401, '', 'gateway-key'],
  [400, '{"error":{"type":"no_db_connection"}}', 'gateway-key'],
  [403, 'x', 'gateway-key'],
  [401, '{"error":{"message":"Authentication Error, …","type":"auth_error"}}', 'gateway-key'],
  [
    401,
    '{"error":{"message":"litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key","type":"auth_error"}}',
    'provider-key',
  ],
  [403, '{"error":{"message":"litellm.PermissionDeniedError: …"}}', 'provider-key'],
  [403, '{"error":{"type":"key_model_access_denied"}}', 'key-model'],
  [400, 'litellm.ContextWindowExceededError: …', 'context-too-long'],
  [400, '{"error":{"message":"litellm.UnsupportedParamsError: …"}}', 'parameter-refused'],
  [400, 'bad', 'model-refused'],
  [404, 'x', 'model-refused'],
  [429, 'x', 'rate-limited'],
  [529, 'x', 'overloaded'],
  [503, 'x', 'overloaded'],
  [500, 'x', 'gateway-failed'],
  [408, 'x', 'gateway-failed'],
])('%d %s is %s', (status, text, refusal) => {
  expect(classify(status, text)).toBe(refusal);
});

test('models are the agent’s own', () => {
  expect(modelList('chat', ['a'])).toMatchObject({ object: 'list', data: [{ id: 'a' }] });
  expect(modelList('gemini', ['a'])).toEqual({ models: [{ name: 'models/a', displayName: 'a' }] });
});

test.each<[Protocol, unknown, object]>([
  [
    'chat',
    {
      usage: {
        prompt_tokens: 100,
        completion_tokens: 20,
        prompt_tokens_details: { cached_tokens: 60 },
        cost: 0.0006,
      },
    },
    { inputTokens: 100, outputTokens: 20, cachedTokens: 60, costUsd: 0.0006 },
  ],
  [
    'responses',
    { type: 'response.completed', response: { usage: { input_tokens: 7, output_tokens: 8 } } },
    { inputTokens: 7, outputTokens: 8, cachedTokens: 0 },
  ],
  [
    'messages',
    {
      type: 'message_start',
      message: { usage: { input_tokens: 10, cache_read_input_tokens: 90, output_tokens: 1 } },
    },
    { inputTokens: 100, outputTokens: 1, cachedTokens: 90 },
  ],
  [
    'gemini',
    { usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 6, thoughtsTokenCount: 2 } },
    { inputTokens: 5, outputTokens: 8, cachedTokens: 0 },
  ],
])('usage of %s', (protocol, event, usage) => {
  expect(readUsage(protocol, event, null)).toEqual(usage);
});

test.each([
  ['chat', '[DONE]', true],
  ['responses', '{"type":"response.completed"}', true],
  ['messages', '{"type": "message_stop"}', true],
  ['gemini', '{"candidates":[{"finishReason":null}]}', false],
  ['gemini', '{"candidates":[{"finishReason": "STOP"}]}', true],
] as const)('%s: %s ends a call: %s', (protocol, data, ends) => {
  expect(isTerminal(protocol, data)).toBe(ends);
});

test('usage of a messages stream comes from both of its events', () => {
  const start = readUsage(
    'messages',
    { message: { usage: { input_tokens: 100, output_tokens: 1 } } },
    null,
  );
  expect(readUsage('messages', { usage: { output_tokens: 20, cost: 0.5 } }, start)).toEqual({
    inputTokens: 100,
    outputTokens: 20,
    cachedTokens: 0,
    costUsd: 0.5,
  });
});

test('prices: the gateway’s own cost first, then its list, else unknown', () => {
  const list = readPrices({
    data: [
      {
        model_name: 'm',
        model_info: {
          input_cost_per_token: 0.001,
          output_cost_per_token: 0.002,
          cache_read_input_token_cost: 0.0001,
        },
      },
      { model_name: 'free', model_info: {} },
      5,
    ],
  });
  const usage = { inputTokens: 100, outputTokens: 10, cachedTokens: 50 };
  expect(price(usage, list.get('m'))).toBeCloseTo(50 * 0.001 + 50 * 0.0001 + 10 * 0.002);
  expect(price({ ...usage, costUsd: 0.5 }, list.get('m'))).toBe(0.5);
  expect(price(usage, list.get('free'))).toBeUndefined();
});

const chatStream = [
  'data: {"choices":[{"delta":{"content":"hé"}}]}\n\n',
  ': a comment\n\n',
  'data: {"choices":[{"delta":{"content":"\\"usage\\""}}]}\n\n',
  'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n',
  'data: [DONE]\n\n',
];

/** Sends `bytes` through a tap, cut at the given places. */
async function through(tap: EventTap, bytes: Buffer, cuts: number[]): Promise<Buffer> {
  const out: Buffer[] = [];
  tap.on('data', (chunk: Buffer | string) => out.push(Buffer.from(chunk)));
  const ended = new Promise((done) => tap.on('end', done));
  let at = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    tap.write(bytes.subarray(at, cut));
    at = cut;
  }
  tap.end();
  await ended;
  return Buffer.concat(out);
}

test('however a stream is cut, its bytes pass as they are and its usage is read', async () => {
  const bytes = Buffer.from(chatStream.join(''));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (cuts) => {
      const plain = new EventTap('chat', false);
      expect((await through(plain, bytes, cuts)).equals(bytes)).toBe(true);
      expect(plain.usage).toEqual({ inputTokens: 3, outputTokens: 4, cachedTokens: 0 });
      expect(plain.terminal).toBe(true);
      const dropping = new EventTap('chat', true);
      const kept = await through(dropping, bytes, cuts);
      expect(kept.toString()).toBe([...chatStream.slice(0, 3), chatStream[4]].join(''));
      expect(dropping.usage).toEqual({ inputTokens: 3, outputTokens: 4, cachedTokens: 0 });
    }),
  );
});

test('a usage chunk that also carries text is never withheld', async () => {
  const event = 'data: {"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":1}}\n\n';
  expect((await through(new EventTap('chat', true), Buffer.from(event), [])).toString()).toBe(
    event,
  );
});

test.each([
  [{ usage: {}, choices: [] }, true],
  [{ usage: {}, choices: [{ index: 0, delta: {} }] }, true], // LiteLLM's
  [{ usage: {}, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }, false],
  [{ usage: {}, choices: [{ index: 0, delta: { content: 'x' }, finish_reason: null }] }, false],
  [{ choices: [{ index: 0, delta: {} }] }, false],
  [{ usage: {} }, false],
])('%j is a chunk of usage alone: %s', (event, bare) => {
  expect(isBareUsageChunk(event)).toBe(bare);
});
