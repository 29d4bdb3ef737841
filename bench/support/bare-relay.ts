/**
 * What any such system must do at least, and nothing more: take frames from a socket, insert their events by `unnest` at most every 5 ms, and send them to
 * whoever reads the session. No fence, no sequence, no repeat, no accounts, no validation. A process of its own, started by `events.ts` with the database's address.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { WebSocketServer, type WebSocket } from 'ws';
import { int8Array, jsonArray, uuidArray } from '../../control-plane/src/sessions/log/binary.ts';

interface Frame {
  op: string;
  sessionId: string;
  items: { payload: unknown }[];
  channel: string;
}
interface Event {
  sessionId: string;
  seq: number;
  payload: string;
}
const windowMs = 5;

const client = new pg.Client({ connectionString: process.argv[2] });
await client.connect();
await client.query(
  'create table bare_event (session_id uuid, seq bigint, payload json, primary key (session_id, seq))',
);
const readers = new Map<string, WebSocket[]>();
const lastSeqs = new Map<string, number>();
let pending: Event[] = [];
let running = false;
let lastStart = 0;

async function write(): Promise<void> {
  running = true;
  while (pending.length > 0) {
    const wait = lastStart + windowMs - performance.now();
    if (wait > 0.5) await new Promise((resolve) => setTimeout(resolve, wait));
    lastStart = performance.now();
    const group = pending;
    pending = [];
    await client.query({
      name: 'bare',
      text: `insert into bare_event (session_id, seq, payload)
             select v.id, v.seq, v.payload from unnest($1::uuid[], $2::bigint[], $3::json[]) as v(id, seq, payload)`,
      values: [
        uuidArray(group.map(({ sessionId }) => sessionId)),
        int8Array(group.map(({ seq }) => seq)),
        jsonArray(group.map(({ payload }) => payload)),
      ],
    });
    for (const [sessionId, events] of Map.groupBy(group, (event) => event.sessionId)) {
      const texts = events.map(({ seq, payload }) => `{"seq":${String(seq)},"payload":${payload}}`);
      const frame = `{"op":"events","events":[${texts.join(',')}]}`;
      for (const socket of readers.get(sessionId) ?? []) socket.send(frame);
    }
  }
  running = false;
}

const http = createServer();
new WebSocketServer({ server: http, perMessageDeflate: false }).on('connection', (socket) =>
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as Frame;
    if (frame.op === 'subscribe') {
      const sessionId = frame.channel.slice('session/'.length);
      readers.set(sessionId, [...(readers.get(sessionId) ?? []), socket]);
      socket.send('{"op":"subscribed"}');
    }
    if (frame.op !== 'events') return;
    const { sessionId } = frame;
    for (const { payload } of frame.items) {
      const seq = (lastSeqs.get(sessionId) ?? 0) + 1;
      lastSeqs.set(sessionId, seq);
      pending.push({ sessionId, seq, payload: JSON.stringify(payload) });
    }
    if (running) return;
    write().catch((error: unknown) => {
      throw error;
    });
  }),
);
http.listen(0, '127.0.0.1', () => process.send?.((http.address() as AddressInfo).port));
process.once('disconnect', () => process.exit());
