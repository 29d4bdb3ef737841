import type { EventKind, Payload, Session } from '@berth/contract';
import type { Scene } from './fixture-host.ts';

/** The clock of every scene: pictures of the same scene are the same on every day. */
export const fixtureNow = new Date(2026, 10, 22, 14, 13, 30).getTime();
const sessionId = '01936d5e-0000-7000-8000-000000000001';
const uuid = (n: number) => `01936d5e-0000-7000-8000-${String(n).padStart(12, '0')}`;
const ana = { id: 'ana', name: 'Ana Ruiz' };
const mara = { id: 'mara', name: 'Mara Lindqvist' };
const text = (value: string) => [{ type: 'text' as const, text: value }];

/** Writes a log: `at` in minutes and seconds of today's clock, or where the last one stood. */
export function script(): {
  add: <K extends EventKind>(kind: K, payload: Payload<K>, at?: string) => number;
  events: Scene['events'];
} {
  const events: { seq: number; [key: string]: unknown }[] = [];
  let clock = fixtureNow - 60 * 60_000;
  return {
    events,
    add: (kind, payload, at) => {
      if (at) {
        const [h = 0, m = 0, s = 0] = at.split(':').map(Number);
        clock = new Date(2026, 10, 22).setHours(Math.floor(h), m, 0, 0) + s * 1000;
      }
      const seq = events.length + 1;
      events.push({ sessionId, seq, at: new Date(clock).toISOString(), kind, payload });
      return seq;
    },
  };
}
export const session = (part: Partial<Session>): Session => ({
  id: sessionId,
  agentId: uuid(2),
  agentName: 'checkout-fixer',
  title: 'Refunds older than 90 days return 500',
  status: 'idle',
  statusSince: new Date(fixtureNow - 4 * 60_000).toISOString(),
  sandbox: { driver: 'local', phase: 'ready', isolated: true },
  queued: 0,
  waitingApprovals: 0,
  unreadSeq: 10_000_000,
  lastSeq: 1,
  mode: 'ask',
  model: 'claude-sonnet-4-5',
  holder: 'chat',
  changes: { files: 3, added: 42, deleted: 7 },
  usage: { inputTokens: 0, outputTokens: 0, costUsd: '1.84' },
  budget: { limitUsd: '5.00', spentUsd: '1.84' },
  createdBy: ana,
  createdAt: new Date(fixtureNow - 3_600_000).toISOString(),
  lastActivityAt: new Date(fixtureNow).toISOString(),
  version: 1,
  ...part,
});

const modes: Payload<'mode'> = {
  current: 'ask',
  choices: [
    { id: 'ask', name: 'Ask' },
    { id: 'auto', name: 'Auto' },
  ],
};
const policyBefore = `export function assertWithinWindow(charge: Charge, now: Date) {
  const age = daysBetween(charge.settledAt, now);
  if (age > WINDOW_DAYS) throw new Error('refund window closed');
  return charge;
}
`;
const policyAfter = `export function assertWithinWindow(charge: Charge, now: Date) {
  const age = daysBetween(charge.settledAt, now);
  if (age > WINDOW_DAYS) {
    throw new RefundRejected('refund_window_closed', {
      chargeId: charge.id, ageDays: age });
  }
  return charge;
}
`;
const many = (n: number, of: string) =>
  Array.from({ length: n }, (_, i) => `${of} ${i + 1}`).join('\n') + '\n';

