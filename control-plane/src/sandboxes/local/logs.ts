import {
  chmodSync,
  closeSync,
  fstatSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';

const keptBytes = 64 * 1024;
const bytesMax = 1024 * 1024;

/** The end of the log, whole lines; [] when there is none. */
export function tailOf(file: string, lines: number): string[] {
  return tailText(file)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-lines);
}
function tailText(file: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch {
    return ''; // never started
  }
  try {
    const { size } = fstatSync(descriptor);
    const from = Math.max(0, size - keptBytes);
    const bytes = Buffer.alloc(size - from);
    const read = readSync(descriptor, bytes, 0, bytes.length, from);
    return bytes.toString('utf8', 0, read);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The sandbox's first processes have the log open. Where they run as our own uid, anything inside could open it anew by /proc/<pid>/fd and fill the
 * disk with it: so nobody may write to it but those who have it.
 */
const closed = 0o400;
function opened(file: string, work: () => void): void {
  chmodSync(file, 0o600);
  try {
    work();
  } finally {
    chmodSync(file, closed);
  }
}
export const closeLog = (file: string): void => chmodSync(file, closed);

/** Keeps the end of a log that has grown too long. Its writer appends, so it goes on behind what is kept. */
export function trimLog(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found || found.size <= bytesMax) return;
  const kept = tailText(file);
  opened(file, () => {
    truncateSync(file, 0);
    writeFileSync(file, kept, { flag: 'a' });
  });
}
/** Made anew: the one of the last start may not be written to any more. */
export function emptyLog(file: string): void {
  rmSync(file, { force: true });
  writeFileSync(file, '', { mode: 0o600 });
}
