import { attachTerminal, codeOf, type Attachment, type BerthClient } from '@berth/client';
import { connectNode } from '@berth/client/node';
import type { Session, Terminal } from '@berth/contract';
import { exitCode, Refused, type Context, type Run } from '../context.ts';
import { takeKeys, type Keys } from '../detach.ts';
import { shortId } from '../format.ts';

/** Undoes what a program in the terminal may have switched on (screen, mouse, paste, keys, cursor, colours) and goes below what it drew. */
const restore =
  '\u001b[?1049l\u001b[?1000l\u001b[?1002l\u001b[?1003l\u001b[?1006l\u001b[?1004l\u001b[?2004l\u001b[?1l\u001b>\u001b[<u\u001b[?25h\u001b[0m\u001b[999;1H\r\n';
/** Empties the terminal before a whole screen is drawn. */
const empty = '\u001b[!p\u001b[0m\u001b[2J\u001b[H';

/** A terminal that does not know its size says 0: it gets the usual one. Pure. */
export const sizeOf = (
  stdout: Readonly<{ columns: number; rows: number }>,
): { cols: number; rows: number } => ({
  cols: Math.min(Math.max(stdout.columns || 80, 2), 1000),
  rows: Math.min(Math.max(stdout.rows || 24, 2), 1000),
});

async function openTerminal(
  context: Context,
  api: BerthClient,
  sessionId: string,
): Promise<Terminal> {
  const kind = context.values['shell'] === true ? 'shell' : 'agent';
  const known = await api.terminals.list(sessionId);
  const open = known.find((terminal) => terminal.kind === kind && terminal.state === 'open');
  if (open !== undefined && context.values['new'] !== true) return open;
  try {
    return await api.terminals.open(sessionId, { kind, ...sizeOf(context.stdout) });
  } catch (error) {
    if (codeOf(error) !== 'agent-has-no-terminal') throw error;
    throw new Refused(
      'this agent has no terminal of its own: `berth attach --shell` opens a shell beside it',
    );
  }
}

/** Pure. Who has the conversation once a person has left the agent's own terminal; null: it was never taken from the chat. */
export function afterLeaving(handedOver: boolean, ended: boolean, session: string): string | null {
  if (!handedOver) return null;
  return ended
    ? 'the chat has the conversation again'
    : `the terminal keeps the conversation, and messages wait: attach again, or \`berth sessions take-back ${session}\``;
}

/** Resolves when the person detached, or what ran in the terminal ended. */
async function hold(
  context: Context,
  attachment: Attachment,
): Promise<{ code: number; ended: boolean }> {
  const { stdin, stdout } = context;
  const { promise, resolve } = Promise.withResolvers<{
    code: number;
    said: string;
    ended?: true;
  }>();
  const write = (bytes: Uint8Array | string): Promise<void> =>
    new Promise((done) => stdout.write(bytes, () => done()));
  attachment.onScreen(({ bytes }) => write(empty).then(() => write(bytes)));
  attachment.onBytes((bytes) => write(bytes));
  attachment.onExit((code) =>
    resolve({
      code: code === 0 ? exitCode.ok : exitCode.failed,
      said: `ended (exit ${code})`,
      ended: true,
    }),
  );
  attachment.onState((state) => {
    if (state.kind === 'disconnected' && state.reason !== 'ended')
      resolve({ code: exitCode.failed, said: `the server ended it (${state.reason})` });
  });
  let keys: Keys = { pending: false };
  const typed = (chunk: Buffer): void => {
    const { state, forward, detach } = takeKeys(keys, chunk);
    keys = state;
    if (forward.length > 0) attachment.write(forward);
    if (detach) resolve({ code: exitCode.ok, said: 'detached; it goes on' });
  };
  const resized = (): void => {
    const { cols, rows } = sizeOf(stdout);
    attachment.resize(cols, rows);
  };
  const left = (): void => resolve({ code: exitCode.ok, said: 'detached; it goes on' });
  stdin.setRawMode(true);
  stdin.on('data', typed).on('end', left).resume();
  stdout.on('resize', resized);
  process.once('SIGTERM', left).once('SIGHUP', left);
  try {
    const { code, said, ended = false } = await promise;
    await write(restore);
    context.tell(context.style.dim(`[${said}]`));
    return { code, ended };
  } finally {
    attachment.close();
    stdin.setRawMode(false);
    stdin.off('data', typed).off('end', left).pause();
    stdout.off('resize', resized);
    process.off('SIGTERM', left).off('SIGHUP', left);
  }
}

/** By the kind of its terminal: who holds it at this moment may be on its way to change. */
async function isHandedOver(client: BerthClient, { agentId }: Session): Promise<boolean> {
  const { harness } = await client.agents.get(agentId);
  const all = await client.harnesses();
  return all.find(({ id }) => id === harness)?.terminal === 'handover';
}

export const attach: Run = async (context) => {
  if (!context.stdin.isTTY || !context.stdout.isTTY)
    throw new Refused('attach needs a terminal; `berth send` and `berth log` work without');
  const session = await context.findSession(context.word(0));
  const client = await context.client();
  const terminal = await openTerminal(context, client, session.id);
  context.tell(context.style.dim('[Ctrl-] d detaches]'));
  const size = sizeOf(context.stdout);
  const { code, ended } = await hold(
    context,
    attachTerminal({ client, connect: connectNode, terminalId: terminal.id, size }),
  );
  // Cut off by the server: there is nobody to ask.
  if (code !== exitCode.ok && !ended) return code;
  const handedOver = terminal.kind === 'agent' && (await isHandedOver(client, session));
  const said = afterLeaving(handedOver, ended, shortId(session.id));
  if (said !== null) context.tell(context.style.dim(`[${said}]`));
  return code;
};
