import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { SandboxSpec } from '../driver.ts';
import type { ProcId } from './procs.ts';

/** What the driver remembers of a sandbox. Written before the thing that it describes is made, removed after it is gone. */
export interface SandboxRecord {
  readonly sessionId: string;
  /** Random: what the sandbox can see of the host's paths says nothing. */
  readonly name: string;
  readonly folder: string;
  /** A host uid of its own; null when the control plane is not root. */
  readonly uid: number | null;
  readonly generation: number;
  /** Of the latest start. */
  readonly instance?: string;
  readonly wanted: 'running' | 'suspended';
  readonly isolated: boolean;
  readonly notes: readonly string[];
  readonly cgroups: readonly string[];
  /** As they were when it was started; absent in a record of an older Berth. */
  readonly agents?: SandboxSpec['agents'];
  /** The kernel's count of memory kills that was told already. */
  readonly memoryKills: number;
  /** bwrap itself, and the first process inside; absent until known. */
  readonly outer?: ProcId;
  readonly init?: ProcId;
  /** It has ended by itself, and why. */
  readonly ended?: { reason: string; started: boolean };
}

/** Sessions are named by others: the name must not lead anywhere. */
const safeName = /^[\w-]{1,80}$/;

export function createRecords(folder: string) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const at = (sessionId: string): string => {
    if (!safeName.test(sessionId))
      throw new Error(`not a session id: ${JSON.stringify(sessionId)}`);
    return path.join(folder, `${sessionId}.json`);
  };
  const get = (sessionId: string): SandboxRecord | null => {
    try {
      return JSON.parse(readFileSync(at(sessionId), 'utf8')) as SandboxRecord;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw error;
    }
  };
  return {
    get,
    /** `durable`: outlives the machine's power too, for what names a disk. The rest only has to outlive this process. */
    put(record: SandboxRecord, durable = false): SandboxRecord {
      const beside = `${at(record.sessionId)}.part`;
      const file = openSync(beside, 'w', 0o600);
      try {
        writeSync(file, JSON.stringify(record));
        if (durable) fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(beside, at(record.sessionId));
      return record;
    },
    remove(sessionId: string): void {
      rmSync(at(sessionId), { force: true });
    },
    list(): SandboxRecord[] {
      return readdirSync(folder)
        .filter((name) => name.endsWith('.json'))
        .map((name) => get(name.slice(0, -'.json'.length)))
        .filter((record) => record !== null);
    },
  };
}
export type Records = ReturnType<typeof createRecords>;
