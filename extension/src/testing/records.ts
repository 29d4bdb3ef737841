import type { Agent, Approval, Harness, Session } from '@berth/contract';
import { nothingKnown, type HubState } from '../common/state.ts';

export const at = (clock: string, day = '2026-11-20'): string => `${day}T${clock}:00.000Z`;
export const now = Date.parse(at('14:30'));
const id = (n: number) => `01990000-0000-7000-8000-${String(n).padStart(12, '0')}`;
let made = 0;

export function sessionOf(part: Partial<Session> = {}): Session {
  made += 1;
  return {
    id: id(made),
    agentId: id(900_000),
    agentName: 'checkout-fixer',
    title: `Session ${made}`,
    status: 'idle',
    statusSince: at('14:02'),
    sandbox: { driver: 'local', phase: 'ready', isolated: true },
    queued: 0,
    waitingApprovals: 0,
    unreadSeq: 10,
    lastSeq: 10,
    mode: 'ask',
    holder: 'chat',
    usage: { inputTokens: 0, outputTokens: 0, costUsd: '0' },
    createdBy: { id: 'u', name: 'Ana' },
    createdAt: at('10:00'),
    lastActivityAt: at('14:02'),
    version: 1,
    ...part,
  };
}
export function agentOf(part: Partial<Agent> = {}): Agent {
  return {
    id: id(900_000),
    name: 'checkout-fixer',
    harness: 'opencode',
    mode: 'ask',
    version: 1,
    createdAt: at('09:00'),
    updatedAt: at('09:00'),
    ...part,
  };
}
export function harnessOf(part: Partial<Harness> = {}): Harness {
  return {
    id: 'opencode',
    title: 'opencode',
    version: '1.0.0',
    installed: true,
    needsModel: true,
    modes: ['ask', 'auto'],
    terminal: 'attach',
    ...part,
  };
}
export function approvalOf(session: Session, part: Partial<Approval> = {}): Approval {
  made += 1;
  return {
    id: id(made),
    sessionId: session.id,
    sessionTitle: session.title,
    agentName: session.agentName,
    revision: 1,
    state: 'waiting',
    title: 'Run npm install',
    options: [
      { optionId: 'yes', name: 'Allow once', kind: 'allow_once' },
      { optionId: 'no', name: 'Deny', kind: 'reject_once' },
    ],
    createdAt: at('14:05'),
    ...part,
  };
}
export function stateOf(
  part: {
    sessions?: readonly Session[];
    approvals?: readonly Approval[];
    agents?: readonly Agent[];
    harnesses?: readonly Harness[];
  } & Partial<Pick<HubState, 'server' | 'loaded' | 'heardAt' | 'meta'>> = {},
): HubState {
  const { sessions = [], approvals = [], ...rest } = part;
  return {
    ...nothingKnown,
    server: { kind: 'online', url: 'http://127.0.0.1:3000' },
    loaded: true,
    heardAt: now,
    agents: [agentOf()],
    harnesses: [harnessOf()],
    ...rest,
    sessions: new Map(sessions.map((session) => [session.id, session])),
    approvals: new Map(approvals.map((approval) => [approval.id, approval])),
  };
}
