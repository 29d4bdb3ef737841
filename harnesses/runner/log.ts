import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import pino, { type Logger } from 'pino';
import { limits } from './limits.ts';

/** One file, and the one before it: a runner that lives for months must not fill the disk. */
export function createLog(path: string, level: string): { logger: Logger; close(): void } {
  let fd = openSync(path, 'a', 0o600);
  let bytes = fstatSync(fd).size;
  const stream = {
    write(line: string): void {
      try {
        writeSync(fd, line);
        bytes += line.length;
        if (bytes <= limits.logBytes) return;
        closeSync(fd);
        renameSync(path, `${path}.1`);
        fd = openSync(path, 'a', 0o600);
        bytes = 0;
      } catch {
        // A full disk: the log has nobody else to tell, and the session's journal says it.
      }
    },
  };
  const logger = pino({ level, base: { pid: process.pid } }, stream);
  return { logger, close: () => closeSync(fd) };
}

/** The last lines about one session. */
export async function linesAbout(path: string, sessionId: string, tail: number): Promise<string[]> {
  const found: string[] = [];
  for (const file of [path, `${path}.1`]) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => line.includes(sessionId));
    found.unshift(...lines.slice(-(tail - found.length)));
    if (found.length >= tail) break;
  }
  return found;
}
