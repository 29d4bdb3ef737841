import { insertCommand } from './commands.store.ts';
import type { Core } from './core.ts';
import { entryOf } from './entries.ts';
import { loseBetween } from './journal-loss.store.ts';
import { queue, type Owned } from './owner.ts';
import type { LinkClaim } from './ports.ts';
import type { Sql } from './sql.ts';

const older = 'This database is older than what was last said here: a backup was restored.';

/** An older copy of the database was put back, and a runner's journal is of today. Said in the session, once, before anything of today. */
export function createRestored(core: Core) {
  const startedAt = new Date(core.clock.now());
  const notice = (text: string) =>
    entryOf('notice', { code: 'log-restored', text: `${older} ${text}` }, core.clock.now());

  return {
    /** The journal still has all that the log lacks. */
    async say({ sessionId, committed, log }: Owned, ackedN: number): Promise<void> {
      core.logger.error({ sessionId, ackedN, committed }, 'the database was rolled back');
      const text =
        'Messages sent since then are missing; what the agent answered follows as far as its runner still has it, and its files are as they were.';
      await queue(log, [notice(text)]);
    },

    /**
     * The journal begins behind what the log needs next: what lies between is nowhere any more. It is counted on from where it begins, and what was open in the copy is in
     * question, in one transaction with the notice about it.
     */
    async skip(owned: Owned, firstN: number, claim?: LinkClaim): Promise<void> {
      const { sessionId, committed } = owned;
      core.logger.error({ sessionId, firstN, committed }, 'the database was rolled back too far');
      const entry = notice(
        'What was said between the two is gone, here and at the runner; the session goes on with what the runner still has, its files are as they were, and of each message that was open or waiting in the backup you are asked whether it arrived.',
      );
      const then = async (sql: Sql): Promise<void> => {
        // What came after this process had started was never in a copy: it may be on its way to the runner already.
        await loseBetween(sql, sessionId, { copied: startedAt, at: new Date(entry.at) });
        await insertCommand(sql, core.newId(), sessionId, entry.at, entry);
      };
      await core.owner.skipTo(owned, { n: firstN - 1, then }, claim);
    },
  };
}
