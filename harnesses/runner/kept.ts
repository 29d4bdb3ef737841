import type { RunnerFrame } from '@berth/contract/link';
import type { NewId } from './ids.ts';
import { openJournal, type Journal } from './journal/journal.ts';
import { createOutbox, type Outbox } from './outbox.ts';

/** What is kept of a session whether it is bound or not: its journal, and the way from it to the log. */
export async function openKept(options: {
  sessionId: string;
  dir: string;
  newId: NewId;
  /** The log has more of the journal than the disk. */
  rolledBack: boolean;
  link: { readonly bufferedBytes: number; send(frame: RunnerFrame, taken?: () => void): boolean };
  changed: () => void;
  log: (fields: Record<string, unknown>, message: string) => void;
}): Promise<{ journal: Journal; outbox: Outbox }> {
  const { sessionId, dir, newId, rolledBack, link, changed, log } = options;
  const made: { outbox?: Outbox; journal?: Journal } = {};
  const journal = await openJournal({
    dir,
    newId,
    rolledBack,
    onChange() {
      made.outbox?.hint();
      changed();
      if (made.journal?.blocked) log({ reason: made.journal.blocked }, 'journal cannot be written');
    },
  });
  made.journal = journal;
  if (rolledBack || journal.damaged) {
    log({ rolledBack, damaged: journal.damaged }, 'the journal is begun anew');
    giveUp(journal, rolledBack);
  }
  const outbox = createOutbox({ sessionId, journal, link, log });
  made.outbox = outbox;
  return { journal, outbox };
}

/**
 * What was found is not all that was there. Its open turns may have been given to the agent, or have ended, after what it knows: nobody can say, so nothing of
 * it is acted upon, and what is known to be known better elsewhere is ignored there.
 */
function giveUp(journal: Journal, rolledBack: boolean): void {
  const { text, tools, approvals, turns } = journal.ledger;
  if (text) journal.put({ kind: `${text.kind}.end`, payload: { messageId: text.messageId } });
  for (const toolCallId of tools)
    journal.put({ kind: 'tool', payload: { toolCallId, status: 'interrupted' } });
  for (const approvalId of approvals)
    journal.put({ kind: 'approval.resolved', payload: { approvalId, state: 'superseded' } });
  const what = rolledBack
    ? 'The journal on disk is older than what the log has of it, as after a restored backup'
    : 'The journal on disk was damaged';
  const code = rolledBack ? 'journal-rolled-back' : 'journal-damaged';
  const detail = `${what}: events may be missing before this one, and what became of a message that was under way cannot be known.`;
  journal.put({ kind: 'error', payload: { code, detail } });
  for (const [turnId, { state }] of Object.entries(turns))
    if (state !== 'ended')
      journal.put({ kind: 'turn.ended', turnId, payload: { turnId, state: 'unknown' } });
  journal.note({ kind: 'unsure' });
}