type Log = ReturnType<typeof script>;
function boot(log: Log): void {
  log.add('sandbox.phase', { phase: 'requested' }, '14:01:50');
  log.add('sandbox.phase', { phase: 'creating', detail: 'Created on this machine' }, '14:01:50.4');
  log.add(
    'sandbox.phase',
    { phase: 'agent-starting', detail: 'Starting opencode 1.0.58' },
    '14:01:52',
  );
  log.add('sandbox.phase', { phase: 'ready' }, '14:01:53.8');
  log.add('mode', modes);
  log.add('commands', {
    commands: [
      { name: 'init', description: 'Write a guide for agents' },
      { name: 'review', description: 'Review the changes' },
    ],
  });
}
function ask(log: Log, turn: number, prompt: string, at: string, links: string[] = []): void {
  const content = [
    ...text(prompt),
    ...links.map((name) => ({
      type: 'resource_link' as const,
      uri: `file:///workspace/${name}`,
      name,
    })),
  ];
  log.add('turn.queued', { turnId: uuid(turn), prompt: content, by: ana, position: 0 }, at);
  log.add('message.user', { messageId: `u${turn}`, turnId: uuid(turn), content, by: ana });
  log.add('turn.started', { turnId: uuid(turn) });
}
function tool(
  log: Log,
  id: string,
  payload: Omit<Payload<'tool'>, 'toolCallId'>,
  from: string,
  to: string | null,
): void {
  const { output, exitCode, status = 'completed', diff, ...start } = payload;
  log.add('tool', { toolCallId: id, ...start, status: 'running' }, from);
  if (to) log.add('tool', { toolCallId: id, status, output, exitCode, diff }, to);
}
function lookups(log: Log, prefix: string): void {
  const read = (path: string) => ({
    title: `Read ${path}`,
    kind: 'read' as const,
    locations: [{ path: `/workspace/${path}` }],
    output: { text: 'x' },
  });
  const find = (pattern: string) => ({
    title: `Search ${pattern}`,
    kind: 'search' as const,
    rawInput: { pattern },
    output: { text: 'x' },
  });
  tool(log, `${prefix}1`, find('assertWithinWindow'), '14:02:20', '14:02:20.5');
  tool(log, `${prefix}2`, read('src/refunds/policy.ts'), '14:02:20.6', '14:02:21');
  tool(log, `${prefix}3`, read('src/http/errors.ts'), '14:02:21', '14:02:21.4');
  tool(log, `${prefix}4`, read('src/refunds/refund-service.ts'), '14:02:21.4', '14:02:21.7');
  tool(log, `${prefix}5`, find('RefundRejected'), '14:02:21.7', '14:02:22');
  tool(log, `${prefix}6`, read('test/refunds/api.test.ts'), '14:02:22', '14:02:22.3');
}
const run = (command: string, output: string, exitCode: number) => ({
  title: command,
  kind: 'execute' as const,
  rawInput: { command },
  output: { text: output },
  exitCode,
  status: exitCode === 0 ? ('completed' as const) : ('failed' as const),
});
const edit = (path: string, oldText: string, newText: string) => ({
  title: `Edit ${path}`,
  kind: 'edit' as const,
  diff: [{ path: `/workspace/${path}`, oldText, newText }],
});
const plan = (done: number): Payload<'plan'> => ({
  entries: [
    'Reproduce the 500 with a test',
    'Throw RefundRejected in policy.ts and map it',
    'Check the other callers of assertWithinWindow',
    'Push the branch and open a draft pull request',
  ].map((content, index) => ({
    content,
    status: index < done ? 'completed' : index === done ? 'in_progress' : 'pending',
  })),
});

