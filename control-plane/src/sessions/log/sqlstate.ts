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
const sqlstate = /^[0-9A-Z]{5}$/;

export function faultOf(error: unknown): Fault {
  const code =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (typeof code === 'string') {
    if (transient.test(code)) return 'transient';
    if (data.test(code)) return 'data';
    // ECONNREFUSED, ECONNRESET, ENOENT (the socket's directory is gone), EPIPE …
    if (/^E[A-Z]{3,}$/.test(code) && !sqlstate.test(code)) return 'transient';
    if (code === 'EPIPE') return 'transient';
    return 'bug';
  }
  // The driver's own words carry no code.
  return error instanceof Error &&
    /connection|timeout|client (was|has) (closed|ended)|not queryable/i.test(error.message)
    ? 'transient'
    : 'bug';
}
export const isTransient = (error: unknown): boolean => faultOf(error) === 'transient';
