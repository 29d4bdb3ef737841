import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createAgentd } from './agentd.ts';
import { testRunner } from './testing/runner.ts';

function start(deadlines: { firstHelloMs: number; linklessMs: number }) {
  const base = mkdtempSync(path.join(tmpdir(), 'berth-dead-'));
  const [socketDir, workspace] = [path.join(base, 'run'), path.join(base, 'w')];
  mkdirSync(socketDir);
  mkdirSync(workspace);
  const abandoned: string[] = [];
  const agentd = createAgentd({
    socketDir,
    workspace,
    env: {},
    startedAtMs: 0,
    log: () => undefined,
    abandoned: (reason) => abandoned.push(reason),
    deadlines,
  });
  onTestFinished(() => {
    agentd.close();
    rmSync(base, { recursive: true, force: true });
  });
  return { socketDir, abandoned };
}

test('gives up when no runner comes, also when one connects and says nothing', async () => {
  const { socketDir, abandoned } = start({ firstHelloMs: 150, linklessMs: 60_000 });
  const silent = await testRunner({ socketDir, sayHello: false });
  await silent.until('a connection', () => silent.connections > 0);
  expect(abandoned).toEqual([]);
  await expect.poll(() => abandoned).toEqual(['no runner came']);
  silent.die();
});

test('lives on with a runner, is patient without one, and gives up after its time', async () => {
  const { socketDir, abandoned } = start({ firstHelloMs: 60_000, linklessMs: 400 });
  const first = await testRunner({ socketDir });
  await first.hello;
  first.die();
  const second = await testRunner({ socketDir });
  await second.hello;
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(abandoned).toEqual([]);
  second.die();
  await expect.poll(() => abandoned).toEqual(['no runner came back']);
});