function approval(): Scene {
  const log = script();
  boot(log);
  ask(
    log,
    10,
    'Refunds older than 90 days return 500 instead of 422. Find the cause, fix it and add a test. Keep the public error codes.',
    '14:02:00',
    ['src/refunds/policy.ts', 'refund-trace.log'],
  );
  lookups(log, 'l');
  log.add(
    'notice',
    {
      code: 'agent-restarted',
      text: 'The agent stopped and was started again. It went on where it was; nothing was lost.',
    },
    '14:09:00',
  );
  tool(
    log,
    't1',
    {
      ...run('npm run typecheck', '', 0),
      status: 'interrupted',
      exitCode: undefined,
      output: undefined,
    } as never,
    '14:09:10',
    '14:09:18.2',
  );
  tool(log, 't2', run('npm run typecheck', 'ok\n', 0), '14:09:20', '14:09:31');
  tool(
    log,
    't3',
    edit('test/refunds/api.test.ts', many(4, 'old line'), many(21, 'new line')),
    '14:10:00',
    '14:10:01',
  );
  log.add(
    'tool',
    {
      toolCallId: 't4',
      title: 'npm install',
      kind: 'execute',
      rawInput: { command: 'npm install' },
      status: 'pending',
    },
    '14:10:50',
  );
  const options = [
    { optionId: 'once', name: 'Yes', kind: 'allow_once' as const },
    { optionId: 'always', name: 'Yes, always', kind: 'allow_always' as const },
    { optionId: 'no', name: 'No', kind: 'reject_once' as const },
  ];
  log.add(
    'approval.requested',
    { approvalId: uuid(20), revision: 1, toolCallId: 't4', title: 'npm install', options },
    '14:10:52',
  );
  log.add(
    'approval.resolved',
    { approvalId: uuid(20), state: 'decided', optionId: 'always', by: mara },
    '14:11:00',
  );
  log.add('tool', { toolCallId: 't4', status: 'running' }, '14:11:01');
  log.add(
    'tool',
    {
      toolCallId: 't4',
      status: 'completed',
      exitCode: 0,
      output: { text: 'added 312 packages\n' },
    },
    '14:11:20',
  );
  log.add('plan', plan(3));
  log.add(
    'message',
    {
      messageId: 'm1',
      content: text(
        'All 47 refund tests pass. The branch is ready; I would push it and open a draft pull request.',
      ),
    },
    '14:12:50',
  );
  const push = 'git push --set-upstream origin fix/refund-window-422';
  log.add(
    'tool',
    {
      toolCallId: 't5',
      title: push,
      kind: 'execute',
      rawInput: { command: push },
      status: 'pending',
    },
    '14:13:00',
  );
  log.add(
    'approval.requested',
    {
      approvalId: uuid(21),
      revision: 1,
      toolCallId: 't5',
      title: push,
      options,
      facts: [
        { label: 'Folder', value: '/workspace' },
        {
          label: 'Reaches',
          value: 'github.com, with the team’s deploy key (stays outside the sandbox)',
        },
      ],
    },
    '14:13:00',
  );
  return {
    session: session({
      status: 'waiting',
      waitingApprovals: 1,
      budget: { limitUsd: '5.00', spentUsd: '2.31' },
    }),
    events: log.events,
  };
}

function working(): Scene {
  const log = script();
  boot(log);
  ask(
    log,
    10,
    'Refunds older than 90 days return 500 instead of 422. Find the cause, fix it and add a test.',
    '14:02:00',
  );
  log.add(
    'message',
    {
      messageId: 'm1',
      content: text(
        'The trace ends in `assertWithinWindow`. It throws a plain `Error`, so the error middleware answers 500.',
      ),
    },
    '14:02:15',
  );
  lookups(log, 'l');
  tool(log, 't1', edit('src/refunds/policy.ts', policyBefore, policyAfter), '14:03:00', '14:03:01');
  const output = `${many(143, ' ✓ test')} FAIL  test/refunds/api.test.ts > POST /refunds > older than 90 days\n AssertionError: expected 422 but got 500\n   at test/refunds/api.test.ts:88:26\n\n Tests  1 failed | 46 passed (47)\n`;
  tool(log, 't2', run('npm test -- refunds', output, 1), '14:03:10', '14:03:14.1');
  log.add(
    'message',
    {
      messageId: 'm2',
      content: text(
        'The rule is right now, but the middleware still maps only `HttpError`. One line is missing:\n\n```ts\nif (error instanceof RefundRejected) {\n  return reply.status(422).send({ code: error.code });\n}\n```',
      ),
    },
    '14:03:30',
  );
  log.add('plan', plan(1));
  tool(log, 't3', edit('src/http/errors.ts', 'a\nb\n', 'a\nx\ny\nz\nb\n'), '14:13:10', '14:13:11');
  tool(log, 't4', run('npm test -- refunds', '', 0), '14:13:18', null);
  log.add('turn.queued', {
    turnId: uuid(30),
    prompt: text('Also write a line in CHANGELOG.md'),
    by: ana,
    position: 0,
  });
  log.add('turn.queued', {
    turnId: uuid(31),
    prompt: text('Please don’t touch the admin endpoints, they get their own change'),
    by: mara,
    position: 1,
  });
  return {
    session: session({ status: 'running', changes: { files: 2, added: 8, deleted: 2 }, queued: 2 }),
    events: log.events,
    draft: {
      text: 'Check the partial refunds too, see ',
      blocks: [
        {
          type: 'resource_link',
          uri: 'file:///workspace/src/refunds/partial.ts',
          name: 'src/refunds/partial.ts',
        },
        { type: 'image', mimeType: 'image/png', data: 'iVBORw0KGgo=' },
      ],
    },
  };
}

