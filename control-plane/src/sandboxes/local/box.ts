import type { Logger } from 'pino';
import type { Clock } from '../../clock.ts';
import type { Sandbox, SandboxSpec } from '../driver.ts';
import { reasonOf } from './ending.ts';
import type { Folders } from './folders.ts';
import type { HostView } from './layout.ts';
import { makeLimits, memoryKills, removeCgroups, type CgroupHost } from './limits.ts';
import { emptyLog, tailOf, trimLog } from './logs.ts';
import { inside } from './places.ts';
import { hasProcs, isAlive, killAll, procId, procsOfUid, procsWith, type ProcId } from './procs.ts';
import type { Records, SandboxRecord } from './records.ts';
import { bareMark, readStatus, startBare, startIsolated } from './start.ts';
import { claimUid, releaseUid } from './uids.ts';

/** What the machine offers; `bwrap` null: no isolation. */
export interface BoxHost {
  bwrap: string | null;
  view: HostView | null;
  nodeDir: string;
  agentdDir: string;
  cgroups: CgroupHost;
}
export interface BoxOptions {
  sessionId: string;
  records: Records;
  folders: Folders;
  clock: Clock;
  newName: () => string;
  getHost: (signal: AbortSignal) => Promise<BoxHost>;
  unsafe: boolean;
  /** It has ended by itself. */
  ended: (sandbox: Sandbox) => void;
  log: Pick<Logger, 'info' | 'warn'>;
}
const logLines = 40;
const place = { workspace: inside.workspace, home: inside.home, node: `${inside.node}/bin/node` };

