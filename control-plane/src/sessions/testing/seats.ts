import type { Colleague, Seats } from '../ports.ts';

/** The only process there is. */
export const alone: Seats = { sure: true, elsewhere: async () => false };
export const noColleague: Colleague = {
  report: async () => {
    throw new Error('there is no other process');
  },
};
