import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { join } from 'node:path';
import { createClient } from '@berth/client';
import { storeLogin } from '@berth/client/node';
import { textOf, UsageError } from '../args.ts';
import { exitCode, type Context, type Run } from '../context.ts';

/** `npm start` by another name, for whoever has `berth` on PATH. */
export const serve =
  (root: string): Run =>
  async () => {
    const start = spawn(process.execPath, [join(root, 'bin', 'start.mjs')], { stdio: 'inherit' });
    const stop = (signal: NodeJS.Signals): void => {
      start.kill(signal);
    };
    // Ctrl-C reaches the child by itself; we only have to outlive it.
    process
      .on('SIGINT', () => undefined)
      .on('SIGTERM', stop)
      .on('SIGHUP', stop);
    const [code] = (await once(start, 'exit')) as [number | null];
    return code === 0 ? exitCode.ok : exitCode.failed;
  };

async function askToken(context: Context): Promise<string> {
  if (!context.stdin.isTTY) {
    for await (const line of createInterface({ input: context.stdin })) return line.trim();
    return '';
  }
  const prompt = createInterface({ input: context.stdin, output: context.stderr });
  try {
    return (await prompt.question('Token (berth_…): ')).trim();
  } finally {
    prompt.close();
  }
}

export const login: Run = async (context) => {
  const url =
    textOf(context.values, 'server') ?? textOf({ server: context.env['BERTH_SERVER'] }, 'server');
  if (url === undefined) throw new UsageError('name the server: `berth login --server https://…`');
  if (!URL.canParse(url)) throw new UsageError(`"${url}" is not an address`);
  const given = textOf(context.values, 'token') ?? context.env['BERTH_TOKEN'];
  const token = given ?? (await askToken(context));
  if (token === '') throw new UsageError('a token is needed');
  const me = await createClient({ url, token: () => token }).me();
  const path = await storeLogin(context.env, { url, token });
  context.give(
    { url, user: me.name, team: me.team.name },
    () => `Signed in to ${url} as ${me.name} (${me.team.name}). Kept in ${path}.`,
  );
  return exitCode.ok;
};

/** The page of a session in the browser, signed in by a link that works once. */
export const open: Run = async (context) => {
  const name = context.words[0];
  const path = name === undefined ? '/' : `/#/sessions/${(await context.findSession(name)).id}`;
  const link = await (await context.client()).signInLinks.create(path);
  const { url } = await context.server();
  const address = new URL(link.url, url).href;
  context.give({ ...link, url: address }, () => address);
  if (context.json || !context.stdout.isTTY) return exitCode.ok;
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(opener, [address], { stdio: 'ignore', detached: true });
  child.once('error', () =>
    context.tell('no browser could be opened: follow the link, it works once'),
  );
  child.unref();
  return exitCode.ok;
};
