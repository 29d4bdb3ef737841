import type { Agent, Approval, Harness, Session } from '@berth/contract';
import { millis } from './clock.ts';
import type { HubState } from './state.ts';
import {
  isDeliveryUnknown,
  isTurnRunning,
  isUnread,
  needsYou,
  type StatusGroup,
  type Tone,
} from '@berth/client/status';
import { offlineLook, statusLook } from './status.ts';
import { count, money } from '@berth/client/words';
import { cut, plain } from './words.ts';

/** Longer ones would push the status out of the row. */
const labelMax = 31;

export type GroupBy = 'agent' | 'status';
export const filters = ['all', 'needs-you', 'running', 'unread', 'archived'] as const;
export type Filter = (typeof filters)[number];

export interface TreeNode {
  readonly id: string;
  readonly kind: 'agent' | 'group' | 'session';
  readonly label: string;
  readonly description: string;
  /** Lines of text, without markup. */
  readonly tooltip: string;
  readonly icon: string | null;
  readonly tone: Tone | null;
  /** Words that menus look for. */
  readonly context: string;
  readonly children: readonly TreeNode[];
  readonly sessionId: string | null;
  readonly agentId: string | null;
}
export interface TreeOptions {
  readonly groupBy: GroupBy;
  readonly filter: Filter;
  readonly now: number;
  /** Ids of nodes that are closed: they say how many they hold. */
  readonly collapsed: ReadonlySet<string>;
  readonly archived: readonly Session[];
}
export interface Tree {
  readonly roots: readonly TreeNode[];
  /** How many sessions the filter keeps out of sight. */
  readonly hidden: number;
}

const groupNames: readonly [StatusGroup, string][] = [
  ['needs-you', 'Needs you'],
  ['running', 'Running'],
  ['failed', 'Failed'],
  ['idle', 'Idle'],
];

/** One yes and one no: then a row can answer it. Everything else wants to be read first. */
export function simpleAnswer(approval: Approval): { allow: string; deny: string } | null {
  const allow = approval.options.filter(({ kind }) => kind === 'allow_once');
  const deny = approval.options.filter(({ kind }) => kind === 'reject_once');
  const [yes, no] = [allow[0], deny[0]];
  return yes && no && allow.length === 1 && deny.length === 1
    ? { allow: yes.optionId, deny: no.optionId }
    : null;
}
export function waitingOf(state: HubState, sessionId: string): Approval[] {
  return [...state.approvals.values()]
    .filter((approval) => approval.sessionId === sessionId && approval.state === 'waiting')
    .sort((a, b) => a.createdAt.localeCompare(b.createdAt));
}

const passes = (filter: Filter, session: Session, now: number): boolean => {
  switch (filter) {
    case 'all':
    case 'archived':
      return true;
    case 'needs-you':
      return needsYou(session);
    case 'running':
      return statusLook(session, now).group === 'running' || needsYou(session);
    case 'unread':
      return isUnread(session) || needsYou(session);
  }
};

/** Pure: everything that the tree shows, from what is known. Newest activity first; what needs a person before the rest. */
export function treeOf(state: HubState, options: TreeOptions): Tree {
  const live = [...state.sessions.values()].filter((session) => session.archivedAt === undefined);
  const all = options.filter === 'archived' ? [...options.archived] : live;
  const shown = all.filter((session) => passes(options.filter, session, options.now));
  shown.sort(
    (a, b) =>
      Number(needsYou(b)) - Number(needsYou(a)) || b.lastActivityAt.localeCompare(a.lastActivityAt),
  );
  const hidden = options.filter === 'archived' ? 0 : all.length - shown.length;
  const roots =
    options.groupBy === 'agent'
      ? byAgent(state, shown, options, live.length > 0)
      : byStatus(state, shown, options);
  return { roots, hidden };
}

function byAgent(
  state: HubState,
  sessions: readonly Session[],
  options: TreeOptions,
  withEmpty: boolean,
): TreeNode[] {
  const held = Map.groupBy(sessions, ({ agentId }) => agentId);
  const known = new Map(state.agents.map((agent) => [agent.id, agent]));
  const ids = [...new Set([...state.agents.map(({ id }) => id), ...held.keys()])];
  const name = (id: string) => known.get(id)?.name ?? held.get(id)?.[0]?.agentName ?? '';
  const nodes = ids
    .filter((id) => held.has(id) || (withEmpty && options.filter === 'all'))
    .map((id) => agentNode(state, id, name(id), held.get(id) ?? [], options));
  // An agent without sessions is only there to start one: below those that work.
  return nodes.sort(
    (a, b) =>
      Number(b.children.length > 0) - Number(a.children.length > 0) ||
      a.label.localeCompare(b.label),
  );
}

function agentNode(
  state: HubState,
  agentId: string,
  name: string,
  sessions: readonly Session[],
  options: TreeOptions,
): TreeNode {
  const id = `agent:${agentId}`;
  const agent = state.agents.find((one) => one.id === agentId);
  const title = harnessTitle(state.harnesses, agent);
  const size =
    sessions.length === 0
      ? 'no sessions'
      : options.collapsed.has(id)
        ? count(sessions.length, 'session')
        : '';
  return {
    // Of another name while it is empty: the editor keeps a row that could not open closed when something comes into it.
    id: sessions.length === 0 ? `${id}:empty` : id,
    kind: 'agent',
    label: cut(plain(name), labelMax),
    // An agent that is called like its harness needs no second name.
    description: [title === name ? '' : title, size].filter((part) => part !== '').join(', '),
    tooltip: agent ? agentTooltip(agent, title) : name,
    icon: agent?.harness === 'rehearsal' ? 'beaker' : 'robot',
    tone: null,
    context: 'agent',
    children: sessions.map((session) => sessionNode(state, session, options)),
    sessionId: null,
    agentId,
  };
}

