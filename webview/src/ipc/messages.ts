import * as z from 'zod/mini';
import { contentBlock, eventEnvelope, prompt, session, settleTurn, turn } from '@berth/contract';

/**
 * What the chat and its host say to each other. Three shapes cross the border: the chat calls, the host answers, the
 * host notifies. Both sides read everything through these schemas, so a message of another version is refused, not guessed at.
 * This file is plain: the extension imports it as it is.
 */
const nothing = z.object({});
/** A call that only does something: what its handler returns is not looked at. */
const done = z.unknown();
const id = z.string().check(z.minLength(1), z.maxLength(100));
const ofSession = z.object({ sessionId: id });
const seq = z.int().check(z.nonnegative());

export const draft = z.object({
  text: z.string().check(z.maxLength(1_000_000)),
  blocks: z.array(contentBlock).check(z.maxLength(99)),
});
export type Draft = z.infer<typeof draft>;

/** Who looks, and what this host can do for the chat. */
export const hello = z.object({
  host: z.enum(['vscode', 'browser']),
  sessionId: z.nullable(id),
  me: z.object({ id: z.string(), name: z.string(), team: z.string() }),
  canWrite: z.boolean(),
  sendKey: z.enum(['enter', 'ctrlEnter']),
  isolated: z.boolean(),
  /** An editor is there: code can be inserted at its cursor and text be opened in it. */
  editor: z.boolean(),
});
export type Hello = z.infer<typeof hello>;

/** A window on the log: every event of it with `after < seq <= to`, in order, superseded ones left out. */
const span = { after: seq, to: seq, events: z.array(eventEnvelope) };
export const opened = z.object({
  session,
  ...span,
  hasOlder: z.boolean(),
  /** The turns that are not over, so that the queue is whole even where its events lie before the window. */
  turns: z.array(turn),
  /** Events before the window that still hold: the latest plan, mode and commands. */
  context: z.array(eventEnvelope),
  /** What the agent may be set to; empty where it has no model. */
  models: z.array(z.string()),
});
export type Opened = z.infer<typeof opened>;

export const mentionItem = z.object({ uri: z.string(), name: z.string() });
export type MentionItem = z.infer<typeof mentionItem>;

const call = <P extends z.ZodMiniType, R extends z.ZodMiniType>(params: P, result: R) => ({
  params,
  result,
});

/** Everything that the chat may ask of its host. */
export const calls = {
  ready: call(nothing, hello),
  /** `knownSeq`: the chat holds everything up to there and wants the rest; without it, the tail. The host then notifies `events`. */
  openSession: call(z.object({ sessionId: id, knownSeq: z.optional(seq) }), opened),
  page: call(
    z.object({ sessionId: id, before: seq, limit: z.int().check(z.minimum(1), z.maximum(1000)) }),
    z.object({ ...span, hasOlder: z.boolean() }),
  ),
  send: call(z.object({ sessionId: id, turnId: id, prompt }), done),
  cancel: call(ofSession, done),
  queueEdit: call(z.object({ sessionId: id, turnId: id, prompt }), done),
  queueMove: call(z.object({ sessionId: id, turnId: id, position: seq }), done),
  queueWithdraw: call(z.object({ sessionId: id, turnId: id }), done),
  decide: call(
    z.object({
      approvalId: id,
      optionId: z.string(),
      revision: z.int(),
      note: z.optional(z.string()),
    }),
    done,
  ),
  settle: call(z.object({ sessionId: id, turnId: id, ...settleTurn.shape }), done),
  setMode: call(z.object({ sessionId: id, mode: z.string() }), done),
  setModel: call(z.object({ sessionId: id, model: z.string() }), done),
  suspend: call(ofSession, done),
  resume: call(ofSession, done),
  restartAgent: call(ofSession, done),
  takeBack: call(ofSession, done),
  archive: call(ofSession, done),
  unarchive: call(ofSession, done),
  markRead: call(z.object({ sessionId: id, seq }), done),
  openTerminal: call(z.object({ sessionId: id, kind: z.enum(['agent', 'shell']) }), done),
  openChanges: call(z.object({ sessionId: id, path: z.optional(z.string()) }), done),
  openFile: call(z.object({ sessionId: id, path: z.string(), line: z.optional(z.int()) }), done),
  openText: call(z.object({ title: z.string(), text: z.string() }), done),
  openLink: call(z.object({ url: z.string().check(z.regex(/^(https?:|mailto:)/i)) }), done),
  showLog: call(ofSession, done),
  insertAtCursor: call(z.object({ text: z.string() }), done),
  copy: call(z.object({ text: z.string() }), done),
  saveDraft: call(z.object({ sessionId: id, draft: z.nullable(draft) }), done),
  loadDraft: call(ofSession, z.object({ draft: z.nullable(draft) })),
  blob: call(z.object({ sessionId: id, blobId: id }), z.object({ text: z.string() })),
  mention: call(
    z.object({ sessionId: id, query: z.string() }),
    z.object({ items: z.array(mentionItem) }),
  ),
  reconnect: call(nothing, done),
  signIn: call(nothing, done),
} as const;
export type CallName = keyof typeof calls;
export type Params<N extends CallName> = z.infer<(typeof calls)[N]['params']>;
export type Result<N extends CallName> = z.infer<(typeof calls)[N]['result']>;

export const connectionStates = [
  'connected',
  'connecting',
  'waiting',
  'signedOut',
  'incompatible',
] as const;

/** Everything that a host may tell the chat on its own. */
export const notes = {
  events: z.object({ sessionId: id, ...span }),
  session: z.object({ session }),
  connection: z.object({
    state: z.enum(connectionStates),
    nextTryMs: z.optional(z.number()),
    detail: z.optional(z.string()),
  }),
  /** Show another session in this view, or none. */
  show: z.object({ sessionId: z.nullable(id) }),
  focusComposer: nothing,
  /** Add to the composer: a selection or file that the person chose elsewhere. */
  draft: z.object({ sessionId: id, draft }),
  /** The colours changed: what is drawn on a canvas must be drawn again. */
  theme: nothing,
} as const;
export type NoteName = keyof typeof notes;
export type Note<N extends NoteName> = z.infer<(typeof notes)[N]>;
export type Connection = Note<'connection'>;

/** A refusal, as the API words it. */
export const refusal = z.object({
  code: z.string(),
  detail: z.string(),
  requestId: z.optional(z.string()),
  by: z.optional(z.string()),
});
export type Refusal = z.infer<typeof refusal>;

export const callMessage = z.object({
  type: z.literal('call'),
  id: z.int(),
  name: z.string(),
  params: z.unknown(),
});
export type CallMessage = z.infer<typeof callMessage>;
export const hostMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('answer'), id: z.int(), value: z.unknown() }),
  z.object({ type: z.literal('refused'), id: z.int(), refusal }),
  z.object({ type: z.literal('note'), name: z.string(), data: z.unknown() }),
]);
export type HostMessage = z.infer<typeof hostMessage>;
