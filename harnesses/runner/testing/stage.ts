import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { harnessRecord } from '@berth/contract/harness';
import type { SessionSpec, SourceItem } from '@berth/contract/link';
import * as z from 'zod/mini';
import { startControl, type Control } from './control.ts';

const here = import.meta.dirname;
const credential = 'runner-credential-for-tests';
const grown = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

export interface Stage extends AsyncDisposable {
  readonly dir: string;
  readonly workspace: string;
  readonly home: string;
  readonly socketDir: string;
  readonly stateDir: string;
  readonly sessionId: string;
  control: Control;
  spec(over?: Partial<SessionSpec>): SessionSpec;
  bind(over?: Partial<SessionSpec>): void;
  startRunner(): Promise<void>;
  killRunner(signal?: NodeJS.Signals): Promise<void>;
  killAgentd(): Promise<void>;
  startAgentd(): void;
  /** The control plane dies, or comes back on the same port with what it had. */
  items(kind?: string): SourceItem[];
  wait<T>(what: string, look: () => T | undefined | false | null, timeoutMs?: number): Promise<T>;
  turn(text: string, turnId?: string): string;
  ended(turnId: string): Promise<Record<string, unknown>>;
  /** All text of the agent's messages within a turn. */
  said(turnId: string): string;
  /** Pids of the agent's process. */
  agents(): number[];
  diary(): { n: number; text: string; pid: number }[];
}

/** A runner, an agentd and a control plane's end of the link: real processes, without a sandbox around them. */
export async function createStage(): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'berth-runner-'));
  const [workspace, home, socketDir, stateDir] = ['w', 'h', 's', 'state'].map((name) =>
    join(dir, name),
  ) as [string, string, string, string];
  for (const path of [workspace, home, socketDir, stateDir]) await mkdir(path);
  const control = await startControl(credential);
  const sessionId = randomUUID();
  const runnerId = randomUUID();
  await writeFile(
    join(stateDir, 'link.json'),
    JSON.stringify({ url: control.url, credential, runnerId }),
  );
  let runner: ChildProcess | undefined;
  let agentd: ChildProcess | undefined;
  const rehearsal = resolve(here, '../../rehearsal');
  const record = z.parse(
    harnessRecord,
    JSON.parse(
      readFileSync(join(rehearsal, 'harness.json'), 'utf8').replaceAll('rehearsal.mjs', 'main.ts'),
    ),
  );

  const gone = (child: ChildProcess | undefined): Promise<void> =>
    new Promise((done) => {
      if (!child || child.exitCode !== null || child.signalCode !== null) done();
      else child.once('exit', () => done());
    });
  async function wait<T>(
    what: string,
    look: () => T | undefined | false | null,
    timeoutMs = 20_000,
  ): Promise<T> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const found = look();
      if (found !== undefined && found !== false && found !== null) return found;
      if (performance.now() > until) {
        const log = existsSync(join(stateDir, 'runner.log'))
          ? readFileSync(join(stateDir, 'runner.log'), 'utf8')
          : '';
        const items = stage
          .items()
          .map(
            ({ n, kind, payload }) =>
              `${String(n)} ${kind} ${JSON.stringify(payload).slice(0, 300)}`,
          );
        throw new Error(
          `${what}: did not come\n${items.slice(-30).join('\n')}\n${log.slice(-4000)}`,
        );
      }
      await new Promise((tick) => setTimeout(tick, 10));
    }
  }

  const stage: Stage = {
    dir,
    workspace,
    home,
    socketDir,
    stateDir,
    sessionId,
    control,
    spec: (over) => ({
      sessionId,
      generation: 1,
      socketDir,
      hostUid: grown.uid,
      hostGid: grown.gid,
      harness: record,
      agentsDir: rehearsal,
      mode: 'ask',
      env: {},
      awaitArchive: false,
      egressToken: 'egress-token',
      egressSocket: join(dir, 'vault.sock'),
      ...over,
    }),
    bind(over) {
      stage.control.send({ op: 'bind', session: stage.spec(over) });
    },
    async startRunner() {
      const hellos = stage.control.hellos.length;
      const child = spawn(process.execPath, [resolve(here, '../main.ts'), '--state', stateDir], {
        stdio: 'ignore',
      });
      runner = child;
      await wait(
        'the runner',
        () => stage.control.hellos.length > hellos && stage.control.connected(),
      );
    },
    async killRunner(signal = 'SIGKILL') {
      runner?.kill(signal);
      await gone(runner);
    },
    startAgentd() {
      agentd = spawn(process.execPath, [resolve(here, '../../agentd/main.ts')], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          HOME: home,
          BERTH_RUN: socketDir,
          BERTH_WORKSPACE: workspace,
        },
      });
      agentd.stderr?.resume();
    },
    async killAgentd() {
      const pids = stage.agents();
      agentd?.kill('SIGKILL');
      await gone(agentd);
      for (const pid of pids) kill(pid);
    },
    items: (kind) => {
      const all = stage.control.log(sessionId);
      return kind === undefined ? all : all.filter((item) => item.kind === kind);
    },
    wait,
    turn(text, turnId = randomUUID()) {
      stage.control.send({ op: 'turn', sessionId, turnId, prompt: [{ type: 'text', text }] });
      return turnId;
    },
    async ended(turnId) {
      const item = await wait(`the end of turn ${turnId}`, () =>
        stage.items('turn.ended').find(({ payload }) => payload['turnId'] === turnId),
      );
      return item.payload;
    },
    said: (turnId) =>
      stage
        .items('message.delta')
        .filter((item) => item.turnId === turnId)
        .map(({ payload }) => String(payload['text']))
        .join(''),
    agents: () =>
      readdirSync('/proc').flatMap((name) => {
        try {
          const env = readFileSync(`/proc/${name}/environ`, 'utf8');
          const command = readFileSync(`/proc/${name}/cmdline`, 'utf8');
          return env.includes(`HOME=${home}\0`) &&
            env.includes('BERTH_TREE=agent') &&
            command.includes('rehearsal')
            ? [Number(name)]
            : [];
        } catch {
          return [];
        }
      }),
    diary() {
      const path = join(home, '.rehearsal', 'diary.jsonl');
      if (!existsSync(path)) return [];
      return readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { n: number; text: string; pid: number });
    },
    async [Symbol.asyncDispose]() {
      runner?.kill('SIGKILL');
      await gone(runner);
      agentd?.kill('SIGTERM');
      await gone(agentd);
      for (const pid of stage.agents()) kill(pid);
      await stage.control[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return stage;
}
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
}
