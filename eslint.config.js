import js from '@eslint/js';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import { importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

const src = 'control-plane/src';
const features = [
  'store',
  'replicas',
  'identity',
  'agents',
  'sessions',
  'runners',
  'sandboxes',
  'terminals',
  'workspaces',
  'gateway',
  'vault',
  'web',
];

// [folders, what they may not import, why]
const layers = [
  [
    'control-plane/contract',
    ['control-plane/src', 'client', 'harnesses', 'extension', 'webview'],
    'contract imports nothing of ours',
  ],
  [
    'client',
    ['control-plane/src', 'harnesses', 'extension', 'webview'],
    'the client knows only the contract',
  ],
  [
    'harnesses',
    ['control-plane/src', 'client', 'extension', 'webview'],
    'harnesses know only the contract',
  ],
  [
    'webview',
    ['control-plane/src', 'harnesses', 'extension'],
    'the webview knows the contract and the client',
  ],
  [
    'extension',
    ['control-plane/src', 'harnesses'],
    'the extension knows the contract, the client and the webview’s messages',
  ],
  [
    'extension/src/common',
    ['extension/src/node', 'extension/src/vscode'],
    'common is plain TypeScript',
  ],
  ['extension/src/node', ['extension/src/vscode'], 'node does not know the editor'],
  [`${src}/sandboxes`, [`${src}/sessions`], 'drivers know nothing of sessions'],
  ...features
    .filter((f) => f !== 'web')
    .map((f) => [`${src}/${f}`, [`${src}/web`], 'a feature never imports web']),
];
const doors = features.map((feature) => ({
  target: [`./${src}/!(${feature})/**/*`, `./${src}/main.ts`],
  from: `./${src}/${feature}/**/!(index.ts)`,
  message: `import from ${feature}/index.ts`,
}));

const remember = [
  {
    selector: "CallExpression[callee.object.name='vi'][callee.property.name='mock']",
    message: 'nothing of ours is mocked: put a fake at a port',
  },
  {
    selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    message: 'the clock is a port: see clock.ts',
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: 'the clock is a port: see clock.ts',
  },
  { selector: 'TSEnumDeclaration', message: 'write a union of literals' },
  {
    selector: 'TemplateElement[value.raw=/\\bselect \\*/i], Literal[value=/\\bselect \\*/i]',
    message: 'columns by name: a migration changes what * means',
  },
];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/generated/**', '**/*.fixture.*', 'docs/**'] },
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked],
    plugins: { 'import-x': importX },
    settings: {
      'import-x/resolver-next': [
        createTypeScriptImportResolver({
          noWarnOnMultipleProjects: true,
          project: [
            'control-plane/tsconfig.json',
            'webview/tsconfig.json',
            'extension/tsconfig.json',
          ],
        }),
      ],
    },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      '@typescript-eslint/no-misused-promises': [
        'error',
        { checksVoidReturn: { arguments: false, attributes: false } },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/require-await': 'off', // a port's promise may be kept at once
      '@typescript-eslint/consistent-type-imports': 'error',
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': [
        'error',
        {
          basePath: import.meta.dirname,
          zones: [
            ...layers.map(([target, from, message]) => ({
              target: `./${target}`,
              from: from.map((f) => `./${f}`),
              message,
            })),
            ...doors,
          ],
        },
      ],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'no-restricted-syntax': ['error', ...remember],
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.test.ts', '**/*.test.tsx', 'e2e/**', 'bench/**', '**/testing/**'],
    rules: {
      'max-lines': 'off',
      'no-restricted-syntax': ['error', remember[0]],
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    files: ['extension/src/common/**', 'extension/src/node/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { paths: [{ name: 'vscode', message: 'only extension/src/vscode knows the editor' }] },
      ],
    },
  },
  {
    files: ['webview/src/**'],
    ignores: ['webview/src/ui/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['@vscode/webview-ui-toolkit*'],
              message: 'only webview/src/ui knows the component library',
            },
          ],
        },
      ],
    },
  },
  {
    files: [`${src}/**/*.ts`],
    ignores: [
      `${src}/store/**`,
      '**/*.store.ts',
      '**/*.test.ts',
      '**/testing/**',
      `${src}/sessions/log/**`,
    ],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: 'pg',
              allowTypeImports: true,
              message: 'only store and *.store.ts touch the database',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        fetch: 'readonly',
        Buffer: 'readonly',
        AbortSignal: 'readonly',
        performance: 'readonly',
      },
    },
    rules: {
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
);
