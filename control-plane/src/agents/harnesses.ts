import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem, type Harness } from '@berth/contract';
import type { HarnessRecord } from '@berth/contract/harness';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { installedRecord, keepRecord, readRecords, type FoundHarness } from './harness-records.ts';
import {
  installHarness,
  InstallFailed,
  installName,
  sweepUnfinished,
  type Progress,
} from './install.ts';

export interface Harnesses {
  list(): Promise<Harness[]>;
  /** Throws Problem `harness-unknown`. `hostPath`: the record of that installation, where it has one of its own. */
  record(id: string, hostPath?: string): HarnessRecord;
  /** Installed at its exact version, downloading it when it is missing. Throws with one sentence for a person. */
  prepare(id: string, progress: Progress, signal: AbortSignal): Promise<{ hostPath: string }>;
}

export interface HarnessesOptions {
  /** The repository's `harnesses/`: every folder with a `harness.json` is one. */
  harnessesDir: string;
  dataDir: string;
  /** Holds the bundled harnesses, each in a folder of its name. */
  distDir: string;
  /** Folder of the Node installation (`bin/node`) that runs npm. */
  nodeDir: string;
  logger: Pick<Logger, 'info' | 'error'>;
  clock: Clock;
  env?: Readonly<Record<string, string | undefined>>;
}

/** The harness catalogue. Records are read once, at start; what is installed is looked up each time. */
export function createHarnesses(options: HarnessesOptions): Harnesses {
  const { harnessesDir, dataDir, distDir, nodeDir, logger, clock, env = process.env } = options;
  const { found, broken } = readRecords(harnessesDir);
  for (const { path, detail } of broken)
    logger.error({ path, detail }, 'a harness record cannot be used');

  const running = new Map<string, Shared>();

  function find(id: string): FoundHarness {
    const harness = found.get(id);
    if (harness !== undefined) return harness;
    const known = [...found.keys()].join(', ');
    throw new Problem('harness-unknown', `there is no harness "${id}"; there are ${known}`);
  }
  const installsInto = (id: string): string => join(dataDir, 'harnesses', id);

  function currentPath({ record, dir }: FoundHarness): string {
    if (record.install === undefined) return join(distDir, record.id);
    return join(installsInto(record.id), installName(record, record.install, dir));
  }

  async function install(harness: FoundHarness, progress: Progress, signal: AbortSignal) {
    const { record, dir } = harness;
    if (record.install === undefined)
      throw new InstallFailed(
        `${record.title} is part of Berth but was not built: run "npm run build".`,
      );
    const into = installsInto(record.id);
    const began = clock.now();
    await sweepUnfinished(into);
    await installHarness({
      record,
      install: record.install,
      recordDir: dir,
      into,
      nodeDir,
      env,
      progress,
      signal,
    });
    logger.info(
      { harness: record.id, version: record.version, ms: clock.now() - began },
      'harness installed',
    );
  }

  return {
    async list() {
      return [...found.values()].map((harness) => ({
        id: harness.record.id,
        title: harness.record.title,
        version: harness.record.version,
        installed: existsSync(currentPath(harness)),
        needsModel: harness.record.protocol !== 'none',
        ...(harness.record.model.suggestions === undefined
          ? {}
          : { models: harness.record.model.suggestions }),
        modes: Object.keys(harness.record.modes),
        terminal: harness.record.terminal.kind,
      }));
    },
    record(id, hostPath) {
      const harness = find(id);
      if (hostPath === undefined || hostPath === currentPath(harness)) return harness.record;
      return installedRecord(hostPath, id) ?? harness.record;
    },
    async prepare(id, progress, signal) {
      const harness = find(id);
      const path = currentPath(harness);
      if (existsSync(path)) {
        if (harness.record.install !== undefined) await keepRecord(path, harness.record);
        return { hostPath: path };
      }
      // One installation for all that wait; it goes on as long as one of them does.
      let shared = running.get(path);
      if (shared === undefined || shared.abandoned()) {
        shared = share((all, until) => install(harness, all, until));
        const mine = shared;
        running.set(path, mine);
        const forget = (): void => {
          if (running.get(path) === mine) running.delete(path);
        };
        mine.done.then(forget, forget);
      }
      await shared.join(progress, signal);
      return { hostPath: path };
    },
  };
}

interface Shared {
  done: Promise<void>;
  abandoned(): boolean;
  join(progress: Progress, signal: AbortSignal): Promise<void>;
}

/** Work that several wait for: each hears its progress, each may leave, and the last that leaves ends it. */
function share(work: (progress: Progress, signal: AbortSignal) => Promise<void>): Shared {
  const listeners = new Set<Progress>();
  const end = new AbortController();
  // Begins when the first has joined.
  const done = Promise.resolve().then(() =>
    work(async (...step) => {
      await Promise.all([...listeners].map((listener) => listener(...step)));
    }, end.signal),
  );
  return {
    done,
    abandoned: () => end.signal.aborted,
    async join(progress, signal) {
      signal.throwIfAborted();
      // Each waiter's own, even when two give the same function.
      const listener: Progress = (...step) => progress(...step);
      listeners.add(listener);
      const left = Promise.withResolvers<never>();
      const leave = (): void => {
        listeners.delete(listener);
        if (listeners.size === 0) end.abort(signal.reason);
        left.reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      try {
        await Promise.race([done, left.promise]);
      } finally {
        signal.removeEventListener('abort', leave);
        listeners.delete(listener);
      }
    },
  };
}
