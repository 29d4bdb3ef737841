import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { harnessRecord } from '@berth/contract/harness';
import * as z from 'zod/mini';
import { startHarness } from '../support/acp-agent.ts';
import { dist } from '../support/berth.ts';

const everyMs = 4000;

/** How long the agent itself takes to start and to load a conversation, without Berth and on the machine as it is now: what a recovery is compared with. */
export async function measureOwnStart(): Promise<AsyncDisposable & { readonly times: number[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-chaos-own-'));
  const file = join(import.meta.dirname, '../../harnesses/rehearsal/harness.json');
  const place = {
    record: z.parse(harnessRecord, JSON.parse(await readFile(file, 'utf8'))),
    agents: dist('rehearsal'),
    home: folder,
    workspace: folder,
    modelUrl: '',
    model: '',
    mode: 'auto',
  };
  const times: number[] = [];
  const ended = new AbortController();
  const session = await (async () => {
    await using agent = await startHarness(place);
    await agent.initialize();
    const { sessionId } = await agent.newSession();
    await agent.prompt(sessionId, '/say once');
    return sessionId;
  })();
  async function once(): Promise<void> {
    const from = performance.now();
    await using agent = await startHarness(place);
    await agent.initialize();
    await agent.load(session);
    times.push(performance.now() - from);
  }
  const work = (async () => {
    while (!ended.signal.aborted) {
      await once();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, everyMs);
        ended.signal.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  })();
  return {
    times,
    async [Symbol.asyncDispose]() {
      ended.abort();
      await work;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
