import { explain } from '@berth/client';
import { Problem } from '@berth/contract';
import { AnswerNotUnderstood, ServerUnreachable } from '@berth/client';
import { findForm, help, helpFor, parseForm, UsageError } from './args.ts';
import { createContext, exitCode, Refused, type Io } from './context.ts';
import { aliases, commands } from './forms.ts';
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

export async function main(
  argv: readonly string[],
  options: { io: Io; root: string; version: string },
): Promise<number> {
  const { io, root, version } = options;
  const all = commands(root, version);
  const spelled = spell(argv);
  if (spelled.length === 0 || ['help', '--help', '-h'].includes(spelled[0] ?? '')) {
    (argv.length === 0 ? io.stderr : io.stdout).write(help(all));
    return argv.length === 0 ? exitCode.usage : exitCode.ok;
  }
  const found = findForm(all, spelled);
  if (found === null) {
    io.stderr.write(
      `berth: there is no command "${spelled.join(' ')}"; \`berth help\` lists them\n`,
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
    if (code === exitCode.notSignedIn) io.stderr.write('Sign in with `berth login`.\n');
    return code;
  } finally {
    close();
  }
}
