import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { linkProtocol, type ControlFrame, type RunnerFrame } from '@berth/contract/link';
import { WebSocket } from 'ws';
import { runnerPid, type Berth } from '../../e2e/support/berth.ts';

/** The runner's end of the link, played: the real one is held still, so that nobody comes between. */
export async function playRunner(berth: Berth, sessionIds: readonly string[]) {
  const state = join(berth.dataDir, 'runner');
  const { credential, runnerId } = JSON.parse(await readFile(join(state, 'link.json'), 'utf8')) as {
    credential: string;
    runnerId: string;
  };
  const pid = await runnerPid(berth.dataDir);
  if (pid === undefined) throw new Error('there is no runner to take the place of');
  process.kill(pid, 'SIGSTOP');

  const sources = new Map(sessionIds.map((id) => [id, { sourceId: randomUUID(), n: 0, acked: 0 }]));
  const socket = new WebSocket(`${berth.url.replace(/^http/, 'ws')}/api/v1/runner`, linkProtocol, {
    headers: { authorization: `Bearer ${credential}` },
    perMessageDeflate: false,
  });
  const send = (frame: RunnerFrame): void => socket.send(JSON.stringify(frame));
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', (code, reason) =>
      reject(new Error(`the link was closed: ${String(code)} ${reason.toString()}`)),
    );
    socket.once('open', () =>
      send({
        op: 'hello',
        protocol: 1,
        runnerId,
        version: 'bench',
        sessions: [...sources].map(([sessionId, { sourceId }]) => ({
          sessionId,
          sourceId,
          lastN: 0,
          generation: 0,
        })),
      }),
    );
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as ControlFrame;
      if (frame.op === 'welcome') resolve();
      if (frame.op !== 'ack') return;
      const source = sources.get(frame.sessionId);
      if (source?.sourceId === frame.sourceId) source.acked = frame.n;
    });
  });
  const pinging = setInterval(() => send({ op: 'ping' }), 5000);

  return {
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    put(sessionId: string, payloads: readonly Record<string, unknown>[]): void {
      const source = sources.get(sessionId);
      if (source === undefined) throw new Error(`${sessionId} is not played`);
      const items = payloads.map((payload) => ({ n: ++source.n, kind: 'tool', payload }));
      send({ op: 'events', sessionId, sourceId: source.sourceId, items });
    },
    /** What the control plane has not acknowledged. */
    open: () => [...sources.values()].reduce((sum, { n, acked }) => sum + n - acked, 0),
    close(): void {
      clearInterval(pinging);
      socket.terminate();
      process.kill(pid, 'SIGCONT');
    },
  };
}
