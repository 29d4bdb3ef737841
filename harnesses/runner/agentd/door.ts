import { rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  AgentdFrameReader,
  agentdFrame,
  agentdVersion,
  encodeAgentdFrame,
  socketName,
  type AgentdReply,
  type AgentdRequest,
  type Place,
} from '../../agentd/protocol.ts';
import { limits } from '../limits.ts';
import { downloadOf } from './download.ts';
import { createForeigners } from './foreigners.ts';
import { helloTo } from './hello.ts';
import { listen } from './listen.ts';
import {
  DoorError,
  type Asked,
  type Door,
  type DoorEvents,
  type Known,
  type Process,
  type RunResult,
} from './ports.ts';
import { readOffset, readReply } from './reply.ts';

export async function createDoor(options: {
  socketDir: string;
  owner: { uid: number; gid: number };
  events: DoorEvents;
  log: (fields: Record<string, unknown>, message: string) => void;
}): Promise<Door> {
  const { events, log } = options;
  let socket: Socket | null = null;
  let here = false;
  let place: Place | null = null;
  let nextId = 1;
  let closed = false;
  const known = new Map<number, Known>();
  const asked = new Map<number, Asked>();
  const drainers: (() => void)[] = [];
  const foreigners = createForeigners({ told: (version) => events.foreign(version), log });

  const send = (type: number, id: number, body: Uint8Array): boolean =>
    socket?.write(encodeAgentdFrame(type, id, body)) ?? false;
  const control = (id: number, request: AgentdRequest): boolean =>
    send(agentdFrame.control, id, Buffer.from(JSON.stringify(request)));

  function greet(): void {
    control(0, helloTo(known));
  }

  function welcome(reply: Extract<AgentdReply, { op: 'hello' }>): void {
    const there = new Set(reply.processes.map(({ id }) => id));
    for (const [id, process] of [...known]) {
      if (!there.has(id)) lose(id, process);
      // A pause of the old connection is void for agentd.
      else if (process.held) control(id, { op: 'pause' });
    }
    for (const id of there) nextId = Math.max(nextId, id + 1);
    here = true;
    place = reply.place;
    events.here(reply.processes.filter(({ id }) => !known.has(id)));
  }
  function lose(id: number, process: Known): void {
    known.delete(id);
    process.handlers.exited({ code: null, signal: null }, true);
  }

  function frame(type: number, id: number, body: Buffer): void {
    if (type === agentdFrame.control) {
      const reply = readReply(body);
      if (reply.op === 'hello' || reply.op === 'other-version') {
        if (reply.op === 'hello' && reply.version === agentdVersion) welcome(reply);
        else if (!here) {
          foreigners.tell(reply.version);
          socket?.destroy();
        }
        return;
      }
      const question = asked.get(id);
      if (question) {
        question.reply(reply);
        return;
      }
      const process = known.get(id);
      if (process && reply.op === 'exited') {
        known.delete(id);
        process.handlers.exited({ code: reply.code, signal: reply.signal }, false);
      } else if (reply.op === 'failed') log({ id, code: reply.code }, reply.detail);
      return;
    }
    const offset = readOffset(body);
    const bytes = body.subarray(8);
    const question = asked.get(id);
    if (question?.bytes) {
      question.bytes(bytes);
      return;
    }
    const process = known.get(id);
    if (!process) return;
    if (type === agentdFrame.stderr) {
      const fresh = bytes.subarray(Math.max(0, process.stderrNext - offset));
      process.stderrNext = Math.max(process.stderrNext, offset + bytes.length);
      if (fresh.length > 0) process.handlers.stderr?.(fresh);
      return;
    }
    const skip = Math.max(0, process.next - offset);
    if (skip >= bytes.length) return;
    if (offset > process.next) log({ id, missing: offset - process.next }, 'output was lost');
    process.next = offset + bytes.length;
    process.handlers.output(bytes.subarray(skip), offset + skip);
  }

  function accept(incoming: Socket): void {
    // Agents can dial this socket as well. Whoever has said hello stays until its end, so nobody takes agentd's place while it lives; a
    // connection that says nothing holds the place for nobody.
    if (here) {
      incoming.destroy();
      return;
    }
    socket?.destroy();
    const reader = new AgentdFrameReader();
    socket = incoming;
    let heard = false;
    incoming.on('drain', () => drainers.splice(0).forEach((wake) => wake()));
    incoming.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk, (type, id, body) => {
          heard = true;
          if (socket === incoming) frame(type, id, body);
        });
      } catch (error) {
        log({ error: String(error) }, 'agentd broke its protocol');
        incoming.destroy();
      }
    });
    incoming.on('error', () => incoming.destroy()); // `close` follows
    incoming.on('close', () => {
      if (socket !== incoming) return;
      socket = null;
      foreigners.ended(heard);
      drainers.splice(0).forEach((wake) => wake());
      for (const [id, question] of [...asked]) {
        asked.delete(id);
        question.fail(new DoorError('agentd-gone', 'the sandbox went away'));
      }
      if (!here) return;
      here = false;
      events.gone();
    });
    greet();
  }

  const path = join(options.socketDir, socketName.agentd);
  const early: Socket[] = [];
  let started = false;
  const server = createServer((incoming) => {
    if (started) accept(incoming);
    else {
      incoming.on('error', () => incoming.destroy());
      early.splice(0, 1, incoming).forEach((older) => older.destroy());
    }
  });
  await listen(server, path, options.owner);

  function ask<T>(
    request: AgentdRequest,
    take: (reply: AgentdReply, settle: { resolve: (value: T) => void; id: number }) => void,
    bytes?: (body: Buffer) => void,
  ): { id: number; answer: Promise<T> } {
    const id = nextId++;
    const answer = new Promise<T>((resolve, reject) => {
      if (!here) {
        reject(new DoorError('agentd-gone', 'the sandbox is not there'));
        return;
      }
      const finish = (): void => {
        asked.delete(id);
      };
      asked.set(id, {
        reply(reply) {
          if (reply.op === 'failed') {
            finish();
            reject(new DoorError(reply.code, reply.detail));
            return;
          }
          take(reply, {
            id,
            resolve: (value) => {
              finish();
              resolve(value);
            },
          });
        },
        ...(bytes ? { bytes } : {}),
        fail: reject,
      });
      control(id, request);
    });
    return { id, answer };
  }

  const handle = (id: number): Process => ({
    id,
    write: (bytes) => send(agentdFrame.input, id, bytes),
    endInput: () => control(id, { op: 'end-input' }),
    resize: (cols, rows) => control(id, { op: 'resize', cols, rows }),
    kill: (signal, tree) => control(id, { op: 'kill', signal, tree }),
    hold(held) {
      const process = known.get(id);
      if (!process || process.held === held) return;
      process.held = held;
      control(id, { op: held ? 'pause' : 'resume' });
    },
    forget: () => control(id, { op: 'forget' }),
  });

  return {
    get here() {
      return here;
    },
    get place() {
      return place;
    },
    start() {
      started = true;
      for (const incoming of early.splice(0)) if (!incoming.destroyed) accept(incoming);
    },
    async spawn(request, handlers) {
      const { answer } = ask<Process>({ op: 'spawn', ...request }, (reply, { resolve, id }) => {
        if (reply.op !== 'started') return;
        // Known before the next frame: output may follow in the same chunk.
        known.set(id, { handlers, next: 0, stderrNext: 0, held: false });
        resolve(handle(id));
      });
      return answer;
    },
    adopt(view, handlers) {
      known.set(view.id, { handlers, next: view.ringFrom, stderrNext: 0, held: false });
      return handle(view.id);
    },
    run(request) {
      const full = {
        limitBytes: 8 * 1024 * 1024,
        timeoutMs: limits.runMs,
        ...request,
        op: 'run' as const,
      };
      return ask<RunResult>(full, (reply, { resolve }) => {
        if (reply.op === 'done') resolve(reply);
      }).answer;
    },
    ask: (request) => ask<AgentdReply>(request, (reply, { resolve }) => resolve(reply)).answer,
    read(filePath, meta, bytes) {
      const request = { op: 'read', path: filePath } as const;
      const { id, answer } = ask<undefined>(
        request,
        (reply, { resolve }) => {
          if (reply.op === 'meta') meta(reply);
          else if (reply.op === 'end') resolve(undefined);
        },
        bytes,
      );
      return downloadOf(
        answer,
        () => asked.has(id),
        (request) => control(id, request),
      );
    },
    write(filePath, ifMatch) {
      const request = {
        op: 'write' as const,
        path: filePath,
        ...(ifMatch === undefined ? {} : { ifMatch }),
      };
      const { id, answer } = ask<string>(request, (reply, { resolve }) => {
        if (reply.op === 'written') resolve(reply.etag);
      });
      const failed = answer.then(() => new Promise<never>(() => undefined));
      failed.catch(() => undefined); // whoever uploads looks at it, or at `finish`
      return {
        send: (bytes) => send(agentdFrame.input, id, bytes),
        async finish() {
          control(id, { op: 'end-input' });
          return answer;
        },
        failed,
      };
    },
    drained() {
      if (!socket?.writableNeedDrain) return Promise.resolve();
      return new Promise((resolve) => {
        drainers.push(resolve);
      });
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      here = false;
      socket?.destroy();
      for (const incoming of early) incoming.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      // Nobody will say any more how they ended, and somebody may be waiting for it.
      for (const [id, process] of [...known]) lose(id, process);
      await rm(path, { force: true });
    },
  };
}
