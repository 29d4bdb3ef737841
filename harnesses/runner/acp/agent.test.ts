import { expect, test } from 'vitest';
import type { Process, ProcessHandlers } from '../agentd/ports.ts';
import { startAgent } from './agent.ts';

const events = {
  update: () => undefined,
  permission: () => Promise.reject(new Error('nobody asks')),
  stderr: () => undefined,
};

test('a process that dies in the same breath as it starts is a death like any other', async () => {
  const done: string[] = [];
  const process: Process = {
    id: 1,
    write: () => true,
    endInput: () => undefined,
    resize: () => undefined,
    kill: (signal, tree) => done.push(`${signal} ${String(tree)}`),
    hold: () => undefined,
    forget: () => done.push('forget'),
  };
  const agent = await startAgent({
    door: {
      // As when `started`, its output and `exited` come in one chunk.
      spawn: async (_request, handlers: ProcessHandlers) => {
        handlers.output(Buffer.from('no protocol\n'), 0);
        handlers.exited({ code: 7, signal: null }, false);
        return process;
      },
      drained: () => Promise.resolve(),
    },
    tag: 'agent:1',
    argv: ['agent'],
    env: {},
    cwd: '/workspace',
    version: '0',
    events,
  });
  expect(await agent.exited).toEqual({ code: 7, signal: null });
  expect(agent.stderr()).toEqual(['no protocol']);
  expect(done).toEqual(['SIGKILL true', 'forget']);
  await expect(agent.initialize(1000)).rejects.toThrow();
});
