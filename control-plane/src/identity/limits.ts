export const limits = {
  ticketMs: 30_000,
  signInLinkMs: 300_000,
  webSessionMs: 30 * 86_400_000,
  tokenMs: 90 * 86_400_000,
  /** `last_used_at` is written at most this often: a busy token costs no write for each request. */
  lastUsedEveryMs: 60_000,
} as const;
