import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBerth, type Berth } from './support/berth.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..');

let berth: Berth;
beforeAll(async () => {
  berth = await startBerth();
});
afterAll(async () => {
  await berth[Symbol.asyncDispose]();
});

/** Blocks of ```sh run; those of ```shell need a person, a model, or end the server. */
const blocksOf = (page: string): string[] =>
  [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');

test.each([
  ['docs/api.md', '409 already-decided'],
  ['docs/guide.md', 'painter is removed'],
  ['docs/operations.md', ''],
])('what %s says works, from top to bottom', async (page, expected) => {
  const blocks = blocksOf(await readFile(join(root, page), 'utf8'));
  expect(blocks.length).toBeGreaterThan(0);
  const cwd = await mkdtemp(join(tmpdir(), 'berth-docs-'));
  try {
    const { stdout } = await run(
      'bash',
      [
        '-c',
        ['set -euo pipefail', ...blocks.map((block) => `echo ">>> ${page}" >&2\n${block}`)].join(
          '\n',
        ),
      ],
      {
        cwd,
        timeout: 120_000,
        env: {
          PATH: [join(root, 'bin'), dirname(process.execPath), process.env['PATH']].join(':'),
          HOME: cwd,
          BERTH_DATA_DIR: berth.dataDir,
        },
      },
    );
    expect(stdout).toContain(expected);
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
});
