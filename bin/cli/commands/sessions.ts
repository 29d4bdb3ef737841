import { setTimeout as pause } from 'node:timers/promises';
import { resolve } from 'node:path';
import { codeOf, everything, type BerthClient } from '@berth/client';
import { isInTerminal, isStopping } from '@berth/client/status';
import type { Session } from '@berth/contract';
import { textOf } from '../args.ts';
import { exitCode, type Context, type Run } from '../context.ts';
import { ago, columns, dollars, oneLine, shortId } from '../format.ts';
import { checkFolder, pack } from '../pack.ts';

function status(context: Context, session: Session): string {
  const { style } = context;
  if (isStopping(session)) return style.yellow('stopping');
  if (isInTerminal(session)) return style.cyan('in terminal');
  switch (session.status) {
    case 'running':
      return style.green('running');
    case 'waiting':
      return style.yellow('waiting');
    case 'failed':
    case 'lost':
    case 'stalled':
      return style.red(session.status);
    case 'starting':
    case 'idle':
    case 'suspending':
    case 'suspended':
    case 'waking':
      return style.dim(session.status);
  }
}
const changes = ({ changes: found }: Session): string =>
  found === undefined || found.files === 0 ? '–' : `+${found.added} −${found.deleted}`;

function describe(context: Context, session: Session): string {
  const { style } = context;
  const rows: [string, string | undefined][] = [
    ['id', session.id],
    [
      'status',
      status(context, session) + (session.reason === undefined ? '' : `: ${session.reason}`),
    ],
    ['agent', session.agentName],
    ['model', session.model],
    ['mode', session.mode],
    ['sandbox', [session.sandbox.driver, session.sandbox.phase, session.sandbox.detail].join(' ')],
    [
      'held by',
      session.holder === 'terminal'
        ? `a terminal; messages wait (berth sessions take-back ${shortId(session.id)})`
        : 'the chat',
    ],
    ['queued', session.queued === 0 ? undefined : String(session.queued)],
    [
      'waiting',
      session.waitingApprovals === 0
        ? undefined
        : `${session.waitingApprovals} for you (berth approvals)`,
    ],
    ['changes', changes(session)],
    ['cost', dollars(session.usage.costUsd)],
    ['active', ago(session.lastActivityAt, context.now())],
  ];
  const lines = rows.flatMap(([label, value]) =>
    value === undefined ? [] : [`${style.dim(label.padEnd(9))}${value.trim()}`],
  );
  if (!session.sandbox.isolated && session.sandbox.driver !== '')
    lines.push(style.red('It runs without isolation.'));
  return [style.bold(oneLine(session.title)), ...lines].join('\n');
}

export const list: Run = async (context) => {
  const api = await context.client();
  const archived = context.values['archived'] === true ? { archived: true } : {};
  const sessions = await Array.fromAsync(
    everything((query) => api.sessions.list({ ...query, ...archived })),
  );
  context.give(sessions, (all) =>
    all.length === 0
      ? 'No sessions yet: `berth sessions new <agent> --prompt "Hello"`'
      : columns(
          ['ID', 'STATUS', 'TITLE', 'AGENT', 'CHANGES', 'COST', 'ACTIVE'],
          all.map((session) => [
            shortId(session.id),
            status(context, session),
            context.style.bold(oneLine(session.title, 40)),
            oneLine(session.agentName, 20),
            changes(session),
            dollars(session.usage.costUsd),
            context.style.dim(ago(session.lastActivityAt, context.now())),
          ]),
        ),
  );
  return exitCode.ok;
};

export const show: Run = async (context) => {
  context.give(await context.findSession(context.word(0)), (session) => describe(context, session));
  return exitCode.ok;
};

/** The sandbox may still be starting: the archive waits for it, with an end. */
async function upload(api: BerthClient, id: string, dir: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const packed = await pack(dir);
    // Its own failure says more than the broken upload that follows from it.
    const sent = api.files.archive(id, packed.bytes);
    try {
      await Promise.all([sent, packed.done]);
      return;
    } catch (error) {
      const code = codeOf(error);
      const early = code === 'sandbox-not-ready' || code === 'runner-unreachable';
      if (!early || attempt === 240) throw error;
      await pause(500);
    }
  }
}

export const create: Run = async (context) => {
  const { values } = context;
  const agent = await context.findAgent(context.word(0));
  const title = textOf(values, 'title');
  const prompt = textOf(values, 'prompt');
  const from = textOf(values, 'from');
  const dir = from === undefined ? undefined : resolve(context.cwd, from);
  // Before there is a session that would wait for it for ever.
  if (dir !== undefined) await checkFolder(dir);
  const api = await context.client();
  const session = await api.sessions.create({
    agentId: agent.id,
    ...(title === undefined ? {} : { title }),
    ...(prompt === undefined ? {} : { prompt: [{ type: 'text', text: prompt }] }),
    ...(dir === undefined ? {} : { awaitArchive: true }),
  });
  if (dir !== undefined) {
    context.tell(context.style.dim(`sending ${dir} …`));
    await upload(api, session.id, dir);
  }
  context.give(await api.sessions.get(session.id), (made) => made.id);
  if (!context.json) {
    const id = shortId(session.id);
    const next = prompt === undefined ? `berth send ${id} "…"` : `berth log ${id} --follow`;
    context.tell(context.style.dim(next)); // not in the way of `id=$(berth sessions new …)`
  }
  return exitCode.ok;
};

type Order =
  'suspend' | 'resume' | 'archive' | 'unarchive' | 'cancel' | 'restartAgent' | 'takeBack';
/** Pure. What became of an order: what was so already is not said to be done. */
export function outcomeOf(
  name: Order,
  before: Pick<Session, 'currentTurnId' | 'holder'>,
  after: Pick<Session, 'status'>,
): string {
  switch (name) {
    case 'cancel':
      return before.currentTurnId === undefined ? 'nothing was running' : 'stopping';
    case 'takeBack':
      return before.holder === 'chat'
        ? 'the chat has the conversation already'
        : 'on its way back into the chat';
    case 'suspend':
    case 'resume':
      return after.status;
    case 'archive':
      return 'archived';
    case 'unarchive':
      return 'out of the archive';
    case 'restartAgent':
      return 'its agent restarts';
  }
}
export const order =
  (name: Order): Run =>
  async (context) => {
    const before = await context.findSession(context.word(0));
    const after = await (await context.client()).sessions[name](before.id);
    context.give(after, () => `${oneLine(before.title)}: ${outcomeOf(name, before, after)}`);
    return exitCode.ok;
  };

export const remove: Run = async (context) => {
  const { id, title } = await context.findSession(context.word(0));
  const session = await (await context.client()).sessions.remove(id);
  context.give(session, () => `${oneLine(title)} is being deleted, with its sandbox and its files`);
  return exitCode.ok;
};
