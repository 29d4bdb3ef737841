import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as z from 'zod/mini';
import { commandIds } from './common/commands.ts';

const root = join(import.meta.dirname, '..');
const manifestText = readFileSync(join(root, 'package.json'), 'utf8');
const words = JSON.parse(readFileSync(join(root, 'package.nls.json'), 'utf8')) as Record<
  string,
  string
>;
const entry = z.object({ command: z.string(), when: z.optional(z.string()) });
const manifest = z.parse(
  z.object({
    contributes: z.object({
      commands: z.array(z.object({ command: z.string(), title: z.string() })),
      menus: z.record(z.string(), z.array(entry)),
      keybindings: z.array(z.object({ command: z.string(), key: z.string() })),
      views: z.record(z.string(), z.array(z.object({ id: z.string() }))),
      viewsWelcome: z.array(z.object({ view: z.string(), contents: z.string() })),
      configuration: z.array(
        z.object({ properties: z.record(z.string(), z.record(z.string(), z.unknown())) }),
      ),
      walkthroughs: z.array(
        z.object({
          steps: z.array(
            z.object({
              id: z.string(),
              description: z.string(),
              media: z.object({ markdown: z.string() }),
            }),
          ),
        }),
      ),
    }),
  }),
  JSON.parse(manifestText),
);
const { contributes } = manifest;
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
  .join('\n');

test('the commands of the manifest are the commands of the code', () => {
  expect(contributes.commands.map(({ command }) => command).sort()).toEqual([...commandIds].sort());
  const registered = [...sources.matchAll(/^\s+'(berth\.\w+)':/gm)].map(([, id]) => id);
  expect([...new Set(registered)].sort()).toEqual([...commandIds].sort());
});

test('menus, keys, welcome texts and steps name commands that are there', () => {
  const used = [...Object.values(contributes.menus).flat(), ...contributes.keybindings].map(
    ({ command }) => command,
  );
  const linked = Object.values(words).flatMap((text) =>
    [...text.matchAll(/\(command:([\w.]+)\)/g)].map(([, id]) => id ?? ''),
  );
  expect([...used, ...linked].filter((id) => !commandIds.some((known) => known === id))).toEqual(
    [],
  );
});

test('a context key in a `when` is one that the code sets', () => {
  const set = new Set([...sources.matchAll(/set\('(berth\.\w+)'/g)].map(([, key]) => key));
  const whens = [...manifestText.matchAll(/"(?:when|enablement)": "([^"]+)"/g)].map(
    ([, when]) => when ?? '',
  );
  const keys = whens.flatMap((when) => when.match(/(?<![\w.])berth\.\w+/g) ?? []);
  const views = contributes.views['berth']?.map(({ id }) => id) ?? [];
  expect(
    keys.filter((key) => !set.has(key) && !views.includes(key) && key !== 'berth.session'),
  ).toEqual([]);
});

test('every text is in package.nls.json, and nothing else is', () => {
  const used = [...manifestText.matchAll(/%([\w.]+)%/g)].map(([, key]) => key ?? '');
  expect([...new Set(used)].sort()).toEqual(Object.keys(words).sort());
});

test('every setting that is read is declared; what could redirect a token is no matter of a workspace', () => {
  const settings = contributes.configuration[0]?.properties ?? {};
  const read = [...sources.matchAll(/(?:text|read|choice|level)\('([\w.]+)'/g)].map(
    ([, key]) => `berth.${key ?? ''}`,
  );
  expect([...new Set(read)].sort()).toEqual(Object.keys(settings).sort());
  for (const [key, setting] of Object.entries(settings)) {
    if (!key.startsWith('berth.server.')) continue;
    expect(setting).toMatchObject({ scope: 'application', ignoreSync: true });
  }
});

test('the pages of the walkthrough are there', () => {
  for (const { media } of contributes.walkthroughs[0]?.steps ?? [])
    expect(readFileSync(join(root, media.markdown), 'utf8')).toMatch(/^# /);
});
