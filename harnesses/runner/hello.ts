import { linkVersion, type RunnerFrame, type SessionSpec } from '@berth/contract/link';
import type { Journal } from './journal/journal.ts';

/** The first frame of every link: which journals are here, and how far each goes. */
export const helloOf = (
  runnerId: string,
  version: string,
  challenge: string | undefined,
  entries: Iterable<{ sessionId: string; journal: Journal; spec?: SessionSpec }>,
): RunnerFrame => ({
  op: 'hello',
  protocol: linkVersion,
  runnerId,
  version,
  ...(challenge === undefined ? {} : { challenge }),
  sessions: [...entries].map(({ sessionId, journal, spec }) => ({
    sessionId,
    sourceId: journal.sourceId,
    lastN: journal.lastN,
    generation: spec?.generation ?? 0,
  })),
});
