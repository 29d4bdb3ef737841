import { resolve } from 'node:path';
import { ESLint } from 'eslint';
import { expect, test } from 'vitest';

// A rule that does not bite is worse than none: each case is code that must be refused where it stands.
const eslint = new ESLint({ cwd: import.meta.dirname });
const at = (path: string): string => resolve(import.meta.dirname, path);

test.each([
  [
    'control-plane/contract/scalars.ts',
    `import '../src/clock.ts';`,
    'import-x/no-restricted-paths',
  ],
  ['client/client.ts', `import '../control-plane/src/clock.ts';`, 'import-x/no-restricted-paths'],
  ['harnesses/runner/main.ts', `import '../../client/index.ts';`, 'import-x/no-restricted-paths'],
  [
    'control-plane/src/sandboxes/decide.ts',
    `import '../sessions/index.ts';`,
    'import-x/no-restricted-paths',
  ],
  [
    'control-plane/src/gateway/gateway.ts',
    `import '../sessions/turn.ts';`,
    'import-x/no-restricted-paths',
  ],
  [
    'control-plane/src/gateway/gateway.ts',
    `import '../web/index.ts';`,
    'import-x/no-restricted-paths',
  ],
  [
    'control-plane/src/gateway/gateway.ts',
    `import pg from 'pg'; export const client = new pg.Client();`,
    'no-restricted-imports',
  ],
  ['extension/src/common/state.ts', `import 'vscode';`, 'no-restricted-imports'],
  ['webview/src/chat/context.ts', `import '@vscode/webview-ui-toolkit';`, 'no-restricted-imports'],
  ['control-plane/src/config.ts', `export const now = Date.now();`, 'no-restricted-syntax'],
  [
    'control-plane/src/config.ts',
    'export const text = `select * from turn`;',
    'no-restricted-syntax',
  ],
  [
    'control-plane/src/config.test.ts',
    `import { vi } from 'vitest'; vi.mock('./clock.ts');`,
    'no-restricted-syntax',
  ],
  [
    'control-plane/src/config.ts',
    `export async function f(): Promise<void> {} f();`,
    '@typescript-eslint/no-floating-promises',
  ],
])(
  '%s may not hold: %s',
  async (path, code, rule) => {
    const [result] = await eslint.lintText(code, { filePath: at(path) });
    expect(result?.messages.map((message) => message.ruleId)).toContain(rule);
  },
  60_000,
);

test('what is allowed passes', async () => {
  const [result] = await eslint.lintText(
    `import { systemClock } from '../clock.ts';\n\nexport const clock = systemClock;\n`,
    {
      filePath: at('control-plane/src/gateway/gateway.ts'),
    },
  );
  expect(result?.messages).toEqual([]);
}, 60_000);
