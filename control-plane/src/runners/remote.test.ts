import { Problem } from '@berth/contract';
import { expect, test } from 'vitest';
import { deadlineMs, limits } from './limits.ts';
import { createRemoteCalls, createRemoteRunners } from './remote.ts';

const at = { id: 'other', url: 'http://other', secret: 's' };
const code = (wanted: string) => expect.objectContaining({ code: wanted }) as unknown;
const signal = new AbortController().signal;

test('what another process asks is checked here: the method, its fields, and that the link is ours', async () => {
  const calls = createRemoteCalls(() => undefined);
  const ask = (method: string, params: unknown) =>
    calls['runner.call']({ sessionId: 's', method, params }, signal);
  await expect(ask('toString', {})).rejects.toThrow('no call of a runner');
  await expect(ask('files.list', { path: 3 })).rejects.not.toBeInstanceOf(Problem);
  await expect(ask('files.list', { path: '/workspace' })).rejects.toEqual(
    code('runner-unreachable'),
  );
  const purpose = { kind: 'changes.patch' };
  const invited = calls['runner.invite'](
    { sessionId: 's', streamId: 'x', at: 'me', purpose },
    signal,
  );
  await expect(invited).rejects.toEqual(code('runner-unreachable'));
});

test('a call goes to whoever holds the link, and never round to ourselves', async () => {
  const asked: unknown[] = [];
  const seats = new Map([
    ['s', { runnerId: 'r', at }],
    ['mine', { runnerId: 'r', at: { ...at, id: 'me' } }],
  ]);
  const remote = createRemoteRunners({
    id: 'me',
    seat: async (id) => seats.get(id) ?? null,
    peers: {
      call: async (to, name, body, options) => {
        asked.push([to.id, name, body, options?.deadlineMs]);
        return { items: [] };
      },
    },
  });
  const params = { path: '/workspace' };
  expect(await remote.call('s', 'files.list', params)).toEqual({ items: [] });
  // Longer than the runner's own: its refusal must still come back.
  const deadline = deadlineMs('files.list') + limits.relayMs;
  expect(asked).toEqual([
    ['other', 'runner.call', { sessionId: 's', method: 'files.list', params }, deadline],
  ]);
  for (const id of ['mine', 'nobody'])
    await expect(remote.call(id, 'files.list', params)).rejects.toEqual(code('runner-unreachable'));

  const guest = await remote.guest('s', undefined);
  expect(guest.runnerId).toBe('r');
  await guest.invite('stream', { kind: 'changes.patch' }, signal);
  expect(asked.at(-1)).toEqual([
    'other',
    'runner.invite',
    { sessionId: 's', streamId: 'stream', at: 'me', purpose: { kind: 'changes.patch' } },
    undefined,
  ]);
});
