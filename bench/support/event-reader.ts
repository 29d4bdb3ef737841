/** A process of its own: reads sessions through channel sockets and says how long each stamped event was under way. Started by `events.ts`. */
import { channelsProtocol } from '@berth/contract';
import { WebSocket } from 'ws';
import { nowUs } from './clock.ts';
import { summary } from './stats.ts';

interface Start {
  url: string;
  token: string;
  sessions: string[];
  /** How many sockets read each session. */
  readers: number;
}
interface Received {
  op: string;
  id?: number;
  events?: { seq: number; payload: { rawInput?: { sentAtUs?: number } } }[];
}

const latencies: number[] = [];
let recording = false;
let delivered = 0;
let disorder = 0;
let cpu = process.cpuUsage();

async function read({ url, token }: Start, sessionId: string): Promise<void> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/api/v1/channels`, channelsProtocol, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
  });
  let last = 0;
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () =>
      socket.send(JSON.stringify({ op: 'subscribe', id: 1, channel: `session/${sessionId}` })),
    );
    socket.on('message', (data: Buffer) => {
      const at = nowUs();
      const frame = JSON.parse(data.toString()) as Received;
      if (frame.op === 'subscribed') resolve();
      if (frame.op === 'ping') socket.send(JSON.stringify({ op: 'ping' }));
      for (const { seq, payload } of frame.events ?? []) {
        if (last !== 0 && seq !== last + 1) disorder++;
        last = seq;
        const sentAtUs = payload.rawInput?.sentAtUs;
        if (sentAtUs === undefined) continue;
        delivered++;
        if (recording) latencies.push((at - sentAtUs) / 1000);
      }
    });
  });
}

process.on('message', (message: Start | 'record' | 'end') => {
  if (message === 'record') {
    recording = true;
    cpu = process.cpuUsage();
  } else if (message === 'end') {
    const { user, system } = process.cpuUsage(cpu);
    process.send?.({ delivered, disorder, cpuMs: (user + system) / 1000, ...summary(latencies) });
    process.disconnect();
  } else {
    const all = message.sessions.flatMap((id) =>
      Array.from({ length: message.readers }, () => read(message, id)),
    );
    Promise.all(all).then(
      () => process.send?.('ready'),
      (error: unknown) => {
        throw error;
      },
    );
  }
});
process.once('disconnect', () => process.exit());
