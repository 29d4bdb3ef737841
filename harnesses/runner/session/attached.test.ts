import type { SessionUpdate } from '@agentclientprotocol/sdk';
import { expect, test } from 'vitest';
import { createAttached } from './attached.ts';

const update = (sessionUpdate: string) => ({ sessionUpdate }) as SessionUpdate;
test('an answer without its question is explained once for each terminal of the agent', () => {
  let terminals: Record<string, 'agent' | 'shell'> = { s: 'shell' };
  let kind: 'attach' | 'handover' = 'attach';
  const attached = createAttached({
    journal: {
      get ledger() {
        return { terminals };
      },
    },
    spec: () => ({ harness: { terminal: { kind } } }),
  });
  const times = (sessionUpdate: string, inTurn = false): number =>
    attached.before(update(sessionUpdate), inTurn).length;
  expect(times('agent_message_chunk')).toBe(0);
  terminals = { s: 'shell', a: 'agent' };
  expect(times('agent_message_chunk', true)).toBe(0);
  expect(times('available_commands_update')).toBe(0);
  expect(times('tool_call')).toBe(1);
  expect(times('agent_message_chunk')).toBe(0);
  terminals = { b: 'agent' };
  expect(times('agent_message_chunk')).toBe(1);
  kind = 'handover';
  terminals = { c: 'agent' };
  expect(times('agent_message_chunk')).toBe(0);
});
