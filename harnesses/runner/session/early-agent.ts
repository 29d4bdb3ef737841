import { chown, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionSpec } from '@berth/contract/link';
import {
  agentdVersion,
  startFileName,
  type AgentdStart,
  type ProcessView,
} from '../../agentd/protocol.ts';
import { createEarly } from '../acp/early.ts';
import { helloTo } from '../agentd/hello.ts';
import type { Door, Process, ProcessHandlers } from '../agentd/ports.ts';
import type { Place } from '../git/base.ts';
import type { NewId } from '../ids.ts';
import { filesOf, launch, secretsFor, valuesOf, type Values } from './harness.ts';

/** All that a start of the agent depends on. */
export interface Plan {
  argv: string[];
  env: Record<string, string>;
  cwd: string;
  files: AgentdStart['files'];
}
type Spawn = Door['spawn'];

export const planOf = (
  spec: Pick<SessionSpec, 'harness' | 'env'>,
  place: Place,
  values: Values,
): Plan => ({
  ...launch(spec, 'acp', values),
  cwd: place.workspace,
  files: filesOf(spec.harness.files, values),
});

/**
 * The first agent of a session, started by agentd while that starts itself: half of what a person waits for is the start of two programs, one after the other. It
 * is asked nothing before everything stands as always, and one that was started otherwise than it would be now is ended. States: nothing → left (in writing) →
 * taken (agentd has it) → claimed or ended.
 */
export interface EarlyAgent {
  /** Only where nothing is to be done before it: no conversation to open again, no files to bring in. False: not in this session. */
  leaveWord(
    spec: SessionSpec | false,
    agentSessionId: string | undefined,
    secretsFile: string,
  ): Promise<void>;
  /** One of agentd's processes; false: not this one. */
  take(view: ProcessView): boolean;
  /** agentd looked, before it began, and the workspace was empty. */
  readonly foundEmpty: boolean;
  /** How it is joined, if there is one that is as it would be now; null: start one. */
  claim(plan: Plan): Spawn | null;
  /** Nobody is to read it any more. */
  withdraw(): void;
}

export function createEarlyAgent(options: {
  door: Pick<Door, 'adopt'>;
  socketDir: string;
  owner: { uid: number; gid: number };
  newId: NewId;
  log: (fields: Record<string, unknown>, message: string) => void;
}): EarlyAgent {
  const { door, socketDir, owner, newId, log } = options;
  const path = join(socketDir, startFileName);
  let left: { tag: string; plan: string } | undefined;
  let taken: { process: Process; join(handlers: ProcessHandlers): void } | undefined;
  let foundEmpty = false;

  const remove = (): Promise<void> => rm(path, { force: true });
  async function leave(plan: Plan): Promise<void> {
    const { files, ...how } = plan;
    const tag = `agent:${newId()}`;
    const { ports } = helloTo(new Map());
    const start: AgentdStart = {
      ...{ version: agentdVersion, ports, files, id: 1 },
      spawn: { tag, ...how },
    };
    const beside = `${path}.new`;
    await writeFile(beside, JSON.stringify(start), { mode: 0o600 });
    if (process.getuid?.() === 0) await chown(beside, owner.uid, owner.gid);
    await rename(beside, path);
    left = { tag, plan: JSON.stringify(plan) };
  }

  return {
    async leaveWord(spec, agentSessionId, secretsFile) {
      try {
        await remove(); // an earlier runner's
        if (!spec || !spec.place || spec.repository || spec.awaitArchive) return;
        if ((agentSessionId ?? spec.agentSessionId) !== undefined) return;
        const secrets = await secretsFor(spec.harness, secretsFile);
        await leave(planOf(spec, spec.place, valuesOf(spec, spec.place, secrets, '')));
      } catch (error) {
        log({ error: String(error) }, 'the agent cannot be started early');
      }
    },
    take(view) {
      if (left?.tag !== view.tag) return false;
      foundEmpty = true;
      const early = createEarly();
      let to: ProcessHandlers | undefined;
      const adopted = door.adopt(view, {
        output: (bytes, offset) => early.bytes(bytes, (own) => to?.output(own, offset)),
        stderr: (bytes) => early.bytes(bytes, (own) => to?.stderr?.(own)),
        exited: (exit, lost) => {
          // Its sandbox went before it was asked for: there is nothing to join.
          if (lost && !to) taken = undefined;
          early.pass(() => to?.exited(exit, lost));
        },
      });
      taken = {
        process: adopted,
        join(handlers) {
          to = handlers;
          early.open();
        },
      };
      return true;
    },
    get foundEmpty() {
      return foundEmpty;
    },
    claim(plan) {
      const mine = taken;
      taken = undefined;
      if (!mine) return null;
      if (left?.plan === JSON.stringify(plan))
        return async (_request, handlers) => {
          mine.join(handlers);
          return mine.process;
        };
      mine.join({
        output: () => undefined,
        exited: (_exit, lost) => {
          if (!lost) mine.process.forget();
        },
      });
      mine.process.kill('SIGKILL', true);
      return null;
    },
    withdraw() {
      remove().catch((error: unknown) => log({ error: String(error) }, 'the start file stays'));
    },
  };
}
