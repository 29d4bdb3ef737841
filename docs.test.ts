import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { findForm, parseForm } from './bin/cli/args.ts';
import { commands, aliases } from './bin/cli/forms.ts';
import { spell } from './bin/cli/main.ts';
import { eventKinds } from './control-plane/contract/events.ts';
import { routes } from './control-plane/contract/routes.ts';

// What the pages name must be there: commands with their options, routes, event kinds, scripts, files. That examples work is e2e/docs.e2e.ts.
const root = import.meta.dirname;
const pages = [
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'extension/README.md'],
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  ...readdirSync(join(root, 'docs/adr')).map((name) => `docs/adr/${name}`),
  ...readdirSync(join(root, 'harnesses'))
    .filter((name) => existsSync(join(root, 'harnesses', name, 'README.md')))
    .map((name) => `harnesses/${name}/README.md`),
].map((path) => [path, readFileSync(join(root, path), 'utf8')] as const);

/** Every `berth …` in code: the words up to where the shell, a comment or the span ends. */
function commandsIn(text: string): string[] {
  const code = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
  const prose = text.replace(/^```\w*\n[\s\S]*?^```$/gm, '');
  const found = code
    .join('\n')
    .split('\n')
    .flatMap((line) => [
      ...(line
        .replace(/#.*$/, '')
        .match(/(?<=^|[|($!]|\buntil |\bdo |\|\| )\s*(?:bin\/)?berth [^|;)>&]*/g) ?? []),
    ]);
  for (const [, span = ''] of prose.matchAll(/`((?:bin\/)?berth [a-z][^`]*)`/g)) found.push(span);
  return found
    .map((line) => line.trim().replace(/^bin\//, ''))
    .filter((line) => !line.startsWith('berth ready') && !line.includes('…'));
}
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"(?:\\.|[^"])*"|'[^']*'|<[^>]*>|[^\s"'<>]+/g)].map(([word]) =>
    word.replace(/^["']|["']$/g, ''),
  );

const forms = commands('/nowhere', '0');
const named = pages.flatMap(([path, text]) =>
  commandsIn(text).map((line) => [path, line] as const),
);
test('the pages name commands', () => {
  expect(named.length).toBeGreaterThan(60);
});
test.each(named)('%s: %s', (_path, line) => {
  const argv = wordsOf(line).slice(1);
  if (argv.join(' ') === 'help' || argv[0]?.startsWith('<') === true) return;
  const found = findForm(forms, spell(argv));
  expect(found?.form.name ?? aliases[argv.join(' ')], line).toBeDefined();
  if (found === null) return;
  // In prose a command may stand without its words; its options must be its own.
  const rest = found.rest.length >= found.form.words[0] ? found.rest : [...found.rest, 'x', 'x'];
  expect(() => parseForm({ ...found.form, words: [0, 1000] }, rest)).not.toThrow();
});

test('a command that is not there would be found', () => {
  expect(commandsIn('```sh\nx=$(berth sessions new a)\n```')).toEqual(['berth sessions new a']);
  expect(findForm(forms, ['sessions', 'export'])).toBeNull();
});

const api = pages.find(([path]) => path === 'docs/api.md')?.[1] ?? '';
test('routes that the API page names are routes', () => {
  const known = new Set(
    Object.values(routes).map(
      ({ method, path }) => `${method} ${path.replace('/api/v1', '').replace(/\{\w+\}/g, '*')}`,
    ),
  );
  const calls = [...api.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/[^`?\s]*)/g)].map(
    ([, method = '', path = '']) =>
      `${method.toLowerCase()} ${path.replace('/api/v1', '').replace(/\{\w+\}|<\w+>/g, '*')}`,
  );
  const sockets = ['get /channels', 'get /terminals/*/attach'];
  expect(calls.length).toBeGreaterThan(20);
  expect(calls.filter((call) => !known.has(call) && !sockets.includes(call))).toEqual([]);
});

test('the API page has a row for every event kind, and no other', () => {
  const table = api.slice(api.indexOf('| kind'), api.indexOf('## Channels'));
  const cells = [...table.matchAll(/^\|([^|]*)\|/gm)].map(([, cell = '']) => cell);
  const kinds = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, kind]) => kind));
  expect(kinds.sort()).toEqual([...eventKinds].sort());
});

test('scripts that the pages name are scripts', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const [path, text] of pages)
    for (const [, name = ''] of text.matchAll(/npm run ([a-z:]+)/g))
      expect(scripts, path).toHaveProperty([name]);
});

test('links lead somewhere', () => {
  for (const [path, text] of pages)
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:|^#/.test(target)) continue;
      const file = join(root, dirname(path), target.replace(/#.*$/, ''));
      expect(existsSync(file), `${path}: ${target}`).toBe(true);
    }
});
