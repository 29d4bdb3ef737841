import { Refusal, type Base } from '../git/base.ts';
import { DoorError } from '../agentd/ports.ts';
import { summaryOf, type ChangesSummary } from '../git/changes.ts';
import { currentTurn } from '../journal/ledger.ts';
import type { Journal, NewItem } from '../journal/journal.ts';
import { limits } from '../limits.ts';

/** Tells how much the workspace differs from its base: after each turn, and every few seconds while one runs. Only when it changed. */
export function watchChanges(options: {
  base: () => Base | undefined;
  journal: Pick<Journal, 'ledger' | 'lastN'>;
  put: (...items: NewItem[]) => void;
  log: (fields: Record<string, unknown>, message: string) => void;
}): { look(): void; close(): void } {
  const { journal, put, log } = options;
  let told: ChangesSummary = { files: 0, added: 0, deleted: 0 };
  let looking = false;
  let again = false;
  let seenN = 0;
  let closed = false;
  let excused = false;

  async function look(): Promise<void> {
    const found = await options.base()?.changes();
    if (!found || closed) return;
    const now = summaryOf(found);
    if (now.files === told.files && now.added === told.added && now.deleted === told.deleted)
      return;
    told = now;
    put({ kind: 'changes', payload: { ...now } });
  }
  function start(): void {
    if (closed) return;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    look()
      .catch((error: unknown) => {
        // Without git the agent still works; a person is told once.
        if (error instanceof Refusal && error.code === 'no-base' && !excused) {
          excused = true;
          put({ kind: 'notice', payload: { code: error.code, text: error.message } });
        }
        const coped = error instanceof DoorError || error instanceof Refusal;
        if (!coped || error.code !== 'agentd-gone')
          log({ error: String(error) }, 'changes unknown');
      })
      .finally(() => {
        looking = false;
        if (!again) return;
        again = false;
        start();
      });
  }
  const timer = setInterval(() => {
    // Nothing was said since: nothing will have changed.
    if (currentTurn(journal.ledger) === null || journal.lastN === seenN) return;
    seenN = journal.lastN;
    start();
  }, limits.changesEveryMs);
  return {
    look: start,
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}
