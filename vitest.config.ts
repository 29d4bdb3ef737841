import { defineConfig } from 'vitest/config';

const exclude = [
  '**/node_modules/**',
  '**/dist/**',
  '**/*.pg.test.ts',
  '**/*.box.test.ts',
  'e2e/**/*.e2e.ts',
];
const seen = [
  'webview',
  'editor',
  'first-run',
  'editor-host',
  'agents',
  'agent-features',
  'harness-conformance',
  'docs',
  'bad-input',
  'openapi',
  'isolation',
].map((name) => `e2e/${name}.e2e.ts`);
export default defineConfig({
  test: {
    projects: [
      // Pure: no database, no sandbox, no network but loopback. Milliseconds.
      { test: { name: 'unit', include: ['**/*.test.{ts,tsx}'], exclude, testTimeout: 15_000 } },
      // On the embedded PostgreSQL, one server per run, a cloned database per file.
      {
        test: {
          name: 'pg',
          include: ['**/*.pg.test.ts'],
          exclude: ['**/node_modules/**'],
          globalSetup: ['control-plane/src/store/testing/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
      // Real bubblewrap, real processes.
      {
        test: {
          name: 'box',
          include: ['**/*.box.test.ts'],
          exclude: ['**/node_modules/**'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
        },
      },
      // Across packages, through the public doors: what it promises. Never tried twice: an event that is lost once is lost.
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.e2e.ts'],
          exclude: ['**/node_modules/**', ...seen],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 1,
        },
      },
      // Across packages, with programs that are not ours: browser, editor, real agents, fuzzers, shells. Those are slow on a busy machine, so CI looks again.
      {
        test: {
          name: 'seen',
          include: seen,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 1,
          retry: process.env['CI'] === 'true' ? 2 : 0,
        },
      },
    ],
  },
});
