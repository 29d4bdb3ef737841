import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';

/** Wrong use: exit code 2, with the form of the command. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
export interface Parsed {
  values: Values;
  words: readonly string[];
}
export interface Form {
  /** `sessions new` */
  name: string;
  /** `<agent> [--from <dir>]` */
  form: string;
  about: string;
  /** What `--help` adds: each word or option, and what it means. */
  more?: readonly (readonly [what: string, meaning: string])[];
  words: readonly [min: number, max: number];
  options?: ParseArgsOptionsConfig;
}

export const common = {
  json: { type: 'boolean' },
  server: { type: 'string' },
  token: { type: 'string' },
  'ca-file': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

const takesValue = (name: string): boolean =>
  Object.entries(common).some(([option, { type }]) => option === name && type === 'string');

/** The command that the first words name; the longest name wins: `sessions ls` before `sessions`. */
export function findForm<T extends Form>(
  forms: readonly T[],
  argv: readonly string[],
): { form: T; rest: string[] } | null {
  // Options before the command's name (`berth --json sessions ls`) belong to it as well.
  let from = 0;
  while (from < argv.length && (argv[from] ?? '').startsWith('-')) {
    const name = (argv[from] ?? '').replace(/^--/, '');
    from += takesValue(name) ? 2 : 1;
  }
  for (const length of [2, 1]) {
    const name = argv.slice(from, from + length).join(' ');
    const form = forms.find((candidate) => candidate.name === name);
    if (form !== undefined && name !== '')
      return { form, rest: [...argv.slice(0, from), ...argv.slice(from + length)] };
  }
  return null;
}

/** Throws UsageError. A word that begins with a minus can be given after `--`. */
export function parseForm(form: Form, rest: readonly string[]): Parsed {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...rest],
      options: { ...common, ...form.options },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? firstSentence(error.message) : String(error));
  }
  const { positionals, values } = parsed;
  if (values['help'] === true) return { values, words: positionals };
  const [min, max] = form.words;
  if (positionals.length < min) throw new UsageError(missing(form, positionals.length));
  if (positionals.length > max)
    throw new UsageError(`"${positionals[max] ?? ''}" is one word too many`);
  return { values, words: positionals };
}
const firstSentence = (text: string): string => text.split('. ')[0] ?? text;

/** The words of a form that must be given: those before its first bracket or option. */
function missing({ form }: Form, given: number): string {
  const [needed = ''] = form.split(/ ?(?:\[|--|…)/, 1);
  return `${needed.split(' ').slice(given).join(' and ')} is missing`;
}

/** One option's text; an empty one is none. */
export function textOf(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
export function listOf(values: Values, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
export function numberOf(values: Values, name: string): number | undefined {
  const text = textOf(values, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new UsageError(`--${name} takes a whole number`);
  return Number(text);
}

const formLine = (form: Form): string => `berth ${form.name} ${form.form}`.trim();

export function helpFor(form: Form): string {
  const rows = form.more ?? [];
  const width = Math.max(0, ...rows.map(([what]) => what.length));
  const lines = rows.map(([what, meaning]) => `  ${what.padEnd(width)}  ${meaning}\n`);
  return [
    `${formLine(form)}\n\n${form.about}.\n`,
    ...(rows.length > 0 ? ['\n'] : []),
    ...lines,
  ].join('');
}

/** Commands that begin with the first of these words, else those that have one of them. */
export function related<T extends Form>(forms: readonly T[], words: readonly string[]): T[] {
  const [first = ''] = words;
  if (first === '') return [];
  const alike = forms.filter(({ name }) => name.startsWith(first));
  return alike.length > 0
    ? alike
    : forms.filter(({ name }) => name.split(' ').some((word) => words.includes(word)));
}

/** One line for each command. */
export function listOfForms(forms: readonly Form[]): string {
  // Options that may be left out are told by `--help` of the command.
  const brief = (form: Form): string => formLine(form).replace(/ \[-[^\]]*\]/g, '');
  const width = Math.max(...forms.map((form) => brief(form).length));
  return forms.map((form) => `  ${brief(form).padEnd(width)}  ${form.about}`).join('\n');
}
export function help(forms: readonly Form[]): string {
  return [
    'Berth: where coding agents live.',
    '',
    listOfForms(forms),
    '',
    '`berth <command> --help` tells its options. A session, an agent, an approval: by its name or title, its id, or the end of its id',
    '(lists show the last eight letters). Everywhere: --json prints what the API gave; --server <url> and',
    '--token <token> choose the server, else BERTH_SERVER and BERTH_TOKEN, else what `berth login` stored, else the server on this machine.',
    '--ca-file <pem> or BERTH_CA_FILE names certificates of a private authority that signed the server’s.',
    'Exit codes: 0 ok, 1 failed, 2 wrong use, 3 waiting for an approval, 4 not signed in, 5 server not reachable.',
    '',
  ].join('\n');
}
