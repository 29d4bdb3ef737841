/**
 * What an error of the database means for a group that is being appended.
 * `transient`: the connection or the server; repeat the same group with the same batch numbers, whether or not it was committed.
 * `data`: a value that Postgres does not take; find it and put an `error` event in its place.
 * `bug`: anything else; fail the session, not the process.
 */
export type Fault = 'transient' | 'data' | 'bug';

/** Connection, rollback (40001, 40P01), resources (53100 disk full), operator (57P01, 57P03), system; then lock timeout and read-only server. */
const transient = /^(08|40|53|57|58|55P03|25006|25P0)/;
const data = /^(21|22|54|23514)/;
/** ECONNREFUSED, ECONNRESET, EPIPE, ENOENT (the socket's directory is gone) …; an SQLSTATE never looks like it. */
const system = /^E[A-Z]+$/;
/** A wrong password or database does not heal. */
const refusedForGood = /^(28|3D)/;
/** The driver's own words carry no code. */
const words = /connection|timeout|client (was|has) (closed|ended)|not queryable/i;

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return 'bug';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  if (code === null) return words.test(error.message) ? 'transient' : 'bug';
  if (transient.test(code)) return 'transient';
  if (data.test(code)) return 'data';
  if (system.test(code) && code.length > 3) return 'transient';
  // FATAL ends or refuses the connection: nothing is wrong with what was sent.
  const fatal = 'severity' in error && error.severity === 'FATAL';
  return fatal && !refusedForGood.test(code) ? 'transient' : 'bug';
}
/** No room on the disk of the database: transient, but only for whoever makes room. */
export const isDiskFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === '53100';
export const isTransient = (error: unknown): boolean => faultOf(error) === 'transient';
