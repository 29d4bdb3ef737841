import type { Command } from './script.ts';
import { usages } from './script.ts';

const quoted = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
};

/** What plain words get: everything that an agent can do, in under five seconds (waiting for a person not counted). */
function tour(prompt: string): Exclude<Command, { kind: 'tour' }>[] {
  const said = quoted(prompt);
  const table = usages
    .filter((usage) => usage.name !== 'tour')
    .map(
      (usage) =>
        `- \`${`/${usage.name} ${usage.hint}`.trim()}\` ${usage.description.toLowerCase()}`,
    )
    .join('\n');
  return [
    {
      kind: 'think',
      text: `${said === '' ? 'An empty prompt.' : `They wrote “${said}”.`} I have no model, so I show what an agent looks like here.`,
    },
    {
      kind: 'plan', // one entry for each line that follows
      entries: ['Say hello', 'Look around', 'Write a file', 'Read it back', 'Count', 'Explain'],
    },
    {
      kind: 'type',
      everyMs: 15,
      text:
        'Hello! I am the **rehearsal agent**: a real agent process in a real sandbox, but without a model. ' +
        'This is what a turn looks like: text as it is written, thoughts, a plan, tools, and questions that wait for you.',
    },
    { kind: 'run', command: 'uname -sm && pwd && ls' },
    { kind: 'write', path: 'rehearsal.md', text: tourFile },
    { kind: 'read', path: 'rehearsal.md' },
    { kind: 'usage', input: 1200, output: 340 },
    {
      kind: 'type',
      everyMs: 10,
      text: `That was the tour. I obey every line of a prompt that begins with a slash:\n\n${table}\n\nTry \`/ask Shall we? | Yes | No\`, or attach a terminal to this session.`,
    },
  ];
}

const tourFile = `# Written by the rehearsal agent

This file was made inside the session's sandbox.
It shows up in the session's changes, as a diff against where it began.

\`\`\`ts
export const greet = (name: string): string => \`Hello, \${name}!\`;
\`\`\`
`;

/** The runner's words to an agent that died in the middle of a turn. */
const goOn = /^You were interrupted: /;
/** The script had come to its end before the death, only nobody had heard of it: there is nothing to go on with, and nobody asked for a tour. */
const nothingLeft: Exclude<Command, { kind: 'tour' }> = {
  kind: 'say',
  text: 'Nothing was left to do.',
};

/** The tour in place of the line that asks for it: a script of single steps, so that a cut one can go on. */
export const expand = (
  commands: readonly Command[],
  prompt: string,
): Exclude<Command, { kind: 'tour' }>[] =>
  commands.flatMap((command) => {
    if (command.kind !== 'tour') return [command];
    return goOn.test(prompt) ? [nothingLeft] : tour(prompt);
  });
