import { linkVersion, type RunnerFrame, type SessionSpec } from '@berth/contract/link';
import type { Journal } from './journal/journal.ts';
import type { Outbox } from './outbox.ts';

/** The first frame of every link: which journals are here, and how far each goes. */
export const helloOf = (
  runnerId: string,
  version: string,
  challenge: string | undefined,
  entries: Iterable<{
    sessionId: string;
    journal: Journal;
    outbox: Pick<Outbox, 'ackedN'>;
    spec?: SessionSpec;
  }>,
): RunnerFrame => ({
  op: 'hello',
  protocol: linkVersion,
  runnerId,
  version,
  ...(challenge === undefined ? {} : { challenge }),
  sessions: [...entries].map(({ sessionId, journal, outbox, spec }) => ({
    sessionId,
    sourceId: journal.sourceId,
    firstN: journal.firstN,
    lastN: journal.lastN,
    ackedN: outbox.ackedN,
    generation: spec?.generation ?? 0,
  })),
});
