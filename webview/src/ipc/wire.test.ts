import { expect, test, vi } from 'vitest';
import { createRemoteHost, note, Refused, serveCalls, type Handlers } from './wire.ts';
import { calls, type CallName, type HostMessage } from './messages.ts';

const names = Object.keys(calls) as CallName[];

/** A host whose every call says that it is not there, but for those given. */
function handlers(some: Partial<Handlers>): Handlers {
  const none = Object.fromEntries(
    names.map((name) => [
      name,
      () => {
        throw new Error(`${name} is not part of this test`);
      },
    ]),
  ) as unknown as Handlers;
  return { ...none, ...some };
}

function pair(some: Partial<Handlers>) {
  const remote = createRemoteHost((message) => {
    // What crosses a border is a copy.
    queue.push(serve(structuredClone(message)));
  });
  const queue: Promise<void>[] = [];
  const sent: HostMessage[] = [];
  const serve = serveCalls({
    handlers: handlers(some),
    post: (message) => {
      sent.push(message);
      remote.receive(structuredClone(message));
    },
    refuse: (error) => ({ code: 'internal-error', detail: String(error) }),
  });
  return { ...remote, serve, sent };
}

test('a call reaches its handler and its answer comes back', async () => {
  const seen: unknown[] = [];
  const { host } = pair({
    blob: (params) => {
      seen.push(params);
      return { text: 'output' };
    },
  });
  await expect(host.blob({ sessionId: 's', blobId: 'b' })).resolves.toEqual({ text: 'output' });
  expect(seen).toEqual([{ sessionId: 's', blobId: 'b' }]);
});

test('answers find their calls in any order', async () => {
  const release: (() => void)[] = [];
  const { host } = pair({
    blob: async ({ blobId }) => {
      await new Promise<void>((resolve) => release.push(resolve));
      return { text: blobId };
    },
  });
  const first = host.blob({ sessionId: 's', blobId: '1' });
  const second = host.blob({ sessionId: 's', blobId: '2' });
  await vi.waitFor(() => expect(release).toHaveLength(2));
  release[1]?.();
  await expect(second).resolves.toEqual({ text: '2' });
  release[0]?.();
  await expect(first).resolves.toEqual({ text: '1' });
});

test('a handler that throws refuses the call with its words', async () => {
  const { host } = pair({
    cancel: () => {
      throw new Error('no turn');
    },
  });
  await expect(host.cancel({ sessionId: 's' })).rejects.toMatchObject({
    name: 'Refused',
    refusal: { code: 'internal-error', detail: 'Error: no turn' },
  });
});

test.each([
  [
    'a call of another version',
    { type: 'call', id: 1, name: 'teleport', params: {} },
    'unknown-call',
  ],
  ['a prototype name', { type: 'call', id: 1, name: 'constructor', params: {} }, 'unknown-call'],
  [
    'a missing field',
    { type: 'call', id: 1, name: 'send', params: { sessionId: 's' } },
    'invalid-request',
  ],
  [
    'a wrong type',
    { type: 'call', id: 1, name: 'page', params: { sessionId: 's', before: '9', limit: 1 } },
    'invalid-request',
  ],
  [
    'a script as a link',
    { type: 'call', id: 1, name: 'openLink', params: { url: 'javascript:alert(1)' } },
    'invalid-request',
  ],
])('%s is refused', async (_what, message, code) => {
  const { serve, sent } = pair({});
  await serve(message);
  expect(sent).toMatchObject([{ type: 'refused', id: 1, refusal: { code } }]);
});

test.each([null, 'text', 7, {}, { type: 'call' }, { type: 'call', id: 'x', name: 'copy' }])(
  'what is no message (%j) is ignored on both sides',
  async (message) => {
    const { serve, sent, receive, host } = pair({});
    const heard: string[] = [];
    host.onNote((name) => heard.push(name));
    await serve(message);
    receive(message);
    expect(sent).toEqual([]);
    expect(heard).toEqual([]);
  },
);

test('an answer that does not fit its schema is an error, not a value', async () => {
  const { host, receive } = createRemoteHost(() => undefined);
  const answer = host.blob({ sessionId: 's', blobId: 'b' });
  receive({ type: 'answer', id: 1, value: { text: 7 } });
  await expect(answer).rejects.toBeInstanceOf(Refused);
});

test('notifications are checked, and a listener can leave', () => {
  const { host, receive } = createRemoteHost(() => undefined);
  const heard: unknown[] = [];
  const leave = host.onNote((name, data) => heard.push([name, data]));
  receive(note('connection', { state: 'waiting', nextTryMs: 4000 }));
  receive({ type: 'note', name: 'connection', data: { state: 'confused' } });
  receive({ type: 'note', name: 'toString', data: {} });
  leave();
  receive(note('focusComposer', {}));
  expect(heard).toEqual([['connection', { state: 'waiting', nextTryMs: 4000 }]]);
});
