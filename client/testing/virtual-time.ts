import type { Clock, Timers } from '../clock.ts';

/** Time that passes only when a test lets it. */
export function virtualTime() {
  let now = 1_000_000;
  let order = 0;
  let due: { at: number; order: number; callback: () => void }[] = [];
  const clock: Clock = { now: () => now };
  const timers: Timers = {
    after(ms, callback) {
      const entry = { at: now + ms, order: (order += 1), callback };
      due.push(entry);
      return () => {
        due = due.filter((other) => other !== entry);
      };
    },
  };
  /** Promises that are settled already, and what they start. */
  const settle = async () => {
    for (let i = 0; i < 8; i += 1) await Promise.resolve();
  };
  return {
    clock,
    timers,
    settle,
    get pending() {
      return due.length;
    },
    async pass(ms: number) {
      const until = now + ms;
      await settle();
      for (;;) {
        const next = due
          .filter((entry) => entry.at <= until)
          .sort((a, b) => a.at - b.at || a.order - b.order)[0];
        if (next === undefined) break;
        due = due.filter((entry) => entry !== next);
        now = Math.max(now, next.at);
        next.callback();
        await settle();
      }
      now = until;
    },
  };
}
export type VirtualTime = ReturnType<typeof virtualTime>;
