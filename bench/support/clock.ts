/** Microseconds of the system's monotonic clock: the same in all processes of this machine. */
export const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);
