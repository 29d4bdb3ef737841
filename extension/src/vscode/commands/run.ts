import { codeOf, explain, type BerthClient } from '@berth/client';
import { Problem, type Approval, type Session } from '@berth/contract';
import * as vscode from 'vscode';
import * as z from 'zod/mini';
import type { CommandId } from '../../common/commands.ts';
import type { Hub, Link } from '../../common/hub.ts';
import { statusLook, tones } from '../../common/status.ts';
import { systemClock } from '../../common/clock.ts';
import type { Active } from '../active.ts';
import type { Log } from '../log.ts';
import type { Subscriptions } from '../subscriptions.ts';

/** What every command works with. */
export interface Desk {
  readonly hub: Hub;
  readonly active: Active;
  readonly log: Log;
}
export type CommandTable = Partial<Record<CommandId, (argument: unknown) => unknown>>;

const argument = z.object({ sessionId: z.optional(z.nullable(z.string())) });
const agentArgument = z.object({ agentId: z.optional(z.nullable(z.string())) });
const changeArgument = z.object({ sessionId: z.string(), path: z.string() });

/** A session's id: from a tree row, another command, or a link. */
export function sessionIdOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  const read = z.safeParse(argument, value);
  return read.success ? (read.data.sessionId ?? null) : null;
}
export function agentIdOf(value: unknown): string | undefined {
  const read = z.safeParse(agentArgument, value);
  return read.success ? (read.data.agentId ?? undefined) : undefined;
}
export function changeOf(value: unknown): { sessionId: string; path: string } | null {
  const read = z.safeParse(changeArgument, value);
  return read.success ? read.data : null;
}

/** The connection, or a word about its absence. */
export async function linkOf(desk: Desk): Promise<Link | null> {
  const link = desk.hub.link ?? (await desk.hub.whenLinked(3000));
  if (link !== null) return link;
  const connect = vscode.l10n.t('Connect…');
  const answer = await vscode.window.showErrorMessage(
    vscode.l10n.t('No Berth server answers.'),
    connect,
  );
  if (answer === connect) await vscode.commands.executeCommand('berth.connect');
  return null;
}

export type SessionItem = vscode.QuickPickItem & { session: Session };
export function sessionItems(desk: Desk, fits: (session: Session) => boolean): SessionItem[] {
  const now = systemClock.now();
  return [...desk.hub.state.get().sessions.values()]
    .filter((session) => session.archivedAt === undefined && fits(session))
    .sort((a, b) => b.lastActivityAt.localeCompare(a.lastActivityAt))
    .map((session) => {
      const look = statusLook(session, now);
      return {
        session,
        label: session.title,
        description: look.words,
        detail: session.agentName,
        iconPath: new vscode.ThemeIcon(
          look.icon.replace('~spin', ''),
          new vscode.ThemeColor(tones[look.tone]),
        ),
      };
    });
}

/** The session that a command is about: its argument, the active one, or one that the person picks. */
export async function sessionOf(
  desk: Desk,
  value: unknown,
  fits: (session: Session) => boolean = () => true,
): Promise<Session | null> {
  const { sessions } = desk.hub.state.get();
  const named = sessionIdOf(value);
  if (named !== null) {
    const known = sessions.get(named);
    if (known) return known;
    const link = await linkOf(desk);
    return link === null ? null : link.client.sessions.get(named);
  }
  const current = sessions.get(desk.active.get().sessionId ?? '');
  if (current && fits(current)) return current;
  const items = sessionItems(desk, fits);
  if (items.length === 1) return items[0]?.session ?? null;
  if (items.length === 0) {
    await vscode.window.showInformationMessage(vscode.l10n.t('There is no session for this.'));
    return null;
  }
  const picked = await vscode.window.showQuickPick(items, {
    placeHolder: vscode.l10n.t('Which session?'),
    matchOnDetail: true,
  });
  return picked?.session ?? null;
}

/** A command about one session: finds it and the connection, then does it. */
export const onSession =
  (
    desk: Desk,
    action: (session: Session, client: BerthClient, link: Link) => Promise<unknown>,
    fits?: (session: Session) => boolean,
  ) =>
  async (value: unknown): Promise<void> => {
    const session = await sessionOf(desk, value, fits);
    if (session === null) return;
    const link = await linkOf(desk);
    if (link !== null) await action(session, link.client, link);
  };

export async function decide(
  desk: Desk,
  approval: Pick<Approval, 'id' | 'revision'>,
  optionId: string,
): Promise<void> {
  const link = await linkOf(desk);
  if (link === null) return;
  await link.client.approvals.decide(approval.id, { optionId, revision: approval.revision });
}

/** Registers a table of commands; a refusal becomes one sentence, a fault goes to the log. */
export function register(desk: Desk, table: CommandTable, subscriptions: Subscriptions): void {
  for (const [id, action] of Object.entries(table)) {
    subscriptions.push(
      vscode.commands.registerCommand(id, async (value: unknown) => {
        try {
          return await action(value);
        } catch (error) {
          desk.log.error(id, error);
          await explainFault(desk, error);
          return undefined;
        }
      }),
    );
  }
}

const words: Partial<Record<string, string>> = {
  'sandbox-not-ready': 'The sandbox is not running. A message, or Resume, wakes it.',
  'agent-has-no-terminal': 'This agent has no terminal of its own. Open a shell instead.',
  'not-found':
    'This session is not here. It was deleted, or it belongs to a team that you are not in.',
  'version-stale': 'Somebody changed it meanwhile. Try again.',
};
export async function explainFault(desk: Desk, error: unknown): Promise<void> {
  const showLog = vscode.l10n.t('Show Log');
  const code = codeOf(error) ?? '';
  const by = error instanceof Problem ? error.extra.decision?.by?.name : undefined;
  if (code === 'already-decided') {
    // No fault, and nothing to look up: somebody was faster, or the agent no longer waits.
    const text = by === undefined ? explain(error) : vscode.l10n.t('Already answered by {0}.', by);
    await vscode.window.showInformationMessage(text);
    return;
  }
  const text = words[code] ?? explain(error);
  const answer = await vscode.window.showErrorMessage(text, showLog);
  if (answer === showLog) desk.log.show();
}
