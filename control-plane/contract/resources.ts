import * as z from 'zod/mini';
import { prompt } from './content.ts';
import {
  approvalOption,
  fact,
  sandboxPhases,
  sessionStatuses,
  turnStates,
  usageTotals,
} from './events.ts';
import { line, person, seq, text, timestamp, usd, uuid } from './scalars.ts';

/** A host name as the egress proxy compares it: lower case, no dot at the end; `*.` in front covers sub-domains. */
export const egressHost = z
  .string()
  .check(
    z.maxLength(253),
    z.regex(
      /^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      'only the host name, without "https://" and "/"',
    ),
  );
export const environmentName = z
  .string()
  .check(z.regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'not a variable name'));
export const agentMode = z.enum(['ask', 'auto']);
export type AgentMode = z.infer<typeof agentMode>;

/** `https://` only: the egress proxy is blind, so nothing but TLS names its host. */
export const repository = z.strictObject({
  url: z
    .string()
    .check(
      z.maxLength(2048),
      z.regex(/^https:\/\/[^\s@/]+\/[^\s]+$/, 'an https:// address without a user in it'),
    ),
  ref: z.optional(line(255)),
});

const agentFields = {
  name: line(80),
  harness: line(64),
  model: z.optional(line(200)),
  instructions: z.optional(text(64_000)),
  mode: agentMode,
  repository: z.optional(repository),
  egress: z.optional(z.strictObject({ allow: z.array(egressHost).check(z.maxLength(200)) })),
  env: z.optional(z.record(environmentName, text(32_768))),
  idleSuspendMs: z.optional(z.int().check(z.minimum(60_000), z.maximum(2_592_000_000))),
};

export const agent = z.object({
  id: uuid,
  ...agentFields,
  version: z.int(),
  createdAt: timestamp,
  updatedAt: timestamp,
});
export type Agent = z.infer<typeof agent>;
export const createAgent = z.strictObject({ ...agentFields, mode: z._default(agentMode, 'ask') });
export type CreateAgent = z.infer<typeof createAgent>;
/** `null` clears a field that may be absent. */
export const patchAgent = z.strictObject({
  name: z.optional(agentFields.name),
  harness: z.optional(agentFields.harness),
  model: z.optional(z.nullable(line(200))),
  instructions: z.optional(z.nullable(text(64_000))),
  mode: z.optional(agentMode),
  repository: z.optional(z.nullable(repository)),
  egress: z.optional(
    z.nullable(z.strictObject({ allow: z.array(egressHost).check(z.maxLength(200)) })),
  ),
  env: z.optional(z.nullable(z.record(environmentName, text(32_768)))),
  idleSuspendMs: z.optional(z.nullable(z.int().check(z.minimum(60_000), z.maximum(2_592_000_000)))),
});
export type PatchAgent = z.infer<typeof patchAgent>;

export const sandboxView = z.object({
  driver: z.string(),
  phase: z.enum(sandboxPhases),
  isolated: z.boolean(),
  detail: z.optional(z.string()),
});

export const session = z.object({
  id: uuid,
  agentId: uuid,
  agentName: z.string(),
  title: z.string(),
  status: z.enum(sessionStatuses),
  reason: z.optional(z.string()),
  statusSince: timestamp,
  sandbox: sandboxView,
  currentTurnId: z.optional(uuid),
  /** Somebody asked the running turn to stop, and it has not ended yet. */
  cancelRequestedAt: z.optional(timestamp),
  queued: z.int(),
  waitingApprovals: z.int(),
  unreadSeq: seq,
  lastSeq: seq,
  mode: z.string(),
  model: z.optional(z.string()),
  holder: z.enum(['chat', 'terminal']),
  changes: z.optional(z.object({ files: z.int(), added: z.int(), deleted: z.int() })),
  usage: z.object({ inputTokens: z.int(), outputTokens: z.int(), costUsd: usd }),
  budget: z.optional(z.object({ limitUsd: usd, spentUsd: usd })),
  createdBy: person,
  createdAt: timestamp,
  lastActivityAt: timestamp,
  archivedAt: z.optional(timestamp),
  version: z.int(),
});
export type Session = z.infer<typeof session>;

export const createSession = z.strictObject({
  agentId: uuid,
  title: z.optional(line(200)),
  prompt: z.optional(prompt),
  turnId: z.optional(uuid),
  /** The workspace is filled by `PUT …/files/archive`; the agent starts after it. Without it the workspace is the agent's repository, or empty. */
  awaitArchive: z.optional(z.boolean()),
});
export type CreateSession = z.infer<typeof createSession>;
export const patchSession = z.strictObject({
  title: z.optional(line(200)),
  mode: z.optional(line(64)),
  model: z.optional(line(200)),
  budget: z.optional(z.strictObject({ limitUsd: usd })),
  /** The last event that this person has seen. */
  readSeq: z.optional(seq),
});
export type PatchSession = z.infer<typeof patchSession>;

export const turn = z.object({
  id: uuid,
  sessionId: uuid,
  state: z.enum(turnStates),
  position: z.optional(z.int()),
  prompt,
  by: z.optional(person),
  createdAt: timestamp,
  sentAt: z.optional(timestamp),
  acceptedAt: z.optional(timestamp),
  endedAt: z.optional(timestamp),
  stopReason: z.optional(z.string()),
  error: z.optional(z.object({ code: z.string(), detail: z.string() })),
  usage: z.optional(usageTotals),
  reply: z.optional(z.string()),
});
export type Turn = z.infer<typeof turn>;
export const createTurn = z.strictObject({ id: uuid, prompt });
export type CreateTurn = z.infer<typeof createTurn>;
export const patchTurn = z.strictObject({
  prompt: z.optional(prompt),
  position: z.optional(z.int().check(z.minimum(0))),
});
export type PatchTurn = z.infer<typeof patchTurn>;

