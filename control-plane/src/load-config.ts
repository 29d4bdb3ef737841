import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readConfig, type Config } from './config.ts';

/** From the environment, then from `.env` in the working directory; names every fault at once and ends the process. */
export function loadConfig(): Config {
  const cwd = process.cwd();
  const file = join(cwd, '.env');
  const result = readConfig({
    env: process.env,
    dotenv: existsSync(file) ? readFileSync(file, 'utf8') : undefined,
    home: homedir(),
    cwd,
    terminal: process.stderr.isTTY,
  });
  if (result.kind === 'config') return result.config;
  for (const fault of result.faults) process.stderr.write(`berth: ${fault}\n`);
  process.exit(1);
}
