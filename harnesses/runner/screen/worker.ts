import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { serveScreens } from './serve.ts';

if (parentPort === null) throw new Error('the screens are a thread of the runner');
giveWay();
serveScreens(parentPort);

/** Events and keys come before what a terminal looks like: when a core is wanted by both, the screens wait. Linux counts a thread's niceness for itself. */
function giveWay(): void {
  if (process.platform !== 'linux') return;
  const threadId = Number(basename(readlinkSync('/proc/thread-self')));
  setPriority(threadId, 5);
}
