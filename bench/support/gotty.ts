import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { until } from '../../e2e/support/berth.ts';

const version = '1.6.0';
/** What `go install` would do, with a module of its own: gotty's has replacements, which `go install` refuses. */
function build(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'berth-bench', `gotty-${version}`);
  const program = join(folder, 'gotty');
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'go.mod'),
    `module berth.bench/gotty\n\ngo 1.22\n\nrequire github.com/sorenisanerd/gotty v${version}\n`,
  );
  const built = spawnSync(
    'go',
    ['build', '-mod=mod', '-o', program, 'github.com/sorenisanerd/gotty'],
    { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (built.status !== 0) throw new Error('gotty could not be built; it needs Go and its proxy');
  return program;
}
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A terminal in a browser without anything else: a PTY behind a WebSocket, no sandbox, no screen, nobody who comes back. */
export interface Gotty extends AsyncDisposable {
  open(
    onBytes: (bytes: Buffer) => void,
  ): Promise<{ write: (keys: string) => void; close: () => void }>;
}
export async function startGotty(argv: readonly string[]): Promise<Gotty> {
  const program = build();
  const port = await freePort();
  const child: ChildProcess = spawn(
    program,
    ['--address', '127.0.0.1', '--port', String(port), '--permit-write', ...argv],
    {
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', TERM: 'xterm-256color' },
    },
  );
  const gone = once(child, 'exit');
  await until(
    () =>
      fetch(`http://127.0.0.1:${String(port)}/`).then(
        ({ ok }) => ok,
        () => false,
      ),
    10_000,
    'gotty',
  );
  return {
    async open(onBytes) {
      const socket = new WebSocket(`ws://127.0.0.1:${String(port)}/ws`, 'webtty', {
        perMessageDeflate: false,
      });
      await once(socket, 'open');
      // Of its protocol: a type in the first character, output in base 64.
      socket.on('message', (data: Buffer) => {
        if (data[0] === 0x31) onBytes(Buffer.from(data.toString('latin1', 1), 'base64'));
      });
      socket.send(JSON.stringify({ Arguments: '', AuthToken: '' }));
      socket.send('3{"columns":80,"rows":24}');
      return { write: (keys) => socket.send(`1${keys}`), close: () => socket.terminate() };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
