import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import type { DriverHealth, Sandbox, SandboxDriver, SandboxSpec } from '../driver.ts';
import { namespaceRefusal, resolveBwrap, type Bwrap } from './bwrap.ts';
import { createBox, type Box, type BoxHost } from './box.ts';
import { fetchWithNpm, type FetchPackageFile } from './fetch-package.ts';
import { createFolders, stateRoot } from './folders.ts';
import { maskedFiles, rootFolders, type HostView } from './layout.ts';
import { cgroupHost } from './limits.ts';
import { createRecords } from './records.ts';
import { probeBwrap } from './probe.ts';
import { createTurns } from './turns.ts';
import { createWatch } from './watch.ts';

export interface LocalDriverOptions {
  dataDir: string;
  /** Holds agentd.cjs and its native module. */
  agentdDir: string;
  /** Holds bin/node. */
  nodeDir: string;
  clock: Clock;
  logger: Pick<Logger, 'info' | 'warn'>;
  /** Said by the operator: no isolation at all. */
  unsafe?: boolean;
  fetch?: FetchPackageFile;
  /** Where sandboxes keep their disks; a path that tells nothing, because the sandbox can read it. */
  stateRoot?: string;
  searchPath?: string;
}

/**
 * Sandboxes on this machine: bubblewrap on Linux. A sandbox outlives the control plane: what runs is found again by its record,
 * and every call looks at the processes, never at what it remembers of them.
 */
export function createLocalDriver(options: LocalDriverOptions): SandboxDriver {
  const { dataDir, logger, unsafe = false } = options;
  const records = createRecords(path.join(dataDir, 'sandboxes'));
  const root = process.getuid?.() === 0 && !unsafe;
  const folders = createFolders({ root: options.stateRoot ?? stateRoot(dataDir, root), own: root });
  const turns = createTurns();
  let host: Promise<BoxHost> | undefined;

  async function findHost(
    signal: AbortSignal,
    progress?: (text: string) => void,
  ): Promise<BoxHost> {
    const common = {
      nodeDir: options.nodeDir,
      agentdDir: options.agentdDir,
      cgroups: cgroupHost(readFileSync('/proc/self/mountinfo', 'utf8')),
    };
    if (unsafe) return { ...common, bwrap: null, view: null };
    const bwrap = await resolveBwrap({
      dataDir,
      searchPath: options.searchPath ?? process.env['PATH'] ?? '/usr/bin',
      fetch: options.fetch ?? fetchWithNpm,
      signal,
      ...(progress ? { progress } : {}),
    });
    return { ...common, bwrap: folders.published(bwrap.path), view: viewOf(bwrap) };
  }
  /** Looked at once; a failure is not remembered, so that the next call sees the remedy. */
  const getHost = (signal: AbortSignal, progress?: (text: string) => void): Promise<BoxHost> => {
    host ??= findHost(signal, progress).catch((error: unknown) => {
      host = undefined;
      throw error;
    });
    return host;
  };

  const boxes = new Map<string, Box>();
  const boxOf = (sessionId: string): Box => {
    const known = boxes.get(sessionId);
    if (known) return known;
    const made = createBox({
      sessionId,
      records,
      folders,
      clock: options.clock,
      newName: () => randomBytes(6).toString('hex'),
      getHost,
      unsafe,
      ended: (sandbox) => watch.tell(sandbox),
      log: logger,
    });
    boxes.set(sessionId, made);
    return made;
  };
  const watch = createWatch({
    look: () => records.list().map((record) => () => boxOf(record.sessionId).lookAgain()),
    failed: (error) => logger.warn({ err: error }, 'sandboxes could not be looked at'),
  });

  return {
    name: 'local',
    async probe(signal, progress): Promise<DriverHealth> {
      if (process.platform !== 'linux')
        return {
          isolated: false,
          refusal: `local sandboxes need Linux; this is ${process.platform}`,
        };
      if (unsafe)
        return { isolated: false, detail: 'no isolation: BERTH_SANDBOX=unsafe was asked for' };
      try {
        const found = await getHost(signal, progress);
        const said = await probeBwrap(found.bwrap ?? '', root, signal);
        if (said !== null) return { isolated: false, refusal: namespaceRefusal(said) };
        return { isolated: true, detail: `bubblewrap at ${found.bwrap ?? ''}` };
      } catch (error) {
        return { isolated: false, refusal: error instanceof Error ? error.message : String(error) };
      }
    },
    ensure: (spec: SandboxSpec, signal, early) =>
      turns.take(spec.sessionId, () => boxOf(spec.sessionId).ensure(spec, signal, early)),
    suspend: (sessionId) => turns.take(sessionId, () => boxOf(sessionId).suspend()),
    remove: (sessionId) =>
      turns.take(sessionId, async () => {
        await boxOf(sessionId).remove();
        boxes.delete(sessionId);
      }),
    get: (sessionId) => turns.take(sessionId, async () => boxOf(sessionId).look()),
    list: async () => {
      const found: Sandbox[] = [];
      for (const { sessionId } of records.list()) {
        const sandbox = await turns.take(sessionId, async () => boxOf(sessionId).look());
        if (sandbox) found.push(sandbox);
      }
      return found;
    },
    watch: (signal) => watch.subscribe(signal),
    logs: async (sessionId, tail) => boxOf(sessionId).logs(tail),
  };
}

function viewOf(bwrap: Bwrap): HostView {
  const roots: Record<string, string | null> = {};
  for (const folder of rootFolders) {
    const found = lstatSync(folder, { throwIfNoEntry: false });
    if (found) roots[folder] = found.isSymbolicLink() ? readlinkSync(folder) : null;
  }
  return {
    roots,
    masks: maskedFiles.filter((file) => existsSync(file)),
    disableUserns: bwrap.disableUserns,
  };
}
