/**
 * A small highlighter: words, strings, numbers and comments, which is all that a webview has colours for. It never changes the
 * text; what it does not know stays plain.
 */
export interface Piece {
  readonly text: string;
  readonly kind: 'keyword' | 'string' | 'number' | 'comment' | null;
}

const words = (list: string) => new Set(list.split(' '));
const script = words(
  'abstract any as async await boolean break case catch class const continue debugger declare default delete do else enum export extends false finally for from function get if implements import in infer instanceof interface is keyof let namespace never new null number of override private protected public readonly return satisfies set static string super switch this throw true try type typeof undefined unknown var void while with yield',
);
const languages: Record<string, { keywords: Set<string>; line: string; block?: boolean }> = {
  script: { keywords: script, line: '//', block: true },
  json: { keywords: words('true false null'), line: '//' },
  python: {
    keywords: words(
      'and as assert async await break class continue def del elif else except False finally for from global if import in is lambda match None nonlocal not or pass raise return True try while with yield',
    ),
    line: '#',
  },
  shell: {
    keywords: words(
      'case do done elif else esac exit export fi for function if in local return set then until while',
    ),
    line: '#',
  },
  go: {
    keywords: words(
      'break case chan const continue default defer else fallthrough false for func go goto if import interface map nil package range return select struct switch true type var',
    ),
    line: '//',
    block: true,
  },
  rust: {
    keywords: words(
      'as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while',
    ),
    line: '//',
    block: true,
  },
  c: {
    keywords: words(
      'auto bool break case catch char class const continue default delete do double else enum extern final float for if import int interface long namespace new null nullptr package private protected public return short signed sizeof static struct switch template this throw true false try typedef union unsigned using var virtual void while',
    ),
    line: '//',
    block: true,
  },
  sql: {
    keywords: words(
      'add alter and as asc begin between by case commit create delete desc distinct drop else end exists from group having if in index insert into is join key left like limit not null on or order primary references rollback select set table then union unique update values view when where with',
    ),
    line: '--',
    block: true,
  },
  yaml: { keywords: words('true false null yes no on off'), line: '#' },
};
const names: Record<string, [language: keyof typeof languages, title: string]> = {
  js: ['script', 'JavaScript'],
  javascript: ['script', 'JavaScript'],
  jsx: ['script', 'JSX'],
  mjs: ['script', 'JavaScript'],
  ts: ['script', 'TypeScript'],
  typescript: ['script', 'TypeScript'],
  tsx: ['script', 'TSX'],
  json: ['json', 'JSON'],
  jsonc: ['json', 'JSON'],
  py: ['python', 'Python'],
  python: ['python', 'Python'],
  sh: ['shell', 'Shell'],
  bash: ['shell', 'Shell'],
  shell: ['shell', 'Shell'],
  zsh: ['shell', 'Shell'],
  go: ['go', 'Go'],
  rs: ['rust', 'Rust'],
  rust: ['rust', 'Rust'],
  c: ['c', 'C'],
  h: ['c', 'C'],
  cpp: ['c', 'C++'],
  'c++': ['c', 'C++'],
  cs: ['c', 'C#'],
  java: ['c', 'Java'],
  kotlin: ['c', 'Kotlin'],
  sql: ['sql', 'SQL'],
  yaml: ['yaml', 'YAML'],
  yml: ['yaml', 'YAML'],
  toml: ['yaml', 'TOML'],
};
const lookup = (name: string) =>
  Object.hasOwn(names, name.toLowerCase()) ? names[name.toLowerCase()] : undefined;

/** The name of the language in the head of a code block. */
export const languageTitle = (name: string): string => lookup(name)?.[1] ?? (name || 'Text');

/** Above this the colours would cost more than they tell. */
const sizeMax = 60_000;

export function highlight(text: string, name: string): Piece[] {
  const language = languages[lookup(name)?.[0] ?? ''];
  if (!language || text.length > sizeMax) return [{ text, kind: null }];
  const escaped = language.line.replace(/[/#-]/g, '\\$&');
  const parts = [
    `(?<comment>${language.block ? '\\/\\*[\\s\\S]*?(?:\\*\\/|$)|' : ''}${escaped}[^\\n]*)`,
    '(?<string>"(?:[^"\\\\\\n]|\\\\.)*"?|\'(?:[^\'\\\\\\n]|\\\\.)*\'?|`(?:[^`\\\\]|\\\\[\\s\\S])*`?)',
    '(?<number>\\b\\d[\\w.]*)',
    '(?<word>[A-Za-z_$][\\w$]*)',
  ];
  const pattern = new RegExp(parts.join('|'), 'g');
  const pieces: Piece[] = [];
  let plain = 0;
  for (const match of text.matchAll(pattern)) {
    const { comment, string, number, word } = match.groups ?? {};
    const known = language.keywords.has(
      language === languages['sql'] ? (word ?? '').toLowerCase() : (word ?? ''),
    );
    const kind =
      comment !== undefined
        ? 'comment'
        : string !== undefined
          ? 'string'
          : number !== undefined
            ? 'number'
            : known
              ? 'keyword'
              : null;
    if (kind === null) continue;
    if (match.index > plain) pieces.push({ text: text.slice(plain, match.index), kind: null });
    pieces.push({ text: match[0], kind });
    plain = match.index + match[0].length;
  }
  if (plain < text.length) pieces.push({ text: text.slice(plain), kind: null });
  return pieces;
}
