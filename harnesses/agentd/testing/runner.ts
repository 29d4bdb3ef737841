import { chownSync, chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  AgentdFrameReader,
  agentdFrame,
  encodeAgentdFrame,
  loopbackPort,
  socketName,
  type AgentdReply,
  type AgentdRequest,
} from '../protocol.ts';

type Hello = Extract<AgentdReply, { op: 'hello' }>;

const helloMs = 20_000;

/** What one process or operation has told. */
export interface Told {
  replies: AgentdReply[];
  /** Bytes by stream, only those beyond what came before. */
  readonly output: Buffer;
  readonly stderr: Buffer;
  /** How long `output` is, without joining it. */
  readonly outputBytes: number;
}

/** Bytes in the pieces that they came in, joined when somebody looks: joining at each piece would cost the square of their number. */
class Joined {
  #pieces: Buffer[] = [];
  length = 0;
  push(piece: Buffer): void {
    this.#pieces.push(piece);
    this.length += piece.length;
  }
  get whole(): Buffer {
    const whole = this.#pieces.length === 1 ? this.#pieces[0] : undefined;
    const joined = whole ?? Buffer.concat(this.#pieces);
    this.#pieces = [joined];
    return joined;
  }
}
class Known implements Told {
  replies: AgentdReply[] = [];
  readonly streams = { output: new Joined(), stderr: new Joined() };
  get output(): Buffer {
    return this.streams.output.whole;
  }
  get stderr(): Buffer {
    return this.streams.stderr.whole;
  }
  get outputBytes(): number {
    return this.streams.output.length;
  }
}

/** The runner's side of agentd, for tests: listens in a socket folder, says hello, keeps what it is told by offset. */
export interface TestRunner {
  readonly hello: Promise<Hello>;
  /** Connections so far. */
  readonly connections: number;
  request(id: number, request: AgentdRequest): void;
  input(id: number, bytes: Uint8Array | string): void;
  raw(bytes: Uint8Array): void;
  told(id: number): Told;
  reply<Op extends AgentdReply['op']>(
    id: number,
    op: Op,
  ): Promise<Extract<AgentdReply, { op: Op }>>;
  until(what: string, condition: () => boolean, limitMs?: number): Promise<void>;
  /** Stop and go on reading the socket: a runner that is too slow. */
  stall(stalled: boolean): void;
  /** As by kill -9: nothing is said, nothing is drained. */
  die(): void;
}

export async function testRunner(options: {
  socketDir: string;
  owner?: { hostUid: number; hostGid: number };
  adopt?: Record<number, number>;
  sayHello?: boolean;
  /** Outside a sandbox the usual ports belong to the whole machine. */
  ports?: { port: number; socket: string }[];
}): Promise<TestRunner> {
  const { socketDir, owner, adopt = {}, sayHello = true } = options;
  const at = path.join(socketDir, socketName.agentd);
  rmSync(at, { force: true });
  const known = new Map<number, Known>();
  const told = (id: number): Known => {
    const found = known.get(id) ?? new Known();
    known.set(id, found);
    return found;
  };
  const hello = Promise.withResolvers<Hello>();
  let socket: Socket | undefined;
  let connections = 0;

  const take = (id: number, stream: 'output' | 'stderr', body: Buffer): void => {
    const start = stream === 'output' ? (adopt[id] ?? 0) : 0;
    const place = Number(body.readBigUInt64LE(0)) - start;
    const so = told(id).streams[stream];
    if (place > so.length)
      throw new Error(`gap in ${stream} of ${String(id)}: at ${so.length}, got ${place}`);
    so.push(Buffer.from(body.subarray(8 + so.length - place)));
  };
  const server: Server = createServer((dialled) => {
    socket = dialled;
    connections += 1;
    const reader = new AgentdFrameReader();
    dialled.on('error', () => undefined);
    dialled.on('data', (chunk: Buffer) =>
      reader.push(chunk, (type, id, body) => {
        if (type === agentdFrame.output) take(id, 'output', body);
        else if (type === agentdFrame.stderr) take(id, 'stderr', body);
        else {
          const reply = JSON.parse(body.toString()) as AgentdReply;
          if (reply.op === 'hello') hello.resolve(reply);
          else told(id).replies.push(reply);
        }
      }),
    );
    if (sayHello)
      request(0, {
        op: 'hello',
        version: 1,
        ports: options.ports ?? [],
        adopt,
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, resolve);
  });
  if (owner && process.getuid?.() === 0) chownSync(at, 0, owner.hostGid);
  chmodSync(at, 0o660);

  const raw = (bytes: Uint8Array): void => {
    socket?.write(bytes);
  };
  const request = (id: number, message: AgentdRequest): void =>
    raw(encodeAgentdFrame(agentdFrame.control, id, Buffer.from(JSON.stringify(message))));
  const until = async (what: string, condition: () => boolean, limitMs = 20_000): Promise<void> => {
    const end = performance.now() + limitMs;
    for (;;) {
      if (condition()) return;
      if (performance.now() > end) throw new Error(`waited too long for ${what}`);
      await setTimeout(4);
    }
  };
  const late = setTimeout(helloMs, undefined, { ref: false }).then(() => {
    throw new Error(`no hello of agentd within ${String(helloMs)} ms`);
  });
  const greeted = Promise.race([hello.promise, late]);
  greeted.catch(() => undefined); // not every test waits for it
  return {
    hello: greeted,
    get connections() {
      return connections;
    },
    request,
    raw,
    input: (id, bytes) => raw(encodeAgentdFrame(agentdFrame.input, id, Buffer.from(bytes))),
    told: (id) => {
      return told(id);
    },
    until,
    async reply<Op extends AgentdReply['op']>(id: number, op: Op) {
      type Wanted = Extract<AgentdReply, { op: Op }>;
      const find = (): Wanted | undefined =>
        told(id).replies.find((reply): reply is Wanted => reply.op === op);
      await until(
        `${op} of ${id}`,
        () =>
          find() !== undefined ||
          (op !== 'failed' && told(id).replies.some((reply) => reply.op === 'failed')),
      );
      const found = find();
      if (!found) throw new Error(`got ${JSON.stringify(told(id).replies)} instead of ${op}`);
      return found;
    },
    stall: (stalled) => {
      if (stalled) socket?.pause();
      else socket?.resume();
    },
    die: () => {
      server.close();
      socket?.destroy();
    },
  };
}

/** The two ports of every real sandbox. */
export const usualPorts = [
  { port: loopbackPort.model, socket: socketName.gateway },
  { port: loopbackPort.egress, socket: socketName.egress },
];