export const harnessTitle = (harnesses: readonly Harness[], agent: Agent | undefined): string =>
  harnesses.find(({ id }) => id === agent?.harness)?.title ?? agent?.harness ?? '';

function agentTooltip(agent: Agent, title: string): string {
  return [
    agent.name,
    [title, agent.model].filter(Boolean).join(', '),
    agent.repository?.url,
    agent.mode === 'ask'
      ? 'Asks before it writes or runs something.'
      : 'Writes and runs without asking.',
  ]
    .filter((line) => line !== undefined && line !== '')
    .join('\n');
}

function byStatus(state: HubState, sessions: readonly Session[], options: TreeOptions): TreeNode[] {
  const held = Map.groupBy(sessions, (session) => statusLook(session, options.now).group);
  return groupNames.flatMap(([group, label]) => {
    const inside = held.get(group);
    if (!inside) return [];
    return {
      id: `group:${group}`,
      kind: 'group' as const,
      label,
      description: String(inside.length),
      tooltip: label,
      icon: null,
      tone: null,
      context: 'group',
      children: inside.map((session) => sessionNode(state, session, options)),
      sessionId: null,
      agentId: null,
    };
  });
}

function sessionNode(state: HubState, session: Session, options: TreeOptions): TreeNode {
  const online = state.server.kind === 'online';
  const look = online
    ? statusLook(session, options.now)
    : offlineLook(session, Math.min(state.heardAt, options.now));
  const ofAgent = options.groupBy === 'agent';
  const words = ofAgent
    ? look.words
    : look.group === 'idle' && session.status === 'suspended'
      ? 'suspended'
      : session.status === 'idle' && isUnread(session)
        ? 'new answer'
        : plain(session.agentName);
  return {
    id: `session:${session.id}`,
    kind: 'session',
    label: cut(plain(session.title), labelMax),
    description: plain(words),
    tooltip: sessionTooltip(session, look.words),
    icon: look.icon,
    tone: look.tone,
    context: contextOf(state, session),
    children: [],
    sessionId: session.id,
    agentId: session.agentId,
  };
}

function sessionTooltip(session: Session, words: string): string {
  const { changes, usage } = session;
  const cost = Number(usage.costUsd) > 0 ? money(usage.costUsd) : null;
  return [
    session.title,
    [session.agentName, session.model].filter(Boolean).join(', '),
    words.charAt(0).toUpperCase() + words.slice(1),
    isDeliveryUnknown(session) ? 'Nobody knows whether the last message reached the agent.' : null,
    session.holder === 'terminal'
      ? `The conversation is open in a terminal.${session.queued > 0 ? ` ${count(session.queued, 'message')} waiting.` : ''}`
      : null,
    changes && changes.files > 0
      ? `${count(changes.files, 'file')} changed, +${changes.added} −${changes.deleted}`
      : null,
    cost === null
      ? null
      : session.budget
        ? `${cost} of ${money(session.budget.limitUsd)}`
        : `${cost} so far`,
    session.sandbox.isolated || session.sandbox.phase !== 'ready'
      ? null
      : 'No isolation: this server runs agents without a sandbox.',
  ]
    .filter((line) => line !== null)
    .join('\n');
}

/** What can be done with it, for the `when` of menus. */
function contextOf(state: HubState, session: Session): string {
  const waiting = waitingOf(state, session.id);
  const only = waiting.length === 1 ? waiting[0] : undefined;
  const archived = session.archivedAt !== undefined;
  const asleep = session.status === 'suspended' || session.status === 'suspending';
  return [
    'session',
    archived ? 'archived' : 'live',
    isTurnRunning(session) && !archived ? 'running' : null,
    asleep ? 'suspended' : 'awake',
    session.holder === 'terminal' && !archived ? 'terminal' : null,
    only && simpleAnswer(only) ? 'approvable' : null,
    isUnread(session) ? 'unread' : null,
    session.changes && session.changes.files > 0 ? 'changed' : null,
  ]
    .filter((word) => word !== null)
    .join('.');
}

/**
 * Pure. What must be drawn again: `all` when rows came, went or moved between parents, else the ids of the nodes that look different.
 * A row that only changed its status costs one row, not the tree.
 */
export function treeChanges(before: Tree, now: Tree): 'all' | readonly string[] {
  const order = ({ roots }: Tree) =>
    roots.map((root) => [root.id, ...root.children.map(({ id }) => id)].join(' ')).join('\n');
  if (order(before) !== order(now)) return 'all';
  const old = new Map(nodesOf(before).map((node) => [node.id, node]));
  return nodesOf(now)
    .filter((node) => !looksSame(old.get(node.id), node))
    .map(({ id }) => id);
}
export const nodesOf = ({ roots }: Tree): TreeNode[] =>
  roots.flatMap((root) => [root, ...root.children]);

const looksSame = (a: TreeNode | undefined, b: TreeNode): boolean =>
  a !== undefined &&
  (['label', 'description', 'tooltip', 'icon', 'tone', 'context'] as const).every(
    (key) => a[key] === b[key],
  );

/** What needs a person, oldest wait first: the way of "next that needs you". */
export function inNeed(state: HubState): Session[] {
  return [...state.sessions.values()]
    .filter(needsYou)
    .sort((a, b) => millis(a.statusSince) - millis(b.statusSince) || a.id.localeCompare(b.id));
}
/** The one after `current`, round and round. */
export function nextInNeed(state: HubState, current: string | null): Session | null {
  const all = inNeed(state);
  const at = all.findIndex(({ id }) => id === current);
  return all[(at + 1) % Math.max(all.length, 1)] ?? null;
}