function second(log: Log): void {
  boot(log);
  ask(log, 10, 'Good. Also make the error say how many days are left.', '14:06:00');
  log.add(
    'thought',
    {
      messageId: 'th1',
      content: text(
        'The window is in policy.ts. Two callers pass a draft charge without settledAt.',
      ),
    },
    '14:06:09',
  );
  log.add(
    'message',
    {
      messageId: 'm1',
      content: text(
        'The window is in `policy.ts`, so the message can carry it. I add `daysLeft` to the body and to the schema.',
      ),
    },
    '14:06:12',
  );
  tool(log, 't1', edit('src/refunds/policy.ts', 'a\nb\n', 'a\nc\nd\n'), '14:06:20', '14:06:21');
  tool(log, 't2', edit('openapi/refunds.yaml', '', many(9, 'line')), '14:06:30', '14:06:31');
  tool(
    log,
    't3',
    run('npm test -- refunds', `${many(145, ' ✓ test')} Tests  48 passed (48)\n`, 0),
    '14:07:00',
    '14:07:04.4',
  );
  log.add(
    'message',
    {
      messageId: 'm2',
      content: text(
        'Done. `daysLeft` is in the error body, in the OpenAPI schema and in one new test. The public error codes are as before.',
      ),
    },
    '14:07:50',
  );
  log.add(
    'turn.ended',
    {
      turnId: uuid(10),
      state: 'done',
      stopReason: 'end_turn',
      usage: { inputTokens: 1, outputTokens: 1, costUsd: '0.29' },
    },
    '14:07:52',
  );
}
function stalled(): Scene {
  const log = script();
  second(log);
  ask(log, 11, 'Compare the latency with last week.', '14:07:58');
  tool(log, 't5', run('ls bench/results', 'a\n', 0), '14:08:00', '14:08:00.1');
  tool(log, 't6', run('node bench/compare.js --since 7d', '', 0), '14:08:10', null);
  return {
    session: session({
      status: 'stalled',
      statusSince: new Date(fixtureNow - 5 * 60_000).toISOString(),
    }),
    events: log.events,
    draft: { text: 'If it hangs, use the cached results from Friday.', blocks: [] },
  };
}
function reconnecting(): Scene {
  return {
    ...stalled(),
    session: session({ status: 'running' }),
    connection: { state: 'waiting', nextTryMs: 4000 },
  };
}
function unknown(): Scene {
  const log = script();
  second(log);
  ask(log, 11, 'Run the load test against staging and compare it with last week.', '14:12:00');
  log.add('turn.ended', { turnId: uuid(11), state: 'unknown' }, '14:12:40');
  log.add('turn.queued', {
    turnId: uuid(12),
    prompt: text('Then only show me last week’s numbers.'),
    by: mara,
    position: 0,
  });
  const reason = 'it is not known whether the last message arrived';
  return { session: session({ status: 'waiting', reason }), events: log.events };
}
/** Another person has the conversation in the agent's own terminal; what is written here waits. */
function inTerminal(): Scene {
  const log = script();
  second(log);
  log.add('terminal.opened', { terminalId: uuid(40), kind: 'agent', by: mara }, '14:12:00');
  log.add('notice', {
    code: 'handed-over',
    text: 'Mara Lindqvist took the conversation to a terminal.',
  });
  log.add('turn.queued', {
    turnId: uuid(12),
    prompt: text('Then add it to the changelog.'),
    by: ana,
    position: 0,
  });
  return {
    session: session({ status: 'idle', holder: 'terminal', queued: 1 }),
    events: log.events,
  };
}
/** The chat has it again, with what was said in the terminal. */
function fromTerminal(): Scene {
  const log = script();
  second(log);
  log.add('terminal.opened', { terminalId: uuid(40), kind: 'agent', by: mara }, '14:12:00');
  log.add('terminal.closed', { terminalId: uuid(40), exitCode: 0 }, '14:16:00');
  log.add('notice', { code: 'taken-back', text: 'The conversation is back in the chat.' });
  const turnId = uuid(13);
  const typed = text('Which of the two queries is the slow one?');
  log.add('message.user', { messageId: 'typed', turnId, content: typed, via: 'terminal' });
  log.add('message', { messageId: 'heard', content: text('The one of the weekly report.') });
  return { session: session({ status: 'idle' }), events: log.events };
}
/** Somebody asked the turn to stop, and the agent has not answered. */
function stopping(): Scene {
  const log = script();
  second(log);
  ask(log, 11, 'Compare the latency with last week.', '14:13:00');
  tool(log, 't6', run('node bench/compare.js --since 7d', '', 0), '14:13:10', null);
  const cancelRequestedAt = new Date(fixtureNow - 3000).toISOString();
  return { session: session({ status: 'running', cancelRequestedAt }), events: log.events };
}
function booting(): Scene {
  const log = script();
  log.add(
    'turn.queued',
    {
      turnId: uuid(10),
      prompt: text('Refunds older than 90 days return 500 instead of 422.'),
      by: ana,
      position: 0,
    },
    '14:13:27.1',
  );
  log.add('sandbox.phase', { phase: 'requested' }, '14:13:27.1');
  log.add('sandbox.phase', { phase: 'creating', detail: 'Created on this machine' }, '14:13:27.5');
  log.add(
    'sandbox.phase',
    {
      phase: 'installing',
      detail: 'Installing opencode 1.0.58',
      progress: { done: 31, total: 84, unit: 'MB' },
    },
    '14:13:29.4',
  );
  return {
    session: session({
      status: 'starting',
      budget: undefined,
      changes: undefined,
      usage: { inputTokens: 0, outputTokens: 0, costUsd: '0' },
    } as never),
    events: log.events,
  };
}
function failed(): Scene {
  const log = script();
  log.add('sandbox.phase', { phase: 'requested' }, '14:12:30');
  log.add('sandbox.phase', { phase: 'creating' }, '14:12:30.5');
  log.add(
    'sandbox.phase',
    {
      phase: 'failed',
      detail: 'No node has 4 GiB of free memory.',
      logs: ['0/3 nodes are available: 3 Insufficient memory.'],
    },
    '14:13:30',
  );
  return { session: session({ status: 'failed', reason: 'out of memory' }), events: log.events };
}

