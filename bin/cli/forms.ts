import type { Form } from './args.ts';
import * as agents from './commands/agents.ts';
import * as approvals from './commands/approvals.ts';
import { meanings, settle } from './commands/settle.ts';
import { attach } from './commands/attach.ts';
import { doctor } from './commands/doctor.ts';
import * as harness from './commands/harness.ts';
import { log } from './commands/log.ts';
import { pull } from './commands/pull.ts';
import { send } from './commands/send.ts';
import { login, open, serve } from './commands/server.ts';
import * as sessions from './commands/sessions.ts';
import { exitCode, type Run } from './context.ts';

export interface Command extends Form {
  run: Run;
}
const flag = { type: 'boolean' } as const;
const text = { type: 'string' } as const;
const none = [0, 0] as const;
const one = [1, 1] as const;

const editing = [
  ['--name <name>', 'what people call it'],
  ['--harness <id>', 'the kind of agent: `berth harness ls`'],
  ['--model <model>', 'as the gateway names it'],
  ['--mode ask|auto', 'ask: what it writes and runs waits for a person'],
  ['--instructions <text|@file>', 'what every session of it is told first'],
  ['--repository <url[#ref]>', 'cloned into every new session'],
  ['--allow <host>', 'a host that its sandboxes may reach; may be repeated'],
  ['--env NAME=value', 'for its sandboxes, no secrets; may be repeated'],
  ['--idle-suspend <minutes>', 'how long a session may be idle before it is suspended'],
] as const;

/** Every command of the program, in the order of its help. `root`: Berth's own folder. */
export function commands(root: string, version: string): readonly Command[] {
  const onSession = (name: string, about: string, run: Run): Command => ({
    name: `sessions ${name}`,
    form: '<session>',
    about,
    words: one,
    run,
  });
  return [
    { name: 'serve', form: '', about: 'Runs the server here', words: none, run: serve(root) },
    {
      name: 'login',
      form: '--server <url> [--token <token>]',
      about: 'Remembers a server and a token',
      more: [
        ['--server <url>', 'https://…, or BERTH_SERVER'],
        [
          '--token <token>',
          'berth_…, or BERTH_TOKEN; else it is asked for, or read from standard input',
        ],
      ],
      words: none,
      run: login,
    },
    {
      name: 'doctor',
      form: '',
      about: 'Looks for what is missing on this machine',
      words: none,
      run: doctor,
    },
    {
      name: 'version',
      form: '',
      about: 'Says its version',
      words: none,
      run: async (context) => {
        context.give({ version }, () => `berth ${version}`);
        return exitCode.ok;
      },
    },
    { name: 'agents ls', form: '', about: 'All agents', words: none, run: agents.list },
    {
      name: 'agents create',
      form: '--name <name> --harness <id> …',
      about: 'Makes an agent',
      more: editing,
      words: none,
      options: agents.agentOptions,
      run: agents.create,
    },
    { name: 'agents show', form: '<agent>', about: 'One agent', words: one, run: agents.show },
    {
      name: 'agents edit',
      form: '<agent> …',
      about: 'Changes an agent: only what is given',
      more: editing,
      words: one,
      options: agents.agentOptions,
      run: agents.edit,
    },
    {
      name: 'agents rm',
      form: '<agent>',
      about: 'Removes an agent that has no sessions',
      words: one,
      run: agents.remove,
    },
    {
      name: 'sessions ls',
      form: '[--archived]',
      about: 'All sessions but the archived ones',
      more: [['--archived', 'only those']],
      words: none,
      options: { archived: flag },
      run: sessions.list,
    },
    {
      name: 'sessions new',
      form: '<agent> [--from <dir>] [--prompt <text>] [--title <title>]',
      about: 'Starts a session, from a folder if you like',
      more: [
        ['--from <dir>', 'its files: what git has or would add, else all of it'],
        ['--prompt <text>', 'the first message'],
        ['--title <title>', 'what people call it'],
      ],
      words: one,
      options: { from: text, prompt: text, title: text },
      run: sessions.create,
    },
    onSession('show', 'One session', sessions.show),
    onSession('suspend', 'Stops its processes, keeps its files', sessions.order('suspend')),
    onSession('resume', 'Wakes it', sessions.order('resume')),
    onSession('cancel', 'Stops what the agent is doing', sessions.order('cancel')),
    onSession('archive', 'Puts it away', sessions.order('archive')),
    onSession('unarchive', 'Takes it out again', sessions.order('unarchive')),
    onSession('restart', 'Restarts its agent', sessions.order('restartAgent')),
    onSession('take-back', 'Back from a terminal into the chat', sessions.order('takeBack')),
    onSession('rm', 'Deletes it, files included', sessions.remove),
    {
      name: 'send',
      form: '<session> <text|-> [--no-wait]',
      about: 'Sends a message and shows the answer, until the turn ends or waits for you',
      more: [
        ['-', 'the message comes from standard input'],
        ['--no-wait', 'prints the id of its turn and does not wait'],
      ],
      words: [2, 1000],
      options: { 'no-wait': flag },
      run: send,
    },
    {
      name: 'log',
      form: '<session> [--after <n>] [--follow]',
      about: 'The conversation',
      more: [
        ['--after <n>', 'only what came after event n (`--json` shows the numbers: seq)'],
        ['--follow, -f', 'and what comes, until Ctrl-C'],
      ],
      words: one,
      options: { after: text, follow: { ...flag, short: 'f' } },
      run: log,
    },
    {
      name: 'attach',
      form: '<session> [--shell] [--new]',
      about: 'A terminal in its sandbox; Ctrl-] d detaches',
      more: [
        ['--shell', 'a shell; without it the agent’s own terminal'],
        ['--new', 'another one, where one is open already'],
      ],
      words: one,
      options: { shell: flag, new: flag },
      run: attach,
    },
    {
      name: 'pull',
      form: '<session> [--stat]',
      about: 'Its changes, into this folder',
      more: [['--stat', 'only lists them']],
      words: one,
      options: { stat: flag },
      run: pull,
    },
    {
      name: 'approvals',
      form: '[ls]',
      about: 'What waits for you',
      words: none,
      run: approvals.list,
    },
    ...(['approve', 'deny'] as const).map((name) => ({
      name,
      form: '<approval> [--option <id|name>] [--note <text>]',
      about: name === 'approve' ? 'Allows what waits' : 'Rejects what waits',
      more: [
        ['--option <id|name>', 'which of its answers, where there are several'],
        ['--note <text>', 'why; kept with the answer'],
      ] as const,
      words: one,
      options: { option: text, note: text },
      run: approvals.decide(name === 'approve' ? 'allow' : 'reject'),
    })),
    {
      name: 'settle',
      form: '<session> <resend|arrived|drop>',
      about: 'Says what became of a message in question',
      more: Object.entries(meanings),
      words: [2, 2],
      run: settle,
    },
    { name: 'harness ls', form: '', about: 'The kinds of agents', words: none, run: harness.list },
    {
      name: 'harness install',
      form: '<harness>',
      about: 'Fetches one ahead of its first use',
      words: one,
      run: harness.install(root),
    },
    { name: 'open', form: '[<session>]', about: 'In the browser', words: [0, 1], run: open },
  ];
}

/** Names that people type for another. */
export const aliases: Readonly<Record<string, readonly string[]>> = {
  'approvals ls': ['approvals'],
  agents: ['agents', 'ls'],
  sessions: ['sessions', 'ls'],
  harness: ['harness', 'ls'],
  '--version': ['version'],
  '-V': ['version'],
};
