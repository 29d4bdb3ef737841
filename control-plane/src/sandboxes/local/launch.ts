import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Argument } from './layout.ts';
import { closeLog } from './logs.ts';

export interface Launch {
  bwrap: string;
  args: readonly Argument[];
  seccomp: Buffer;
  command: readonly string[];
  cgroups: readonly string[];
  /** Null: stay who we are, which must not be root. */
  uid: number | null;
  /** Standard output and error of everything that is not an agent. */
  logFile: string;
  /** bwrap tells here who its child is, and how it ended. */
  statusFile: string;
  /** A folder of ours for what is handed over by descriptor. */
  scratch: string;
}

/**
 * Joins the cgroups, raises the chance of being killed first when memory is short, forbids core dumps; then drops to the sandbox's uid.
 * Each step that fails ends it (`set -e`) before anything of the sandbox has run. `env -i`: what bwrap itself was started with can be
 * read inside as /proc/1/environ, and some shells export variables of their own.
 */
const wrapper = `set -e
while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs"; shift; done
shift
ulimit -c 0
echo 500 > /proc/self/oom_score_adj
exec /usr/bin/env -i "$@"`;

const first = { log: 1, status: 3, data: 4 } as const;

/** Starts a sandbox that outlives us: detached, its output in files, nothing inherited but what is listed. */
export function launch(options: Launch): ChildProcess {
  const { uid } = options;
  if (uid === null && process.getuid?.() === 0)
    throw new Error(
      'a sandbox is never started as root: it could write the settings of the kernel',
    );
  const opened: number[] = [];
  const open = (file: string, flags: string, mode = 0o600): number => {
    const descriptor = openSync(file, flags, mode);
    opened.push(descriptor);
    return descriptor;
  };
  try {
    const log = open(options.logFile, 'a');
    const stdio: ('ignore' | number)[] = ['ignore', log, log, open(options.statusFile, 'w')];
    closeLog(options.logFile);
    let count = 0;
    /** Read from an unlinked file: a pipe would hold 64 KB only, and somebody would have to write it. */
    const handOver = (data: Buffer | string): string => {
      const file = path.join(options.scratch, `.data-${String(process.pid)}-${String(count++)}`);
      writeFileSync(file, data, { mode: 0o600, flag: 'wx' });
      stdio.push(open(file, 'r'));
      unlinkSync(file);
      return String(stdio.length - 1);
    };
    const args = [
      ...options.args.map((arg) => (typeof arg === 'string' ? arg : handOver(arg.data))),
      '--add-seccomp-fd',
      handOver(options.seccomp),
      '--json-status-fd',
      String(first.status),
    ];
    // The arguments name host paths, and the sandbox can read its init's command line: they go by descriptor too.
    const list = handOver(args.map((arg) => `${arg}\0`).join(''));
    // What we were started with by mistake would be open inside too: our own files are closed on exec, others' may not be.
    for (const leaked of inheritable().filter((descriptor) => descriptor >= stdio.length)) {
      while (stdio.length < leaked) stdio.push('ignore');
      stdio.push(open('/dev/null', 'r'));
    }
    const drop =
      uid === null
        ? []
        : [
            '/usr/bin/setpriv',
            `--reuid=${String(uid)}`,
            `--regid=${String(uid)}`,
            '--clear-groups',
            '--bounding-set=-all',
            '--no-new-privs',
          ];
    return spawn(
      '/bin/sh',
      [
        '-c',
        wrapper,
        'berth',
        ...options.cgroups,
        '--',
        ...drop,
        `./${path.basename(options.bwrap)}`,
        '--args',
        list,
        '--',
        ...options.command,
      ],
      { cwd: path.dirname(options.bwrap), env: {}, detached: true, stdio },
    );
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

const closeOnExec = 0o2000000;
function inheritable(): number[] {
  return readdirSync('/proc/self/fdinfo')
    .map(Number)
    .filter((descriptor) => {
      try {
        const info = readFileSync(`/proc/self/fdinfo/${String(descriptor)}`, 'latin1');
        const flags = Number.parseInt(/^flags:\s+(\d+)/m.exec(info)?.[1] ?? '0', 8);
        return (flags & closeOnExec) === 0;
      } catch {
        return false; // the listing's own
      }
    })
    .sort((a, b) => a - b);
}

/** Pure. What bwrap has told so far: one JSON object a line, the last may be cut. */
export function parseStatus(text: string): { initPid?: number; exitCode?: number } {
  const told: { initPid?: number; exitCode?: number } = {};
  for (const [, name, value] of text.matchAll(/"(child-pid|exit-code)":\s*(\d+)(?=[\s,}])/g))
    if (name === 'child-pid') told.initPid = Number(value);
    else told.exitCode = Number(value);
  return told;
}
