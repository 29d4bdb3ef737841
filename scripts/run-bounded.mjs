// A process that must end: it gets so many minutes, and once `finished` says that its work is done, a few seconds more.
import { spawn } from 'node:child_process';

const lookMs = 1000;
const afterwordMs = 60_000;

/**
 * Runs Node with `args` in a process group of its own, which ends with it.
 * @param {string[]} args
 * @param {{ cwd: string, minutes: number, finished?: () => boolean }} options
 * @returns {Promise<'passed' | 'failed' | 'hung' | 'late'>} `hung`: its work was done, but the process stayed; `late`: its time was up.
 */
export function runBounded(args, { cwd, minutes, finished = () => false }) {
  const child = spawn(process.execPath, args, { cwd, stdio: 'inherit', detached: true });
  const killGroup = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nobody is left in it.
    }
  };
  const onSignal = (signal) => {
    killGroup();
    process.kill(process.pid, signal);
  };
  const signals = ['SIGINT', 'SIGTERM'];
  for (const signal of signals) process.once(signal, onSignal);

  return new Promise((resolve, reject) => {
    const end = performance.now() + minutes * 60_000;
    let doneAt;
    let cut;
    const looking = setInterval(() => {
      const now = performance.now();
      if (doneAt === undefined && finished()) doneAt = now;
      if (now > end) cut = 'late';
      else if (doneAt !== undefined && now > doneAt + afterwordMs) cut = 'hung';
      if (cut !== undefined) killGroup();
    }, lookMs);
    child.once('error', reject);
    child.once('exit', (code) => {
      clearInterval(looking);
      for (const signal of signals) process.off(signal, onSignal);
      killGroup();
      resolve(cut ?? (code === 0 ? 'passed' : 'failed'));
    });
  });
}
