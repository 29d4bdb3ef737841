import { attachTerminal } from '../../client/index.ts';
import { connectNode } from '../../client/node.ts';
import { until, type Berth } from './berth.ts';

const size = { cols: 160, rows: 40 };

/** A person's shell in a session's sandbox. */
export async function openShell(berth: Berth, sessionId: string) {
  const { client } = berth;
  const terminal = await client.terminals.open(sessionId, { kind: 'shell', ...size });
  const attached = attachTerminal({ client, connect: connectNode, terminalId: terminal.id, size });
  let seen = '';
  const take = (bytes: Uint8Array): void => {
    seen += Buffer.from(bytes).toString();
  };
  attached.onScreen(({ bytes }) => take(bytes));
  attached.onBytes(take);
  await until(() => attached.write(Buffer.from('\n')), 15_000, 'a terminal that takes keys');
  return {
    /** All that it has shown so far. */
    seen: () => seen,
    type(line: string): void {
      if (!attached.write(Buffer.from(`${line}\n`))) throw new Error('the terminal takes no keys');
    },
    shows: (text: string, timeoutMs = 30_000): Promise<void> =>
      until(() => seen.includes(text), timeoutMs, `"${text}" on the terminal`).catch(
        (error: unknown) => {
          throw new Error(`${String(error)}\n${seen.slice(-2000)}`);
        },
      ),
    async end(): Promise<void> {
      attached.close();
      await client.terminals.close(terminal.id);
    },
  };
}

/** A person writes a line on an agent's screen, once that stands still, and waits for the answer of the scripted model. */
export async function typeOn(berth: Berth, terminalId: string, line: string): Promise<void> {
  const { client } = berth;
  const { cols, rows } = await client.terminals.screen(terminalId);
  const attached = attachTerminal({
    client,
    connect: connectNode,
    terminalId,
    size: { cols, rows },
  });
  try {
    let before: string | null = null;
    for (let still = 0; still < 4; await new Promise((resolve) => setTimeout(resolve, 250))) {
      const { text } = await client.terminals.screen(terminalId);
      still = text === before ? still + 1 : 0;
      before = text;
    }
    await until(() => attached.write(Buffer.from(line)), 15_000, 'a terminal that takes keys');
    // Some take a return that comes with the words for a line break among them.
    await screenShows(berth, terminalId, line);
    await new Promise((resolve) => setTimeout(resolve, 500));
    attached.write(Buffer.from('\r'));
    await screenShows(berth, terminalId, `You said: ${line}`);
  } finally {
    attached.close();
  }
}

/** A shell in the sandbox that stands ready to kill -9 every process in it that is called so. */
export async function openKiller(berth: Berth, sessionId: string) {
  const shell = await openShell(berth, sessionId);
  return {
    async kill(name: string): Promise<void> {
      shell.type(
        `for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline | grep -q '${name}' && kill -9 \${p#/proc/} && echo killed-$((40+2)); done`,
      );
      await shell.shows('killed-42');
    },
    end: () => shell.end(),
  };
}
export async function killNamed(berth: Berth, sessionId: string, name: string): Promise<void> {
  const killer = await openKiller(berth, sessionId);
  await killer.kill(name);
  await killer.end();
}

export async function screenShows(berth: Berth, terminalId: string, text: string): Promise<void> {
  let last = '';
  await until(
    async () => (last = (await berth.client.terminals.screen(terminalId)).text).includes(text),
    30_000,
    `"${text}" on the screen`,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${last}`);
  });
}
