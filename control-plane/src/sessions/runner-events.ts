import { Problem } from '@berth/contract';
import { advance, resend } from './advance.ts';
import type { Binding } from './binding.ts';
import { sayOrLeave } from './commands.ts';
import type { Core } from './core.ts';
import type { EgressGrants } from './egress-grants.ts';
import { entryOf } from './entries.ts';
import { readState, readyHere, writeFields } from './facts.store.ts';
import { createIngest } from './ingest.ts';
import type { LogWriter } from './log/writer.ts';
import type { Owned } from './owner.ts';
import type { LinkClaim, RunnerEvents } from './ports.ts';
import { createRestored } from './restored.ts';
import { throughOutages } from './sql.ts';

type Held = Parameters<RunnerEvents['hello']>[1][number];

export function createRunnerEvents(
  core: Core,
  writer: LogWriter,
  binding: Binding,
  grants: Pick<EgressGrants, 'grant'>,
): RunnerEvents {
  const restored = createRestored(core);

  /** What the log holds of this journal. Null: not ours, or deleted. */
  async function welcome(
    { sessionId, sourceId, firstN = 1, lastN, ackedN = 0 }: Held,
    claim: LinkClaim | undefined,
  ) {
    try {
      return await core.owner.run(
        sessionId,
        async (owned: Owned) => {
          const state = await readState(core.pool, sessionId);
          if (state === null || state.deleted) return null;
          const runnerId = core.runner.runnerOf(sessionId);
          if (runnerId !== undefined) await writeFields(core.pool, sessionId, { runnerId });
          // Only what is committed: the runner forgets everything up to here.
          const lastSourceSeq = owned.committed;
          if (lastN < lastSourceSeq) {
            // Older than what was taken from it: what it says of the turn under way is of the past. The runner sees the same and begins another journal.
            core.logger.error({ sessionId, lastN, lastSourceSeq }, 'a journal was rolled back');
            await core.owner.loseSource(owned, claim);
          } else if (firstN > lastSourceSeq + 1) await restored.skip(owned, firstN, claim);
          else if (ackedN > lastSourceSeq) await restored.say(owned, ackedN);
          return { sessionId, sourceId, lastSourceSeq: Math.max(lastSourceSeq, owned.committed) };
        },
        { sourceId, greeting: true, ...(claim === undefined ? {} : { claim }) },
      );
    } catch (error) {
      if (error instanceof Problem && error.code === 'not-found') return null;
      throw error;
    }
  }

  /** After the welcome: what a person said while nobody listened. */
  async function catchUp(held: readonly Held[]): Promise<void> {
    // Each by itself: a session that is deleted meanwhile, or fails, keeps no other waiting.
    const one = async ({ sessionId }: Held): Promise<void> => {
      const sandbox = core.sandboxes.current(sessionId);
      const grant = sandbox === undefined ? null : await grants.grant(sessionId);
      if (sandbox !== undefined && grant !== null) await binding.bind(sandbox, grant);
      else
        await core.owner.run(sessionId, async (owned) => {
          await resend(core, owned);
          await advance(core, owned);
        });
      core.sandboxes.hint(sessionId);
    };
    for (const each of held) core.background(one(each), 'a session of a runner that connected');
    await binding.bindMissed();
  }

  return {
    ...createIngest(core, writer, binding),

    async hello(runnerId, held, claim) {
      core.logger.info({ runnerId, sessions: held.length }, 'a runner connected');
      binding.linkChanged(new Map(held.map((each) => [each.sessionId, each.sourceId])));
      const answers = await Promise.all(held.map((each) => welcome(each, claim)));
      const sessions = answers.filter((answer) => answer !== null);
      const ours = new Set(sessions.map(({ sessionId }) => sessionId));
      const kept = held.filter(({ sessionId }) => ours.has(sessionId));
      // In the next turn of the event loop: the welcome goes first.
      setImmediate(() => core.background(catchUp(kept), 'a runner that connected'));
      return {
        sessions,
        purge: held.map(({ sessionId }) => sessionId).filter((id) => !ours.has(id)),
      };
    },

    async foreign(runnerId) {
      core.logger.info({ runnerId }, 'a runner of another version is waited for no longer');
      const text =
        'The runner of this session is of another version of Berth: it is replaced, and what it was doing is taken up again.';
      for (const id of await throughOutages(() => readyHere(core.pool), core.signal))
        await sayOrLeave(core, id, () => [
          entryOf('notice', { code: 'runner-outdated', text }, core.clock.now()),
        ]);
    },

    async disconnected(runnerId) {
      core.logger.info({ runnerId }, 'a runner is gone');
      binding.linkChanged(new Map());
      const now = core.clock.now();
      for (const owned of core.owner.all())
        if (!core.runner.connected(owned.sessionId)) owned.missedAt ??= now;
    },
  };
}
