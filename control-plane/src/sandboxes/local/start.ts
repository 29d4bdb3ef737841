import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, openSync, closeSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { SandboxSpec } from '../driver.ts';
import { sandboxEnvironment } from './environment.ts';
import type { BoxFolders, Folders } from './folders.ts';
import { launch, parseStatus } from './launch.ts';
import { bwrapArguments, type HostView } from './layout.ts';
import type { Limited } from './limits.ts';
import { inside } from './places.ts';
import { hasChild, procId, waitFor, type ProcId } from './procs.ts';
import { seccompProgram, type Architecture } from './seccomp.ts';

/**
 * agentd needs little, and lives as long as the sandbox. It fetches nothing: the proxy that its children are to use would cost each start 25 ms, for
 * Node's whole HTTP client is loaded with it.
 */
const nodeFlags = [
  '--max-old-space-size=64',
  '--max-semi-space-size=1',
  '--v8-pool-size=1',
  '--no-use-env-proxy',
];
const tmpBytesMax = 2 ** 30;
const initLimitMs = 10_000;

export interface Start {
  spec: SandboxSpec;
  name: string;
  uid: number | null;
  limited: Limited;
  folders: Folders;
  places: BoxFolders;
  nodeDir: string;
  agentdDir: string;
}
export interface Started {
  child: ChildProcess;
  /** Resolves when the command inside was started, false when it ended before. */
  init: Promise<ProcId | false>;
}

const agentName = /^[a-z0-9][a-z0-9-]{0,60}$/;

export function startIsolated(
  start: Start,
  bwrap: string,
  view: HostView,
  signal: AbortSignal,
): Started {
  const { spec, limited, places, folders } = start;
  for (const { name, hostPath } of spec.agents)
    if (!agentName.test(name) || !path.isAbsolute(hostPath))
      throw new Error(`not an agent to bind: ${JSON.stringify({ name, hostPath })}`);
  const args = bwrapArguments(
    {
      workspace: places.workspace,
      home: places.home,
      run: places.run,
      node: folders.published(start.nodeDir),
      agentd: folders.published(start.agentdDir),
      agents: spec.agents.map(({ name, hostPath }) => ({
        name,
        hostPath: folders.published(hostPath),
      })),
      env: sandboxEnvironment(spec.env, spec.limits),
      tmpBytes: Math.min(tmpBytesMax, Math.floor((spec.limits.memoryBytes ?? Infinity) / 2)),
      machineId: createHash('sha256').update(start.name).digest('hex').slice(0, 32),
    },
    view,
  );
  // Lowered by the first process inside: it is counted in the sandbox's own user namespace, not against the user's other processes.
  const limit =
    limited.processes === undefined
      ? []
      : ['/usr/bin/prlimit', `--nproc=${String(limited.processes)}:${String(limited.processes)}`];
  const child = launch({
    bwrap,
    args,
    seccomp: seccompProgram(process.arch as Architecture),
    // The name says nothing to the sandbox, which sees it in its mounts anyway; to us it says whose process this is.
    command: [
      ...limit,
      `${inside.node}/bin/node`,
      ...nodeFlags,
      `${inside.agentd}/agentd.cjs`,
      start.name,
    ],
    cgroups: limited.cgroups,
    uid: start.uid,
    logFile: places.logFile,
    statusFile: places.statusFile,
    scratch: path.dirname(places.logFile),
  });
  return { child, init: awaitInit(child, places.statusFile, signal) };
}

export function readStatus(file: string): ReturnType<typeof parseStatus> {
  return existsSync(file) ? parseStatus(readFileSync(file, 'utf8')) : {};
}

async function awaitInit(
  child: ChildProcess,
  statusFile: string,
  signal: AbortSignal,
): Promise<ProcId | false> {
  const seen: { init: ProcId | null; failed: boolean } = { init: null, failed: false };
  child.once('error', () => {
    seen.failed = true;
  });
  const ended = (): boolean => seen.failed || child.exitCode !== null || child.signalCode !== null;
  await waitFor(
    () => {
      if (ended()) return true;
      const { initPid } = readStatus(statusFile);
      if (initPid === undefined) return false;
      seen.init ??= procId(initPid);
      return hasChild(initPid);
    },
    initLimitMs,
    signal,
  );
  signal.throwIfAborted();
  return ended() || seen.init === null ? false : seen.init;
}

/** Names all processes of a sandbox that has no walls. */
export const bareMark = (name: string): string => `BERTH_BOX=${name}`;

/** No wall at all: agentd as a process of the user, in folders of its own. Only when the operator said so. */
export function startBare(start: Start): Started {
  const { spec, places } = start;
  const log = openSync(places.logFile, 'a', 0o600);
  try {
    const searchPath = `${start.nodeDir}/bin:${process.env['PATH'] ?? '/usr/bin:/bin'}`;
    const child = spawn(
      path.join(start.nodeDir, 'bin/node'),
      [...nodeFlags, path.join(start.agentdDir, 'agentd.cjs')],
      {
        cwd: places.workspace,
        env: {
          ...sandboxEnvironment(spec.env, spec.limits, places.home, searchPath),
          BERTH_RUN: places.run,
          BERTH_WORKSPACE: places.workspace,
          BERTH_BOX: start.name,
        },
        detached: true,
        stdio: ['ignore', log, log],
      },
    );
    child.on('error', () => undefined); // no pid then, which is looked at
    const init = child.pid === undefined ? null : procId(child.pid);
    return { child, init: Promise.resolve(init ?? false) };
  } finally {
    closeSync(log);
  }
}
