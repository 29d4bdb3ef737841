import * as z from 'zod/mini';
import { contentBlock } from './content.ts';
import { person, seq, timestamp, usd, uuid } from './scalars.ts';

export const sessionStatuses = [
  'starting',
  'idle',
  'running',
  'waiting',
  'stalled',
  'suspending',
  'suspended',
  'waking',
  'failed',
  'lost',
] as const;
export type SessionStatus = (typeof sessionStatuses)[number];

export const sandboxPhases = [
  'requested',
  'installing',
  'creating',
  'starting',
  'agent-starting',
  'ready',
  'suspending',
  'suspended',
  'waking',
  'failed',
  'lost',
  'removed',
] as const;
export type SandboxPhase = (typeof sandboxPhases)[number];

export const turnStates = [
  'queued',
  'sent',
  'accepted',
  'running',
  'done',
  'cancelled',
  'failed',
  'unknown',
] as const;
export type TurnState = (typeof turnStates)[number];

export const toolStatuses = ['pending', 'running', 'completed', 'failed', 'interrupted'] as const;
export type ToolStatus = (typeof toolStatuses)[number];
export const toolKinds = [
  'read',
  'edit',
  'delete',
  'move',
  'search',
  'execute',
  'think',
  'fetch',
  'switch_mode',
  'other',
] as const;
export type ToolKind = (typeof toolKinds)[number];
export const optionKinds = ['allow_once', 'allow_always', 'reject_once', 'reject_always'] as const;

export const usageTotals = z.object({
  inputTokens: z.int(),
  outputTokens: z.int(),
  cachedTokens: z.optional(z.int()),
  costUsd: z.optional(usd),
});
export type UsageTotals = z.infer<typeof usageTotals>;

const range = z.object({ from: seq, to: seq });
const budget = z.object({ limitUsd: usd, spentUsd: usd });
const failure = z.object({ code: z.string(), detail: z.string() });

export const approvalOption = z.object({
  optionId: z.string(),
  name: z.string(),
  kind: z.enum(optionKinds),
});
export type ApprovalOption = z.infer<typeof approvalOption>;
export const fact = z.object({ label: z.string(), value: z.string() });

export const planEntry = z.object({
  content: z.string(),
  status: z.enum(['pending', 'in_progress', 'completed']),
  priority: z.optional(z.enum(['high', 'medium', 'low'])),
});
export type PlanEntry = z.infer<typeof planEntry>;

/** One file's change inside a tool call; `oldText` is absent for a new file. */
export const toolDiff = z.object({
  path: z.string(),
  oldText: z.optional(z.string()),
  newText: z.string(),
});
export type ToolDiff = z.infer<typeof toolDiff>;

const messagePayload = z.object({
  messageId: z.string(),
  content: z.array(contentBlock),
  supersedes: z.optional(range),
});
const deltaPayload = z.object({ messageId: z.string(), text: z.string() });

