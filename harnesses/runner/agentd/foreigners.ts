import { agentdVersion } from '../../agentd/protocol.ts';
import type { NewItem } from '../journal/journal.ts';
import { limits } from '../limits.ts';

/**
 * An agentd of another version says so, or, when it is too old for that, hangs up on our hello again and again. Either is told once: what follows is for others to
 * decide, and trying on does not help.
 */
export function createForeigners(options: {
  told: (version: number | null) => void;
  log: (fields: Record<string, unknown>, message: string) => void;
}) {
  /** Connections in a row that ended after our hello without a word. */
  let hungUp = 0;
  let known = false;
  function tell(version: number | null): void {
    if (known) return;
    known = true;
    options.log({ version, ours: agentdVersion }, 'agentd speaks another version');
    options.told(version);
  }
  return {
    tell,
    /** A connection is over; `heard`: it had said something. */
    ended(heard: boolean): void {
      hungUp = heard ? 0 : hungUp + 1;
      if (hungUp === limits.hungUpMax) tell(null);
    },
  };
}

/** What is said of it: with these words for a person, the sandbox is started again. */
export function outdated(generation: number, version: number | null): NewItem {
  const theirs = version === null ? 'an older version' : `version ${String(version)}`;
  const detail = `The sandbox was started by another version of Berth (its agentd speaks ${theirs}, this runner ${String(agentdVersion)}): it is started again, its files are kept.`;
  return { kind: 'sandbox.outdated', payload: { generation, detail } };
}
