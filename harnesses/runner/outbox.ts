import type { RunnerFrame } from '@berth/contract/link';
import type { Journal } from './journal/journal.ts';
import { limits } from './limits.ts';

/**
 * Carries one session's journal to the control plane: in order, from where the log ends, never more in flight than it acks. It only looks at how far
 * things are, so a hint too many does nothing and a lost link loses nothing.
 */
export interface Outbox {
  /** The log acknowledged everything up to here. */
  readonly ackedN: number;
  /** The log holds everything up to here: go on behind it. Less than it had acknowledged: it was replaced by an older one, and gets what is still on disk. */
  resume(lastN: number): void;
  acked(n: number): void;
  /** Nothing is sent until the next `resume`. */
  pause(): void;
  hint(): void;
}

export function createOutbox(options: {
  sessionId: string;
  journal: Journal;
  link: { readonly bufferedBytes: number; send(frame: RunnerFrame, taken: () => void): boolean };
  log: (fields: Record<string, unknown>, message: string) => void;
}): Outbox {
  const { sessionId, journal, link, log } = options;
  /** Last n that was sent; null: nobody to send to. */
  let sent: number | null = null;
  let acked = 0;
  let busy = false;
  let again = false;

  async function pump(): Promise<void> {
    while (sent !== null && sent < journal.durableN) {
      if (sent - acked > limits.inFlightItems || link.bufferedBytes > limits.linkBufferBytes)
        return;
      const from: number = sent;
      const items = await journal.read(from + 1);
      const last = items.at(-1);
      if (last === undefined) return;
      if (sent !== from) continue; // the link was renewed meanwhile
      const { sourceId } = journal;
      if (!link.send({ op: 'events', sessionId, sourceId, items }, hint)) return;
      sent = last.n;
    }
  }
  function hint(): void {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    pump()
      .catch((error: unknown) => log({ sessionId, error: String(error) }, 'journal cannot be read'))
      .finally(() => {
        busy = false;
        if (!again) return;
        again = false;
        hint();
      });
  }
  return {
    get ackedN() {
      return acked;
    },
    resume(lastN) {
      acked = lastN;
      journal.ack(lastN);
      sent = lastN;
      hint();
    },
    acked(n) {
      acked = Math.max(acked, n);
      journal.ack(acked);
      hint();
    },
    pause() {
      sent = null;
    },
    hint,
  };
}
