import type { Attachment } from '@berth/client';
import type { Agent, Approval, Harness, Session, SessionStatus, Terminal } from '@berth/contract';
import { createStore } from '../src/store/observable.ts';
import type { Desk, DeskState } from '../src/dashboard/desk.ts';
import { createFixtureHost } from './fixture-host.ts';
import { fixtureNow, scenes, session } from './scenes.ts';

const uuid = (n: number) => `01936d5e-0000-7000-8000-${String(n).padStart(12, '0')}`;
const ago = (minutes: number) => new Date(fixtureNow - minutes * 60_000).toISOString();

type Line = [
  status: SessionStatus,
  title: string,
  agent: string,
  owner: string,
  changes: [number, number] | null,
  cost: string,
  since: number,
  active: number,
  part?: Partial<Session>,
];
const lines: Line[] = [
  [
    'waiting',
    'Refunds older than 90 days return 500',
    'checkout-fixer',
    'Ana Ruiz',
    [42, 7],
    '2.31',
    2,
    0,
  ],
  [
    'waiting',
    'Move invoices to the new tax service',
    'billing-migrator',
    'Jonas Okafor',
    [812, 406],
    '9.87',
    18,
    18,
  ],
  [
    'waiting',
    'Upgrade luxon to 3.5',
    'dependency-bot',
    'Ana Ruiz',
    [31, 31],
    '2.00',
    180,
    180,
    { reason: 'budget' },
  ],
  [
    'waiting',
    'Compare the latency with last week',
    'checkout-fixer',
    'Mara Lindqvist',
    null,
    '0.38',
    41,
    41,
    { reason: 'it is not known whether the last message arrived' },
  ],
  ['stalled', 'Backfill tax ids', 'billing-migrator', 'Jonas Okafor', [64, 0], '1.12', 5, 5],
  [
    'running',
    'Partial refunds round the wrong way',
    'checkout-fixer',
    'Ana Ruiz',
    [8, 2],
    '0.44',
    4,
    0,
  ],
  [
    'running',
    'Split the ledger module into two packages without a change of behaviour',
    'billing-migrator',
    'Mara Lindqvist',
    [1204, 1187],
    '14.02',
    72,
    0,
  ],
  ['starting', 'Write the changelog for 4.2', 'docs-writer', 'Mara Lindqvist', null, '0', 0, 0],
  [
    'failed',
    'Drop legacy tax columns',
    'billing-migrator',
    'Jonas Okafor',
    [12, 88],
    '0.91',
    60,
    60,
    { reason: 'out of memory' },
  ],
  ['lost', 'Replace moment', 'dependency-bot', 'Ana Ruiz', [210, 198], '1.40', 120, 120],
  [
    'idle',
    'Explain the ledger tests',
    'checkout-fixer',
    'Ana Ruiz',
    null,
    '0.12',
    11,
    11,
    { unreadSeq: 0 },
  ],
  ['idle', 'Upgrade vitest to 4', 'dependency-bot', 'Ana Ruiz', [96, 74], '1.66', 93, 93],
  [
    'suspended',
    'Load test of the refund endpoint',
    'checkout-fixer',
    'Ana Ruiz',
    [40, 0],
    '2.10',
    1500,
    1500,
  ],
  [
    'suspended',
    'Docs for the webhooks',
    'docs-writer',
    'Mara Lindqvist',
    [152, 20],
    '0.83',
    3000,
    3000,
  ],
];
const names = ['checkout-fixer', 'billing-migrator', 'dependency-bot', 'docs-writer'];
const agents: Agent[] = names.map((name, index) => ({
  id: uuid(100 + index),
  name,
  harness: index === 3 ? 'rehearsal' : 'opencode',
  ...(index === 3 ? {} : { model: 'claude-sonnet-4-5' }),
  instructions:
    'Read CONTRIBUTING.md first. Run the tests of what you touched before you say that you are done.',
  mode: 'ask',
  repository: { url: 'https://github.com/northwind/checkout-api', ref: 'main' },
  egress: { allow: ['github.com'] },
  idleSuspendMs: 1_800_000,
  version: 3,
  createdAt: ago(10_000),
  updatedAt: ago(10_000),
}));
const harnesses: Harness[] = [
  {
    id: 'opencode',
    title: 'opencode',
    version: '1.0.58',
    installed: true,
    needsModel: true,
    models: ['claude-sonnet-4-5', 'gpt-5-codex'],
    modes: ['ask', 'auto'],
    terminal: 'attach',
  },
  {
    id: 'rehearsal',
    title: 'Rehearsal',
    version: '1.0.0',
    installed: true,
    needsModel: false,
    modes: ['ask', 'auto'],
    terminal: 'attach',
  },
];
const yesNo: Approval['options'] = [
  { optionId: 'once', name: 'Yes', kind: 'allow_once' },
  { optionId: 'always', name: 'Always', kind: 'allow_always' },
  { optionId: 'no', name: 'No', kind: 'reject_once' },
];
const approvals: Approval[] = [
  [
    'git push --set-upstream origin fix/refund-window-422',
    'Refunds older than 90 days return 500',
    'checkout-fixer',
    2,
  ],
  [
    'Edit package.json, .github/workflows/ci.yml and tsconfig.json',
    'Move invoices to the new tax service',
    'billing-migrator',
    18,
  ],
].map(([title, sessionTitle, agentName, minutes], index) => ({
  id: uuid(200 + index),
  sessionId: uuid(1 + index),
  sessionTitle: String(sessionTitle),
  agentName: String(agentName),
  revision: 1,
  state: 'waiting',
  title: String(title),
  options: yesNo,
  createdAt: ago(Number(minutes)),
}));
approvals.push({
  id: uuid(210),
  sessionId: uuid(4),
  sessionTitle: 'Compare the latency with last week',
  agentName: 'checkout-fixer',
  turnId: uuid(800),
  about: 'delivery',
  revision: 1,
  state: 'waiting',
  title: 'It is not known whether this message arrived',
  facts: [{ label: 'message', value: 'Run the load test against staging' }],
  options: [
    { optionId: 'resend', name: 'Send again', kind: 'allow_once' },
    { optionId: 'arrived', name: 'It was done', kind: 'allow_once' },
    { optionId: 'drop', name: 'Drop it', kind: 'reject_once' },
  ],
  createdAt: ago(41),
});

