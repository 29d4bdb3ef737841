/** `postmaster.pid` of PostgreSQL: one value a line; see "src/include/utils/pidfile.h" there. */
export interface PostmasterFile {
  readonly pid: number;
  readonly port: number | undefined;
  readonly socketDirectory: string | undefined;
  readonly listenAddress: string | undefined;
}

/** Undefined: no pid in it, so it says nothing about a running server. */
export function parsePostmasterFile(text: string): PostmasterFile | undefined {
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const port = Number(lines[3] ?? '');
  return {
    pid,
    port: Number.isSafeInteger(port) && port > 0 ? port : undefined,
    socketDirectory: lines[4] || undefined,
    listenAddress: lines[5] || undefined,
  };
}
