import { explain } from '@berth/client';
import { Problem } from '@berth/contract';
import { AnswerNotUnderstood, ServerUnreachable } from '@berth/client';
import { findForm, help, helpFor, listOfForms, parseForm, related, UsageError } from './args.ts';
import { createContext, exitCode, Refused, type Io } from './context.ts';
import { aliases, commands, type Command } from './forms.ts';
import { trust } from './trust.ts';

/** Pure. What an error means to whoever called the program. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCode.usage;
  if (error instanceof Refused) return error.exitCode;
  if (error instanceof Problem && error.code === 'not-signed-in') return exitCode.notSignedIn;
  if (error instanceof ServerUnreachable || error instanceof AnswerNotUnderstood)
    return exitCode.unreachable;
  return exitCode.failed;
}

export function spell(argv: readonly string[]): readonly string[] {
  for (const [typed, meant] of Object.entries(aliases)) {
    const words = typed.split(' ');
    const next = argv[words.length];
    const exact = words.every((word, at) => argv[at] === word);
    // `sessions` alone lists; `sessions new` is another command.
    if (exact && (next === undefined || next.startsWith('-') || words.length > 1))
      return [...meant, ...argv.slice(words.length)];
  }
  return argv;
}

/** Pure. What to print for `berth help`, `berth help <command>`, `berth <group> --help`; null: it is not a question for help. */
export function helpAsked(forms: readonly Command[], argv: readonly string[]): string | null {
  const asks = (word: string | undefined): boolean =>
    word !== undefined && ['help', '--help', '-h'].includes(word);
  const about = argv.filter((word) => !asks(word));
  // `berth send x --help` is told by the command, `help` after its words is a word of the prompt.
  const asked = asks(argv[0]) || (argv.length === 2 && asks(argv[1]));
  if (!asked) return null;
  const exact = forms.find(({ name }) => name === about.join(' '));
  if (exact !== undefined) return helpFor(exact);
  const group = related(forms, about);
  return group.length > 0 ? `${listOfForms(group)}\n` : help(forms);
}

export async function main(
  argv: readonly string[],
  options: { io: Io; root: string; version: string },
): Promise<number> {
  const { io, root, version } = options;
  const all = commands(root, version);
  const asked = helpAsked(all, argv);
  if (asked !== null) {
    io.stdout.write(asked);
    return exitCode.ok;
  }
  const spelled = spell(argv);
  // Options alone name no command either.
  const named = spelled.filter((word) => !word.startsWith('-'));
  if (named.length === 0) {
    io.stderr.write(help(all));
    return exitCode.usage;
  }
  const found = findForm(all, spelled);
  if (found === null) {
    const meant = related(all, named);
    io.stderr.write(
      `berth: there is no command "${spelled.slice(0, 2).join(' ')}"; ` +
        (meant.length > 0 ? `there are\n${listOfForms(meant)}\n` : '`berth help` lists them\n'),
    );
    return exitCode.usage;
  }
  let close: () => void = () => undefined;
  try {
    const { values, words } = parseForm(found.form, found.rest);
    if (values['help'] === true) {
      io.stdout.write(helpFor(found.form));
      return exitCode.ok;
    }
    trust(values, io.env);
    const context = createContext(io, values, words);
    close = () => context.close();
    return await found.form.run(context);
  } catch (error) {
    const code = exitCodeOf(error);
    io.stderr.write(`berth: ${explain(error)}\n`);
    if (code === exitCode.usage) io.stderr.write(`\n${helpFor(found.form)}`);
    if (code === exitCode.notSignedIn) io.stderr.write('Sign in: `berth login --server <url>`.\n');
    return code;
  } finally {
    close();
  }
}
