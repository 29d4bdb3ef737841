/** Every limit between processes of the control plane, and what happens there. */
export const limits = {
  beatMs: 2_000,
  /** Silent for so long: it counts as dead, and whoever is asked takes its sessions over. It looks again itself before it writes. */
  aliveMs: 10_000,
  /** Rows of the silent are swept. */
  sweepMs: 60_000,
  /** One that lives takes a call at once, whatever the call itself takes: longer, and it is frozen or cut off. */
  acceptMs: 2_000,
  /** A report of the reconciler, or lines of a sandbox: given up after. */
  callMs: 20_000,
  bodyBytes: 32 * 1024 * 1024,
  dialMs: 2_000,
} as const;
