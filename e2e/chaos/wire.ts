import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * What a network does to connections. `cut`: they end. `mid-frame`: they end in the middle of what is said next. `stall`: nothing comes through for a
 * while, then all of it. `delay`: everything comes late for a while. `refuse`: they end, and nobody gets through for a while. `double`: what was said so
 * far is said a second time over another connection, whose answers nobody hears.
 */
export const cuts = ['cut', 'mid-frame', 'stall', 'delay', 'refuse', 'double'] as const;
export type Cut = (typeof cuts)[number];

/** A stretch of network between two programs: one listens behind it, the other dials it. */
export interface Wire extends AsyncDisposable {
  readonly port: number;
  /** False: nobody's connection goes through here at the moment. Resolves when the fault is over. */
  strike(how: Cut, ms: number): Promise<boolean>;
  /** Nobody gets through until it is called back. */
  refuse(): () => void;
}
export type Upstream = { port: number } | { path: string };

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** The beginning of what was said to the far end, for a connection that is doubled. */
  readonly said: Buffer[];
  saidBytes: number;
}

const delayMs = 60;
const rememberedBytes = 256 * 1024;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function openWire(upstream: () => Upstream): Promise<Wire> {
  const pairs = new Set<Pair>();
  const ghosts = new Set<Socket>();
  /** Connections that may not be read now. */
  const held = new Set<Socket>();
  let halfNext = false;
  let lateMs = 0;
  const refusals = new Set<symbol>();

  const dial = (): Socket => {
    const to = upstream();
    return 'path' in to
      ? connect(to.path)
      : connect({ host: '127.0.0.1', noDelay: true, port: to.port });
  };

  function pass(from: Socket, to: Socket, heard: (chunk: Buffer) => void): void {
    // In the order in which it came, also when what came later would be due earlier.
    const late: { chunk: Buffer; dueAt: number }[] = [];
    const write = (chunk: Buffer): void => {
      if (to.destroyed || to.write(chunk)) return;
      from.pause();
      to.once('drain', () => {
        if (!held.has(from)) from.resume();
      });
    };
    function deliver(): void {
      for (let next = late[0]; next !== undefined; next = late[0]) {
        const waitMs = next.dueAt - performance.now();
        if (waitMs > 0) {
          setTimeout(deliver, Math.ceil(waitMs));
          return;
        }
        late.shift();
        write(next.chunk);
      }
    }
    from.on('data', (chunk: Buffer) => {
      if (halfNext && chunk.length > 1) {
        // The first half of what was to come, then nothing: a frame that ends in its middle.
        halfNext = false;
        to.write(chunk.subarray(0, Math.floor(chunk.length / 2)), () => from.destroy());
        return;
      }
      heard(chunk);
      if (late.length === 0 && lateMs === 0) write(chunk);
      else if (late.push({ chunk, dueAt: performance.now() + lateMs }) === 1) deliver();
    });
  }

  const server = createServer({ noDelay: true }, (near) => {
    if (refusals.size > 0) {
      near.resetAndDestroy();
      return;
    }
    const far = dial();
    const pair: Pair = { near, far, said: [], saidBytes: 0 };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      for (const socket of [near, far]) {
        held.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [near, far]) {
      socket.on('error', end);
      socket.on('close', end);
    }
    pass(near, far, (chunk) => {
      if (pair.saidBytes >= rememberedBytes) return;
      pair.said.push(chunk);
      pair.saidBytes += chunk.length;
    });
    pass(far, near, () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  async function hold(struck: readonly Pair[], ms: number): Promise<void> {
    const sockets = struck.flatMap(({ near, far }) => [near, far]);
    for (const socket of sockets) {
      held.add(socket);
      socket.pause();
    }
    await pause(ms);
    for (const socket of sockets) if (held.delete(socket)) socket.resume();
  }
  function refuse(): () => void {
    const mine = Symbol();
    refusals.add(mine);
    for (const { near } of pairs) near.resetAndDestroy();
    return () => refusals.delete(mine);
  }
  function double({ said }: Pair): void {
    const ghost = dial();
    ghosts.add(ghost);
    ghost.on('error', () => undefined); // `close` follows
    ghost.on('close', () => ghosts.delete(ghost));
    ghost.resume();
    for (const chunk of said) ghost.write(chunk);
  }

  return {
    refuse,
    port: (server.address() as AddressInfo).port,
    async strike(how, ms) {
      if (pairs.size === 0) return false;
      const struck = [...pairs];
      switch (how) {
        case 'cut':
          for (const { near } of struck) near.destroy();
          return true;
        case 'mid-frame':
          halfNext = true;
          return true;
        case 'stall':
          await hold(struck, ms);
          return true;
        case 'delay':
          lateMs = delayMs;
          await pause(ms);
          lateMs = 0;
          return true;
        case 'refuse':
          await pause(ms).finally(refuse());
          return true;
        case 'double':
          for (const pair of struck) double(pair);
          await pause(ms);
          for (const ghost of ghosts) ghost.destroy();
          return true;
      }
    },
    async [Symbol.asyncDispose]() {
      for (const { near } of pairs) near.destroy();
      for (const ghost of ghosts) ghost.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
