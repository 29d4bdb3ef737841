import type { Form } from './args.ts';
import * as agents from './commands/agents.ts';
import * as approvals from './commands/approvals.ts';
import { settle } from './commands/settle.ts';
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

const editing =
  '[--name <name>] [--harness <id>] [--model <model>] [--mode ask|auto] [--instructions <text|@file>] [--repository <url[#ref]>] [--allow <host>]… [--env NAME=value]… [--idle-suspend <minutes>]';

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
      words: none,
      run: login,
    },
    { name: 'doctor', form: '', about: 'Looks what is missing', words: none, run: doctor },
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
      about: 'Makes one',
      more: editing,
      words: none,
      options: agents.agentOptions,
      run: agents.create,
    },
    { name: 'agents show', form: '<agent>', about: 'One agent', words: one, run: agents.show },
    {
      name: 'agents edit',
      form: '<agent> …',
      about: 'Changes one',
      more: editing,
      words: one,
      options: agents.agentOptions,
      run: agents.edit,
    },
    { name: 'agents rm', form: '<agent>', about: 'Removes one', words: one, run: agents.remove },
    {
      name: 'sessions ls',
      form: '[--archived]',
      about: 'All sessions',
      words: none,
      options: { archived: flag },
      run: sessions.list,
    },
    {
      name: 'sessions new',
      form: '<agent> [--from <dir>] [--prompt <text>] [--title <title>]',
      about: 'Starts one, from a folder if you like',
      words: one,
      options: { from: text, prompt: text, title: text },
      run: sessions.create,
    },
    onSession('show', 'One session', sessions.show),
    onSession(
      'suspend',
      'Stops its processes, keeps its files',
      sessions.order('suspend', 'suspending'),
    ),
    onSession('resume', 'Wakes it', sessions.order('resume', 'waking')),
    onSession('cancel', 'Stops what the agent is doing', sessions.order('cancel', 'stopped')),
    onSession('archive', 'Puts it away', sessions.order('archive', 'archived')),
    onSession('unarchive', 'Takes it out again', sessions.order('unarchive', 'back')),
    onSession('restart', 'Restarts its agent', sessions.order('restartAgent', 'restarting')),
    onSession(
      'take-back',
      'Back from a terminal into the chat',
      sessions.order('takeBack', 'back'),
    ),
    onSession('rm', 'Deletes it, files included', sessions.remove),
    {
      name: 'send',
      form: '<session> <text|-> [--no-wait]',
      about: 'Sends a prompt and shows the answer',
      words: [2, 1000],
      options: { 'no-wait': flag },
      run: send,
    },
    {
      name: 'log',
      form: '<session> [--after <n>] [--follow]',
      about: 'The conversation',
      words: one,
      options: { after: text, follow: { ...flag, short: 'f' } },
      run: log,
    },
    {
      name: 'attach',
      form: '<session> [--shell] [--new]',
      about: 'A terminal in its sandbox; Ctrl-] d detaches',
      words: one,
      options: { shell: flag, new: flag },
      run: attach,
    },
    {
      name: 'pull',
      form: '<session> [--stat]',
      about: 'Its changes, into this folder',
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
      about: name === 'approve' ? 'Allows it' : 'Rejects it',
      words: one,
      options: { option: text, note: text },
      run: approvals.decide(name === 'approve' ? 'allow' : 'reject'),
    })),
    {
      name: 'settle',
      form: '<session> resend|arrived|drop',
      about: 'Says what became of a message in question',
      words: [2, 2],
      run: settle,
    },
    { name: 'harness ls', form: '', about: 'Kinds of agents', words: none, run: harness.list },
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
};