/** Ten thousand messages with everything in between. */
export function long(messages = 10_000): Scene {
  const log = script();
  boot(log);
  for (let n = 0; n < messages / 4; n += 1) {
    ask(log, 1000 + n, `Message ${n}: look at part ${n % 17} and say what it does.`, '13:00:00');
    log.add('thought', { messageId: `th${n}`, content: text('Looking around.') });
    log.add('message', {
      messageId: `a${n}`,
      content: text(
        `## Part ${n % 17}\n\nIt *reads* the \`config\`, then:\n\n- checks it\n- writes ${n} lines\n\n\`\`\`ts\nexport const n = ${n}; // a line\n\`\`\``,
      ),
    });
    tool(log, `r${n}`, run(`npm test -- ${n}`, many(12, 'line'), 0), '13:00:01', '13:00:02');
    log.add('message', {
      messageId: `b${n}`,
      content: text(`That was part ${n}. ${'Some more words. '.repeat(n % 12)}`),
    });
    log.add('turn.ended', { turnId: uuid(1000 + n), state: 'done' });
  }
  return { session: session({ status: 'idle' }), events: log.events, tail: 400 };
}

export const scenes: Record<string, () => Scene> = {
  'chat-approval': approval,
  'chat-working': working,
  'chat-stalled': stalled,
  'chat-reconnecting': reconnecting,
  'chat-unknown': unknown,
  'chat-terminal': inTerminal,
  'chat-from-terminal': fromTerminal,
  'chat-stopping': stopping,
  'chat-boot': booting,
  'chat-failed': failed,
  long: () => long(),
};