const colours = '\u001b[92magent@refunds-500\u001b[0m:\u001b[94m/workspace\u001b[0m$ ';
const shown = `${colours}git status --short\r\n \u001b[91mM\u001b[0m src/http/errors.ts\r\n \u001b[91mM\u001b[0m src/refunds/policy.ts\r\n${colours}npm test -- refunds\r\n\r\n \u001b[94mRUN\u001b[0m  v4.0.2 /workspace\r\n\r\n \u001b[92m✓\u001b[0m test/refunds/policy.test.ts (19 tests)\r\n \u001b[38;2;255;160;0mtrue colour\u001b[0m\r\n\u001b[999;999H\u001b[1J\u001b[H${colours}`;

/** An attachment that draws one screen and then echoes what is typed. */
function fixtureAttachment(size: { cols: number; rows: number }): Attachment {
  const bytes = new Set<(bytes: Uint8Array, offset: number) => unknown>();
  const encoder = new TextEncoder();
  const stop = () => undefined;
  return {
    state: { kind: 'connected', attempt: 0 },
    offset: 0,
    onBytes: (listener) => {
      bytes.add(listener);
      return () => bytes.delete(listener);
    },
    onResize: () => stop,
    onScreen: (listener) => {
      setTimeout(() =>
        listener({
          offset: 0,
          ...size,
          bytes: encoder.encode(shown.replace('\u001b[999;999H\u001b[1J\u001b[H', '')),
        }),
      );
      return stop;
    },
    onExit: () => stop,
    onState: (listener) => {
      listener({ kind: 'connected', attempt: 0 });
      return stop;
    },
    write: (keys) => {
      for (const listener of bytes) listener(keys, 0);
      return true;
    },
    resize: stop,
    reconnectNow: stop,
    close: stop,
  };
}

/** The dashboard's data without a server. */
export function createFixtureDesk(empty: boolean): Desk {
  const sessions = new Map(
    (empty ? [] : lines).map(
      ([status, title, agentName, owner, changes, cost, since, active, part], index) => {
        const id = uuid(index + 1);
        return [
          id,
          session({
            id,
            title,
            agentName,
            agentId: uuid(100 + names.indexOf(agentName)),
            status,
            statusSince: ago(since),
            lastActivityAt: ago(active),
            createdBy: { id: owner.slice(0, 3).toLowerCase(), name: owner },
            usage: { inputTokens: 0, outputTokens: 0, costUsd: cost },
            ...(changes
              ? { changes: { files: 2, added: changes[0], deleted: changes[1] } }
              : { changes: undefined }),
            ...part,
          }),
        ] as const;
      },
    ),
  );
  const store = createStore<DeskState>({
    me: {
      id: 'ana',
      name: 'Ana Ruiz',
      team: { id: uuid(900), name: 'Payments' },
      teams: [],
      roles: ['admin'],
      scopes: [],
    },
    meta: {
      name: 'berth',
      version: '0.1.0',
      channels: 1,
      terminal: 1,
      gateway: { configured: !empty, virtualKeys: false },
      drivers: ['local'],
      isolation: { isolated: true },
    },
    harnesses,
    agents,
    sessions,
    complete: true,
    approvals: new Map((empty ? [] : approvals).map((approval) => [approval.id, approval])),
    connection: { state: 'connected' },
  });
  const terminal: Terminal = {
    id: uuid(700),
    sessionId: uuid(1),
    kind: 'shell',
    cols: 80,
    rows: 24,
    state: 'open',
    createdBy: { id: 'ana', name: 'Ana Ruiz' },
    createdAt: ago(5),
  };
  const decided = (approval: Approval, optionId: string): Approval => ({
    ...approval,
    state: 'decided',
    optionId,
    decidedBy: { id: 'ana', name: 'Ana Ruiz' },
    decidedAt: ago(0),
  });
  return {
    state: store,
    newId: () => crypto.randomUUID(),
    createSession: async () => session({}),
    saveAgent: async (_before, agent) => ({ ...agents[0], ...agent }) as Agent,
    removeAgent: async () => undefined,
    agent: async () => agents[0] as Agent,
    archived: async () => [],
    decided: async () =>
      approvals.map((approval, index) => decided(approval, index ? 'no' : 'always')),
    decide: async (approval, optionId) => decided(approval, optionId),
    approval: async (id) => decided(approvals.find((one) => one.id === id) as Approval, 'once'),
    reconnect: () => undefined,
    chatHost: () => {
      const scene = scenes['chat-approval']?.();
      if (!scene) throw new Error('no such scene');
      return {
        ...createFixtureHost({
          ...scene,
          hello: { host: 'browser', editor: false, sessionId: null },
        }),
        close: () => undefined,
      };
    },
    terminals: {
      list: async () => [terminal],
      open: async () => terminal,
      end: async () => undefined,
      attach: (_id, size) => fixtureAttachment(size),
    },
    changes: {
      list: async () => [
        { path: 'src/refunds/policy.ts', status: 'modified', added: 4, deleted: 1 },
      ],
      diff: async () => '@@ -1,2 +1,2 @@\n-old\n+new\n same\n',
    },
  };
}