export const approval = z.object({
  id: uuid,
  sessionId: uuid,
  sessionTitle: z.string(),
  agentName: z.string(),
  turnId: z.optional(uuid),
  toolCallId: z.optional(z.string()),
  /**
   * `delivery`: not the agent asks but Berth: nobody can know whether the message `turnId` arrived. Its options are the answers of `…/settle`, and deciding it is
   * the same as settling. It stands in the inbox; in the log its question is the turn's `turn.ended` with state `unknown`.
   */
  about: z.optional(z.literal('delivery')),
  revision: z.int(),
  state: z.enum(['waiting', 'decided', 'superseded', 'expired']),
  title: z.string(),
  facts: z.optional(z.array(fact)),
  options: z.array(approvalOption),
  optionId: z.optional(z.string()),
  note: z.optional(z.string()),
  decidedBy: z.optional(person),
  decidedAt: z.optional(timestamp),
  deadline: z.optional(timestamp),
  createdAt: timestamp,
});
export type Approval = z.infer<typeof approval>;
export const decideApproval = z.strictObject({
  optionId: text(200),
  revision: z.int().check(z.minimum(0), z.maximum(2_147_483_647)),
  note: z.optional(text(4000)),
});
export type DecideApproval = z.infer<typeof decideApproval>;

const terminalSize = {
  cols: z.int().check(z.minimum(2), z.maximum(1000)),
  rows: z.int().check(z.minimum(2), z.maximum(1000)),
};
export const terminal = z.object({
  id: uuid,
  sessionId: uuid,
  kind: z.enum(['agent', 'shell']),
  cols: z.int(),
  rows: z.int(),
  state: z.enum(['open', 'closed']),
  exitCode: z.optional(z.int()),
  reason: z.optional(z.string()),
  createdBy: person,
  createdAt: timestamp,
  closedAt: z.optional(timestamp),
});
export type Terminal = z.infer<typeof terminal>;
export const createTerminal = z.strictObject({ kind: z.enum(['agent', 'shell']), ...terminalSize });
export type CreateTerminal = z.infer<typeof createTerminal>;
export const terminalScreen = z.object({
  cols: z.int(),
  rows: z.int(),
  offset: z.int(),
  text: z.string(),
});
export type TerminalScreen = z.infer<typeof terminalScreen>;

export const fileEntry = z.object({
  name: z.string(),
  type: z.enum(['file', 'directory', 'link', 'other']),
  sizeBytes: z.int(),
  modifiedAt: timestamp,
});
export type FileEntry = z.infer<typeof fileEntry>;
export const fileList = z.object({ path: z.string(), items: z.array(fileEntry) });
export type FileList = z.infer<typeof fileList>;

export const changedFile = z.object({
  path: z.string(),
  from: z.optional(z.string()),
  status: z.enum(['added', 'modified', 'deleted', 'renamed']),
  added: z.int(),
  deleted: z.int(),
  binary: z.optional(z.boolean()),
});
export type ChangedFile = z.infer<typeof changedFile>;
/** `base` is the commit of the session's base; `GET …/files/content?path=&rev=base` reads a file as it was there. */
export const changes = z.object({ base: z.optional(z.string()), files: z.array(changedFile) });
export type Changes = z.infer<typeof changes>;

export const logLines = z.object({
  source: z.enum(['runner', 'agent', 'sandbox']),
  lines: z.array(z.string()),
});
export type LogLines = z.infer<typeof logLines>;

export const harness = z.object({
  id: z.string(),
  title: z.string(),
  version: z.string(),
  installed: z.boolean(),
  needsModel: z.boolean(),
  models: z.optional(z.array(z.string())),
  modes: z.array(z.string()),
  terminal: z.enum(['attach', 'handover', 'none']),
});
export type Harness = z.infer<typeof harness>;

export const meta = z.object({
  name: z.literal('berth'),
  version: z.string(),
  channels: z.literal(1),
  terminal: z.literal(1),
  gateway: z.object({
    configured: z.boolean(),
    virtualKeys: z.boolean(),
    version: z.optional(z.string()),
  }),
  drivers: z.array(z.string()),
  isolation: z.object({ isolated: z.boolean(), detail: z.optional(z.string()) }),
});
export type Meta = z.infer<typeof meta>;

export const me = z.object({
  id: uuid,
  name: z.string(),
  team: z.object({ id: uuid, name: z.string() }),
  teams: z.array(z.object({ id: uuid, name: z.string(), role: z.string() })),
  roles: z.array(z.string()),
  scopes: z.array(z.string()),
});
export type Me = z.infer<typeof me>;

export const createTicket = z.discriminatedUnion('for', [
  z.strictObject({ for: z.literal('channels') }),
  z.strictObject({ for: z.literal('terminal'), terminalId: uuid }),
]);
export type CreateTicket = z.infer<typeof createTicket>;
export const ticket = z.object({ ticket: z.string(), expiresAt: timestamp });
export type Ticket = z.infer<typeof ticket>;

export const problemBody = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  requestId: z.optional(z.string()),
  errors: z.optional(z.array(z.object({ pointer: z.string(), detail: z.string() }))),
  decision: z.optional(
    z.object({
      optionId: z.optional(z.string()),
      by: z.optional(person),
      at: z.optional(timestamp),
    }),
  ),
});

/** A page of a list, newest first; `nextCursor` is null at the end. */
export const page = <T extends z.ZodMiniType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.nullable(z.string()) });
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}
