import { chownSync, chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
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

/** What one process or operation has told. */
export interface Told {
  replies: AgentdReply[];
  /** Bytes by stream, only those beyond what came before: a repeated byte is checked against the one already there. */
  output: Buffer;
  stderr: Buffer;
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
  const known = new Map<number, Told>();
  const told = (id: number): Told => {
    const found = known.get(id) ?? {
      replies: [],
      output: Buffer.alloc(0),
      stderr: Buffer.alloc(0),
    };
    known.set(id, found);
    return found;
  };
  const chunks = new Map<string, Buffer[]>();
  const flush = (): void => {
    for (const [key, parts] of chunks) {
      const [id = '', stream] = key.split(' ');
      const entry = told(Number(id));
      const name = stream === 'output' ? 'output' : 'stderr';
      entry[name] = Buffer.concat([entry[name], ...parts]);
    }
    chunks.clear();
    sizes.clear();
  };
  const sizes = new Map<string, number>();
  const hello = Promise.withResolvers<Hello>();
  let socket: Socket | undefined;
  let connections = 0;

  const take = (id: number, stream: 'output' | 'stderr', body: Buffer): void => {
    const offset = Number(body.readBigUInt64LE(0));
    const bytes = Buffer.from(body.subarray(8));
    const key = `${String(id)} ${stream}`;
    const base = told(id)[stream].length;
    const have = sizes.get(key) ?? base;
    const start = adopt[id] ?? 0;
    const place = stream === 'output' ? offset - start : offset;
    if (place > have) throw new Error(`gap in ${key}: at ${have}, got ${place}`);
    const fresh = bytes.subarray(have - place);
    chunks.set(key, [...(chunks.get(key) ?? []), fresh]);
    sizes.set(key, have + fresh.length);
    if ((chunks.get(key)?.length ?? 0) > 200) flush();
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
      flush();
      if (condition()) return;
      if (performance.now() > end) throw new Error(`waited too long for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
  };
  return {
    hello: hello.promise,
    get connections() {
      return connections;
    },
    request,
    raw,
    input: (id, bytes) => raw(encodeAgentdFrame(agentdFrame.input, id, Buffer.from(bytes))),
    told: (id) => {
      flush();
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
