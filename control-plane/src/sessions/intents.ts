import type { Sandbox, SandboxIntents, SandboxReports } from '../sandboxes/index.ts';
import { advance } from './advance.ts';
import type { Binding } from './binding.ts';
import { sayOrLeave } from './commands.ts';
import { changed, say, type Core } from './core.ts';
import type { EgressGrants } from './egress-grants.ts';
import { entryOf } from './entries.ts';
import { purgeSession, readAgentOf, readIntents, readState, writePhase } from './facts.store.ts';
import { sessionLimits } from './limits.ts';
import { Elsewhere } from './owner.ts';
import type { RemoteReports } from './ports.ts';
import { Problem } from '@berth/contract';
import { inTransaction, throughOutages } from './sql.ts';

/** What the reconciler reads. */
export function createIntents(core: Core): SandboxIntents {
  return {
    list: () => readIntents(core.pool, null),
    get: async (sessionId) => (await readIntents(core.pool, sessionId))[0] ?? null,
    async spec(intent, progress, signal) {
      const agent = await readAgentOf(core.pool, intent.sessionId);
      if (agent === null) throw new Error('The agent of this session is gone.');
      let toldAt = 0;
      const { hostPath } = await core.harnesses.prepare(
        agent.harness,
        async (done, total, unit, detail) => {
          const now = core.clock.now();
          if (now - toldAt < sessionLimits.progressMs && done < total) return;
          toldAt = now;
          await progress({ phase: 'installing', detail, progress: { done, total, unit } });
        },
        signal,
      );
      return {
        sessionId: intent.sessionId,
        generation: intent.generation,
        env: { ...core.config.containerEnv, ...agent.env },
        agents: [{ name: agent.harness, hostPath }],
        limits: core.config.limits,
      };
    },
  };
}

export interface Reports extends SandboxReports {
  /** For the session's link here; throw Elsewhere when it is not. Another process passes on by these what its reconciler tells. */
  readonly here: {
    readonly [K in keyof RemoteReports]: (
      sessionId: string,
      body: RemoteReports[K],
    ) => Promise<void>;
  };
}

/** What the reconciler tells. A session that was deleted meanwhile has nothing to be told. */
export function createReports(core: Core, binding: Binding, grants: EgressGrants): Reports {
  const known = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof Problem && error.code === 'not-found')) throw error;
    }
  };
  const here: Reports['here'] = {
    phase: (sessionId, report) =>
      known(
        core.owner.run(sessionId, async (owned) => {
          // A write whose answer was lost must not look as if it had been told already: row and event are one piece of work, however long it takes.
          const lasting = <T>(work: () => Promise<T>) => throughOutages(work, core.signal);
          const state = await lasting(() => readState(core.pool, sessionId));
          if (state === null) return;
          const { phase, progress, logs, isolated } = report;
          const detail = report.reason ?? report.detail ?? null;
          const same = state.phase === phase && state.phase_detail === detail;
          if (same && progress === undefined && logs === undefined) return;
          await lasting(() => writePhase(core.pool, sessionId, { phase, detail, isolated }));
          const at = core.clock.now();
          const broken = phase === 'failed' || phase === 'lost' || phase === 'suspended';
          // What streamed stays open: its runner may still have words of it on the way, and says in its journal where it ends.
          say(owned, [
            entryOf(
              'sandbox.phase',
              {
                phase,
                ...(detail === null ? {} : { detail }),
                ...(progress === undefined ? {} : { progress }),
                ...(logs === undefined ? {} : { logs: [...logs] }),
              },
              at,
            ),
          ]);
          if (broken) binding.unbind(sessionId, false);
          if (progress === undefined) await advance(core, owned);
          else changed(core, owned);
        }),
      ),

    running: (_sessionId, { sandbox, grant }) => known(binding.bind(sandbox, grant)),

    removed: (sessionId) =>
      known(
        core.owner.run(sessionId, async (owned) => {
          const state = await readState(core.pool, sessionId);
          if (state?.deleted !== true) {
            await writePhase(core.pool, sessionId, { phase: 'removed', detail: null });
            say(owned, [entryOf('sandbox.phase', { phase: 'removed' }, core.clock.now())]);
            return;
          }
          binding.unbind(sessionId, true);
          core.owner.forget(sessionId);
          await throughOutages(
            () => inTransaction(core.pool, (sql) => purgeSession(sql, sessionId)),
            core.signal,
          );
          changed(core, owned, true);
        }),
      ),
  };

  /** Where the session's link is: here, or in another process. */
  async function told<K extends keyof RemoteReports>(
    sessionId: string,
    name: K,
    body: RemoteReports[K],
  ): Promise<void> {
    try {
      await here[name](sessionId, body);
    } catch (error) {
      if (!(error instanceof Elsewhere)) throw error;
      await core.colleague.report(sessionId, name, body);
    }
  }

  return {
    here,
    phase: (sessionId, report) => told(sessionId, 'phase', report),
    async running(sandbox: Sandbox) {
      const grant = await grants.grant(sandbox.sessionId);
      if (grant !== null) await told(sandbox.sessionId, 'running', { sandbox, grant });
    },
    async removed(sessionId) {
      await told(sessionId, 'removed', null);
      grants.forget(sessionId);
    },

    notice: (sessionId, code, text) => {
      const entry = entryOf('notice', { code, text }, core.clock.now());
      return known(sayOrLeave(core, sessionId, () => [entry]).then(() => undefined));
    },

    async quiesce(sessionId, signal) {
      if (!core.runner.connected(sessionId) && !(await core.seats.elsewhere(sessionId))) return;
      try {
        await core.runner.call(sessionId, 'quiesce', {}, signal);
      } catch (error) {
        // The sandbox is stopped anyway; the agent's state on disk is then as after a crash, which it survives.
        core.logger.warn({ err: error, sessionId }, 'the agent was not stopped in order');
      }
    },
  };
}
