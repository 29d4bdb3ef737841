import {
  createClient,
  everything,
  openChannels,
  type BerthClient,
  type Channels,
} from '@berth/client';
import { connectNode, resolveServer, type Server } from '@berth/client/node';
import type { Agent, Approval, Session } from '@berth/contract';
import { textOf, UsageError, type Values } from './args.ts';
import { shortId, styleFor, wantsColour, type Style } from './format.ts';

export const exitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  waiting: 3,
  notSignedIn: 4,
  unreachable: 5,
} as const;

/** Something a person did that the server cannot know about. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly exitCode: number;
  constructor(message: string, code: number = exitCode.failed) {
    super(message);
    this.exitCode = code;
  }
}

type Env = Readonly<Record<string, string | undefined>>;
export interface Io {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  stdin: NodeJS.ReadStream;
  env: Env;
  cwd: string;
  now: () => number;
}

export interface Context extends Io {
  json: boolean;
  style: Style;
  values: Values;
  words: readonly string[];
  /** Words by place; the form has checked that it is there. */
  word(at: number): string;
  server(): Promise<Server>;
  client(): Promise<BerthClient>;
  channels(): Promise<Channels>;
  /** A line for people, never in the way of a pipe. */
  tell(text: string): void;
  print(text: string): void;
  /** `--json`: the document; else what `human` makes of it. */
  give<T>(value: T, human: (value: T) => string): void;
  findSession(name: string): Promise<Session>;
  findAgent(name: string): Promise<Agent>;
  findApproval(name: string): Promise<Approval>;
  close(): void;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const lists = { session: 'sessions ls', agent: 'agents ls', approval: 'approvals' } as const;

/** Pure. One thing by its id, the end or beginning of its id, or its name. */
export function pick<T extends { id: string }>(
  what: keyof typeof lists,
  name: string,
  all: readonly T[],
  nameOf: (item: T) => string,
): T {
  const wanted = name.toLowerCase();
  const exact = all.filter((item) => item.id === wanted || nameOf(item).toLowerCase() === wanted);
  const close = all.filter(
    (item) => wanted.length >= 4 && (item.id.endsWith(wanted) || item.id.startsWith(wanted)),
  );
  const found = exact.length > 0 ? exact : close;
  const [only, ...others] = found;
  if (only === undefined)
    throw new Refused(`there is no ${what} "${name}"; \`berth ${lists[what]}\` lists them`);
  if (others.length > 0) {
    const ids = found.map((item) => `${item.id}  ${nameOf(item)}`).join('\n  ');
    throw new Refused(
      `several ${what}s are meant by "${name}": say the id, or more of its end\n  ${ids}`,
    );
  }
  return only;
}

export function createContext(io: Io, values: Values, words: readonly string[]): Context {
  const style = styleFor(wantsColour(io.stdout.isTTY, io.env));
  let server: Promise<Server> | undefined;
  let client: Promise<BerthClient> | undefined;
  let channels: Channels | undefined;

  async function resolve(): Promise<Server> {
    const found = await resolveServer({
      server: textOf(values, 'server'),
      token: textOf(values, 'token'),
      env: io.env,
    });
    if (found === undefined)
      throw new Refused(
        'no server runs on this machine: start one with `berth serve`, or name one with `berth login`',
        exitCode.unreachable,
      );
    if (!URL.canParse(found.url))
      throw new UsageError(`"${found.url}" is not the address of a server: http://… or https://…`);
    return found;
  }
  const context: Context = {
    ...io,
    values,
    words,
    style,
    json: values['json'] === true,
    word: (at) => words[at] ?? '',
    server: () => (server ??= resolve()),
    client: () =>
      (client ??= context
        .server()
        .then(({ url, token }) => createClient({ url, token: () => token }))),
    async channels() {
      const made = await context.client();
      channels ??= openChannels({ client: made, connect: connectNode });
      return channels;
    },
    tell: (text) => io.stderr.write(`${text}\n`),
    print: (text) => io.stdout.write(`${text}\n`),
    give(value, human) {
      context.print(context.json ? JSON.stringify(value, null, 2) : human(value));
    },
    async findSession(name) {
      const api = await context.client();
      if (uuid.test(name)) return api.sessions.get(name.toLowerCase());
      const all = await Array.fromAsync(everything((query) => api.sessions.list(query)));
      // Archived ones too: `sessions ls --archived` shows ids that `unarchive` and `rm` must know.
      const away = (query: { limit: number; cursor?: string }) =>
        api.sessions.list({ ...query, archived: true });
      all.push(...(await Array.fromAsync(everything(away))));
      return pick('session', name, all, (session) => session.title);
    },
    async findAgent(name) {
      const api = await context.client();
      if (uuid.test(name)) return api.agents.get(name.toLowerCase());
      const all = await Array.fromAsync(everything((query) => api.agents.list(query)));
      return pick('agent', name, all, (agent) => agent.name);
    },
    async findApproval(name) {
      const api = await context.client();
      if (uuid.test(name)) return api.approvals.get(name.toLowerCase());
      const waiting = (query: { limit: number; cursor?: string }) =>
        api.approvals.list({ ...query, state: 'waiting' });
      const open = await Array.fromAsync(everything(waiting));
      // Of those that were answered the latest: whoever comes second is told who was first.
      const { items } = await api.approvals.list({ limit: 200 });
      const all = [...open, ...items.filter(({ id }) => open.every((one) => one.id !== id))];
      return pick('approval', name, all, (approval) => shortId(approval.id));
    },
    close() {
      channels?.close();
    },
  };
  return context;
}

export type Run = (context: Context) => Promise<number>;
