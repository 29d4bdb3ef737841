import { constants } from 'node:os';

/** 0 for a signal that this system does not know, or none. */
export const signalNumber = (name: string | null): number =>
  name !== null && Object.hasOwn(constants.signals, name)
    ? constants.signals[name as NodeJS.Signals]
    : 0;
