import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { sandboxEnvironment } from '../../control-plane/src/sandboxes/local/environment.ts';
import {
  bwrapArguments,
  maskedFiles,
  rootFolders,
} from '../../control-plane/src/sandboxes/local/layout.ts';
import { inside } from '../../control-plane/src/sandboxes/local/places.ts';
import {
  seccompProgram,
  type Architecture,
} from '../../control-plane/src/sandboxes/local/seccomp.ts';

export interface BareTimes {
  initializedMs: number;
  sessionMs: number;
  firstTextMs: number;
}
/** A uid that no sandbox of Berth gets. */
const benchUid = 61_000;

/** How an agent is started, where it is not the rehearsal agent. */
export interface BareLaunch {
  name: string;
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Paths below the agent's home. */
  files: readonly { path: string; content: string }[];
  /** Its model is on this machine's loopback. */
  sharedNetwork: boolean;
  /** Whether a piece of text is the answer already. */
  answers: (text: string) => boolean;
}
const rehearsal: BareLaunch = {
  name: 'rehearsal',
  argv: [
    `${inside.node}/bin/node`,
    '--no-use-env-proxy',
    `${inside.agents}/rehearsal/rehearsal.mjs`,
  ],
  env: { BERTH_REHEARSAL_MODE: 'auto' },
  files: [],
  sharedNetwork: false,
  answers: () => true,
};

/** The same walls as Berth's, and nothing else of Berth: bubblewrap, the agent as its command, ACP over its standard input and output. */
export async function bareFirstText(options: {
  bwrap: string;
  agentDir: string;
  agentdDir: string;
  prompt: string;
  launch?: BareLaunch;
}): Promise<BareTimes> {
  const launch = options.launch ?? rehearsal;
  const base = mkdtempSync(join(tmpdir(), 'berth-bare-'));
  const asRoot = process.getuid?.() === 0;
  chmodSync(base, 0o711);
  const folder = (name: string): string => {
    const path = join(base, name);
    mkdirSync(path, { mode: 0o700 });
    if (asRoot) chownSync(path, benchUid, benchUid);
    return path;
  };
  const folders = { workspace: folder('w'), home: folder('h'), run: folder('run') };
  try {
    for (const { path, content } of launch.files) {
      const file = join(folders.home, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
    if (asRoot)
      execFileSync('chown', ['-R', `${String(benchUid)}:${String(benchUid)}`, folders.home]);
    const child = start({ ...options, ...folders, launch, base, asRoot });
    return await speak(child, options.prompt, launch.answers);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

type Child = ReturnType<typeof start>;
function start(options: {
  bwrap: string;
  agentDir: string;
  agentdDir: string;
  workspace: string;
  home: string;
  run: string;
  base: string;
  asRoot: boolean;
  launch: BareLaunch;
}) {
  const { launch } = options;
  const roots: Record<string, string | null> = {};
  for (const name of rootFolders) {
    const found = lstatSync(name, { throwIfNoEntry: false });
    if (found) roots[name] = found.isSymbolicLink() ? readlinkSync(name) : null;
  }
  const args = bwrapArguments(
    {
      workspace: options.workspace,
      home: options.home,
      run: options.run,
      node: dirname(dirname(process.execPath)),
      agentd: options.agentdDir,
      agents: [{ name: launch.name, hostPath: options.agentDir }],
      env: sandboxEnvironment(launch.env, {}),
      tmpBytes: 2 ** 30,
      machineId: '0'.repeat(32),
    },
    { roots, masks: maskedFiles.filter((file) => existsSync(file)), disableUserns: false },
  ).filter((arg) => !launch.sharedNetwork || arg !== '--unshare-net');
  const stdio: ('pipe' | 'inherit' | number)[] = ['pipe', 'pipe', 'inherit'];
  const opened: number[] = [];
  const handOver = (data: string | Buffer): string => {
    const file = join(options.base, `data-${String(stdio.length)}`);
    writeFileSync(file, data);
    const descriptor = openSync(file, 'r');
    unlinkSync(file);
    opened.push(descriptor);
    stdio.push(descriptor);
    return String(stdio.length - 1);
  };
  const words = args.map((arg) => (typeof arg === 'string' ? arg : handOver(arg.data)));
  words.push('--add-seccomp-fd', handOver(seccompProgram(process.arch as Architecture)));
  const uid = String(benchUid);
  const drop = options.asRoot
    ? ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--bounding-set=-all']
    : [];
  const command = [...drop, options.bwrap, ...words, '--die-with-parent', '--', ...launch.argv];
  const startedAt = performance.now();
  const child = spawn(command[0] ?? '', command.slice(1), { stdio });
  for (const descriptor of opened) closeSync(descriptor);
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  return { startedAt, child, stdin, stdout };
}

async function speak(
  { startedAt, child, stdin, stdout }: Child,
  prompt: string,
  answers: BareLaunch['answers'],
): Promise<BareTimes> {
  const since = (): number => performance.now() - startedAt;
  const replies = new Map<number, (result: Record<string, unknown>) => void>();
  const text = Promise.withResolvers<number>();
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the bare agent ended with ${String(code)}`)));
  });
  ended.catch(() => undefined); // it is ended on purpose below
  createInterface({ input: stdout }).on('line', (line) => {
    const message = JSON.parse(line) as {
      id?: number;
      result?: Record<string, unknown>;
      params?: { update?: { sessionUpdate?: string; content?: { text?: string } } };
    };
    const update = message.params?.update;
    if (update?.sessionUpdate === 'agent_message_chunk' && answers(update.content?.text ?? ''))
      text.resolve(since());
    if (message.id !== undefined && message.result !== undefined)
      replies.get(message.id)?.(message.result);
  });
  let lastId = 0;
  const ask = (method: string, params: unknown): Promise<Record<string, unknown>> => {
    const id = ++lastId;
    stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    return Promise.race([
      ended,
      new Promise<Record<string, unknown>>((done) => replies.set(id, done)),
    ]);
  };
  try {
    await ask('initialize', { protocolVersion: 1, clientCapabilities: {} });
    const initializedMs = since();
    const { sessionId } = await ask('session/new', { cwd: inside.workspace, mcpServers: [] });
    const sessionMs = since();
    ask('session/prompt', { sessionId, prompt: [{ type: 'text', text: prompt }] }).catch(
      () => undefined, // only its first text is waited for
    );
    return { initializedMs, sessionMs, firstTextMs: await Promise.race([ended, text.promise]) };
  } finally {
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }
}