/** Payload of each kind of event. Readers ignore kinds and fields that they do not know. */
export const eventPayloads = {
  'session.status': z.object({ status: z.enum(sessionStatuses), reason: z.optional(z.string()) }),
  'sandbox.phase': z.object({
    phase: z.enum(sandboxPhases),
    detail: z.optional(z.string()),
    progress: z.optional(z.object({ done: z.number(), total: z.number(), unit: z.string() })),
    logs: z.optional(z.array(z.string())),
  }),
  'turn.queued': z.object({
    turnId: uuid,
    prompt: z.optional(z.array(contentBlock)),
    by: z.optional(person),
    position: z.optional(z.int()),
  }),
  'turn.started': z.object({ turnId: uuid }),
  'turn.ended': z.object({
    turnId: uuid,
    state: z.enum(turnStates),
    stopReason: z.optional(z.string()),
    error: z.optional(failure),
    usage: z.optional(usageTotals),
  }),
  'message.user': z.object({
    messageId: z.string(),
    turnId: uuid,
    content: z.array(contentBlock),
    by: z.optional(person),
    /** Typed in the agent's own terminal, and told afterwards: `turnId` names no turn of the queue then. Who typed is not known. */
    via: z.optional(z.literal('terminal')),
  }),
  'message.delta': deltaPayload,
  message: messagePayload,
  'thought.delta': deltaPayload,
  thought: messagePayload,
  tool: z.object({
    toolCallId: z.string(),
    title: z.optional(z.string()),
    kind: z.optional(z.enum(toolKinds)),
    status: z.optional(z.enum(toolStatuses)),
    locations: z.optional(z.array(z.object({ path: z.string(), line: z.optional(z.int()) }))),
    content: z.optional(z.array(contentBlock)),
    diff: z.optional(z.array(toolDiff)),
    rawInput: z.optional(z.unknown()),
    output: z.optional(
      z.union([z.object({ text: z.string() }), z.object({ blobId: uuid, bytes: z.int() })]),
    ),
    exitCode: z.optional(z.int()),
  }),
  plan: z.object({ entries: z.array(planEntry) }),
  commands: z.object({
    commands: z.array(
      z.object({ name: z.string(), description: z.string(), hint: z.optional(z.string()) }),
    ),
  }),
  mode: z.object({
    current: z.string(),
    choices: z.array(
      z.object({ id: z.string(), name: z.string(), description: z.optional(z.string()) }),
    ),
  }),
  'approval.requested': z.object({
    approvalId: uuid,
    revision: z.int(),
    turnId: z.optional(uuid),
    toolCallId: z.optional(z.string()),
    title: z.string(),
    facts: z.optional(z.array(fact)),
    options: z.array(approvalOption),
    deadline: z.optional(timestamp),
  }),
  'approval.resolved': z.object({
    approvalId: uuid,
    state: z.enum(['decided', 'superseded', 'expired']),
    optionId: z.optional(z.string()),
    by: z.optional(person),
    note: z.optional(z.string()),
  }),
  usage: z.object({
    inputTokens: z.int(),
    outputTokens: z.int(),
    cachedTokens: z.optional(z.int()),
    costUsd: z.optional(usd),
    model: z.optional(z.string()),
    budget: z.optional(budget),
  }),
  'terminal.opened': z.object({
    terminalId: uuid,
    kind: z.enum(['agent', 'shell']),
    by: z.optional(person),
  }),
  'terminal.closed': z.object({
    terminalId: uuid,
    exitCode: z.optional(z.int()),
    reason: z.optional(z.string()),
  }),
  notice: z.object({ code: z.string(), text: z.string() }),
  error: z.object({ code: z.string(), detail: z.string() }),
} as const;

export type EventKind = keyof typeof eventPayloads;
export type Payload<K extends EventKind> = z.infer<(typeof eventPayloads)[K]>;
export const eventKinds = Object.keys(eventPayloads) as EventKind[];

/** Kinds whose rows a later `message` or `thought` replaces. */
export const deltaKinds = ['message.delta', 'thought.delta'] as const;

interface EventOf<K extends EventKind> {
  sessionId: string;
  seq: number;
  at: string;
  kind: K;
  turnId?: string | undefined;
  payload: Payload<K>;
}
/** A log entry as every reader gets it: socket, SSE and REST alike. */
export type Event = { [K in EventKind]: EventOf<K> }[EventKind];

/** The envelope only: payloads of kinds that this build does not know pass untouched. */
export const eventEnvelope = z.object({
  sessionId: uuid,
  seq: z.int().check(z.positive()),
  at: timestamp,
  kind: z.string(),
  turnId: z.optional(uuid),
  payload: z.record(z.string(), z.unknown()),
});

export function isKnownKind(kind: string): kind is EventKind {
  return Object.hasOwn(eventPayloads, kind);
}

/** Reads one event from the wire. Null: a kind or shape that this build does not know, to be ignored. */
export function parseEvent(value: unknown): Event | null {
  const envelope = z.safeParse(eventEnvelope, value);
  if (!envelope.success || !isKnownKind(envelope.data.kind)) return null;
  const payload = z.safeParse(eventPayloads[envelope.data.kind], envelope.data.payload);
  if (!payload.success) return null;
  return { ...envelope.data, payload: payload.data } as Event;
}
