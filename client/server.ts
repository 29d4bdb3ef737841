import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import * as z from 'zod/mini';

type Environment = Readonly<Record<string, string | undefined>>;

const localFile = z.object({
  url: z.string(),
  token: z.string(),
  pid: z.int(),
  version: z.string(),
  startedAt: z.string(),
});
export type LocalServer = z.infer<typeof localFile>;
const loginFile = z.object({ url: z.string(), token: z.string() });
export type Login = z.infer<typeof loginFile>;
export interface Server {
  url: string;
  token: string | undefined;
  /** Where it was found, for people: `--server`, `BERTH_SERVER`, `login`, `local`. */
  from: 'option' | 'environment' | 'login' | 'local';
}

/** An unset variable and an empty one are the same. */
const said = (value: string | undefined): string | undefined =>
  value === undefined || value === '' ? undefined : value;

export const defaultDataDir = (env: Environment): string =>
  said(env['BERTH_DATA_DIR']) ??
  join(said(env['XDG_DATA_HOME']) ?? join(homedir(), '.local', 'share'), 'berth');
const loginPath = (env: Environment): string =>
  join(said(env['XDG_CONFIG_HOME']) ?? join(homedir(), '.config'), 'berth', 'login.json');

async function readAs<T extends z.ZodMiniType>(
  path: string,
  schema: T,
): Promise<z.infer<T> | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && Reflect.get(error, 'code') === 'ENOENT') return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} is not JSON`, { cause: error });
  }
  const parsed = z.safeParse(schema, value);
  if (!parsed.success) throw new Error(`${path} is not a file that Berth wrote`);
  return parsed.data;
}

/** What the embedded server left for editor and command line of the same user; undefined: none runs here. */
export async function readLocalFile(dataDir: string): Promise<LocalServer | undefined> {
  return readAs(join(dataDir, 'local.json'), localFile);
}

/** What `berth login` stored. */
export async function storedLogin(env: Environment): Promise<Login | undefined> {
  return readAs(loginPath(env), loginFile);
}
/** Answers where it was stored. */
export async function storeLogin(env: Environment, login: Login): Promise<string> {
  const path = loginPath(env);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(login)}\n`, { mode: 0o600 });
  await rename(temporary, path);
  return path;
}
export async function forgetLogin(env: Environment): Promise<void> {
  await rm(loginPath(env), { force: true });
}

/**
 * Which server, and as whom: option, environment, what `login` stored, else the local server. A token that was stored for one server is never sent
 * to another. Undefined: nothing is known.
 */
export async function resolveServer(options: {
  server?: string | undefined;
  token?: string | undefined;
  env: Environment;
}): Promise<Server | undefined> {
  const { env } = options;
  const url = said(options.server) ?? said(env['BERTH_SERVER']);
  const token = said(options.token) ?? said(env['BERTH_TOKEN']);
  const login = await storedLogin(env);
  const local = await readLocalFile(defaultDataDir(env));
  if (url !== undefined) {
    const from = said(options.server) === undefined ? 'environment' : 'option';
    const known = [login, local].find((file) => file !== undefined && sameServer(file.url, url));
    return { url, token: token ?? known?.token, from };
  }
  if (login !== undefined) return { url: login.url, token: token ?? login.token, from: 'login' };
  if (local !== undefined) return { url: local.url, token: token ?? local.token, from: 'local' };
  return undefined;
}

function sameServer(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).origin === new URL(other).origin;
}