/** One sandbox. Its calls come one at a time; `look` and `lookAgain` may come at any time. */
export function createBox(options: BoxOptions) {
  const { sessionId, records, folders, unsafe, log } = options;
  /** Something is being made or ended on purpose: a death now is no news. */
  let busy = false;

  const isRunning = (record: SandboxRecord): boolean =>
    record.init !== undefined && isAlive(record.init);

  function view(record: SandboxRecord): Sandbox {
    const places = folders.of(record.folder);
    const common = {
      sessionId,
      generation: record.generation,
      ...(record.instance === undefined ? {} : { instance: record.instance }),
      notes: record.notes,
      isolated: record.isolated,
      ...(record.agents === undefined ? {} : { agents: record.agents }),
    };
    if (record.ended)
      return {
        ...common,
        state: record.ended.started ? 'gone' : 'failed',
        reason: record.ended.reason,
        logs: tailOf(places.logFile, logLines),
      };
    if (record.wanted === 'suspended') return { ...common, state: 'suspended' };
    const hostUid = record.uid ?? process.getuid?.() ?? 0;
    const hostGid = record.uid ?? process.getgid?.() ?? 0;
    return {
      ...common,
      state: record.init ? 'running' : 'starting',
      door: { socketDir: places.run, hostUid, hostGid, ...(record.isolated ? { place } : {}) },
    };
  }

  /** The record says that it runs, and it does not. */
  function settle(record: SandboxRecord, exitCode?: number): SandboxRecord {
    const places = folders.of(record.folder);
    const reason = reasonOf({
      outOfMemory: memoryKills(record.cgroups) > record.memoryKills,
      exitCode: readStatus(places.statusFile).exitCode ?? exitCode,
      lastLine: tailOf(places.logFile, 1)[0],
    });
    log.warn({ sessionId, reason }, 'sandbox ended by itself');
    return records.put({ ...record, ended: { reason, started: record.init !== undefined } });
  }

  function look(): Sandbox | null {
    const record = records.get(sessionId);
    if (!record) return null;
    const lost = !busy && record.wanted === 'running' && !record.ended && !isRunning(record);
    return view(lost ? settle(record) : record);
  }

  /** What has changed without being asked for. */
  function lookAgain(): Sandbox | null {
    const record = busy ? null : records.get(sessionId);
    if (!record || record.wanted !== 'running' || record.ended) return null;
    if (!isRunning(record)) return view(settle(record));
    trimLog(folders.of(record.folder).logFile);
    const kills = memoryKills(record.cgroups);
    if (kills <= record.memoryKills) return null;
    const told = records.put({ ...record, memoryKills: kills });
    return { ...view(told), reason: 'out of memory: the kernel killed a process of the sandbox' };
  }

  /**
   * Every process that may be of this sandbox, also of a start that was cut off before its record was complete: the wrapper, bwrap and
   * agentd bear its random name among their arguments; what is below them has its uid, or ends with its init.
   */
  function processesOf(record: SandboxRecord): ProcId[] {
    const known = [record.init, record.outer]
      .filter((proc) => proc !== undefined)
      .filter((proc) => isAlive(proc));
    const named = procsWith('cmdline', record.name);
    if (record.uid !== null) return [...known, ...named, ...procsOfUid(record.uid)];
    if (record.isolated) return [...known, ...named];
    return [...known, ...named, ...procsWith('environ', bareMark(record.name))];
  }

  /** No process, no cgroup. The disk stays. */
  async function stop(record: SandboxRecord): Promise<void> {
    // The init first: with it ends its whole PID namespace, forked in the meantime or not.
    await killAll(() =>
      [record.init].filter((proc) => proc !== undefined).filter((proc) => isAlive(proc)),
    );
    await killAll(() => processesOf(record));
    const left = await removeCgroups(record.cgroups);
    if (left.length > 0) log.warn({ sessionId, left }, 'cgroups stayed');
  }

  function fresh(spec: SandboxSpec): SandboxRecord {
    const name = options.newName();
    const needsUid = !unsafe && process.getuid?.() === 0;
    const uid = needsUid ? claimUid(folders.claims, hasProcs) : null;
    return records.put(
      {
        sessionId,
        name,
        folder: folders.folderOf(name),
        uid,
        generation: spec.generation,
        wanted: 'suspended',
        isolated: !unsafe,
        notes: [],
        cgroups: [],
        memoryKills: 0,
      },
      true,
    );
  }

  async function ensure(
    spec: SandboxSpec,
    signal: AbortSignal,
    early?: (sandbox: Sandbox) => void,
  ): Promise<Sandbox> {
    signal.throwIfAborted();
    const known = records.get(sessionId);
    const current = known?.wanted === 'running' && !known.ended && isRunning(known);
    if (known && current && known.generation >= spec.generation) return view(known);
    const host = await options.getHost(signal);
    // One that was suspended has been looked for already: a look through all processes costs as much as a start.
    if (known?.wanted === 'running') await stop(known);
    const { init: _init, outer: _outer, ended: _ended, ...base } = known ?? fresh(spec);
    const places = folders.make(base.folder, base.uid);
    const limited = makeLimits(base.name, spec.limits, host.cgroups);
    const notes = unsafe ? ['NO ISOLATION: BERTH_SANDBOX=unsafe', ...limited.notes] : limited.notes;
    emptyLog(places.logFile);
    emptyLog(places.statusFile);
    let starting = records.put({
      ...base,
      generation: spec.generation,
      instance: options.newName(),
      wanted: 'running',
      notes,
      cgroups: limited.cgroups,
      agents: spec.agents,
      memoryKills: 0,
    });
    early?.(view(starting));
    const start = {
      spec,
      name: base.name,
      uid: base.uid,
      limited,
      folders,
      places,
      nodeDir: host.nodeDir,
      agentdDir: host.agentdDir,
    };
    try {
      const startedAtMs = options.clock.now();
      const { child, init } =
        host.bwrap !== null && host.view !== null
          ? startIsolated(start, host.bwrap, host.view, signal)
          : startBare(start);
      child.once('exit', () => {
        try {
          const changed = lookAgain();
          if (changed) options.ended(changed);
        } catch (error) {
          log.warn({ sessionId, err: error }, 'the end of a sandbox could not be looked at');
        }
      });
      child.unref();
      const outer = child.pid === undefined ? null : procId(child.pid);
      if (outer) starting = records.put({ ...starting, outer });
      const found = await init;
      if (found === false) {
        const failed = settle(starting, child.exitCode ?? undefined);
        await stop(failed);
        return view(failed);
      }
      log.info({ sessionId, ms: options.clock.now() - startedAtMs }, 'sandbox started');
      return view(records.put({ ...starting, init: found }));
    } catch (error) {
      await stop(starting);
      records.put({ ...starting, wanted: 'suspended' });
      throw error;
    }
  }

  async function suspend(): Promise<Sandbox> {
    const known = records.get(sessionId);
    if (!known) throw new Error(`there is no sandbox of session ${sessionId}`);
    await stop(known);
    const { init: _init, outer: _outer, ended: _ended, ...base } = known;
    return view(records.put({ ...base, wanted: 'suspended', cgroups: [] }));
  }

  async function remove(): Promise<void> {
    const known = records.get(sessionId);
    if (!known) return;
    await stop(known);
    folders.remove(known.folder);
    records.remove(sessionId);
    if (known.uid !== null) releaseUid(folders.claims, known.uid);
  }

  const exclusively = async <T>(work: () => Promise<T>): Promise<T> => {
    busy = true;
    try {
      return await work();
    } finally {
      busy = false;
    }
  };
  return {
    look,
    lookAgain,
    ensure: (
      spec: SandboxSpec,
      signal: AbortSignal,
      early?: (sandbox: Sandbox) => void,
    ): Promise<Sandbox> => exclusively(() => ensure(spec, signal, early)),
    suspend: () => exclusively(suspend),
    remove: () => exclusively(remove),
    logs(tail: number): string[] {
      const record = records.get(sessionId);
      return record ? tailOf(folders.of(record.folder).logFile, tail) : [];
    },
  };
}
export type Box = ReturnType<typeof createBox>;
