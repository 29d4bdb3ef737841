import * as z from 'zod/mini';
import { contentBlock } from './content.ts';
import { harnessRecord } from './harness.ts';
import { seq, uuid } from './scalars.ts';

/**
 * The link between a runner and the control plane: private, versioned together. The runner dials `wss://…/api/v1/runner` with
 * `Authorization: Bearer <runner credential>` and this subprotocol; each frame is one JSON object in a text frame.
 *
 * Delivery. Runner → control plane: every entry of `events` is numbered by the runner (`n`, per session and `sourceId`, from 1, no gap), fsynced in
 * its journal before it is sent, kept until `ack`, and resent after a reconnect from `welcome.lastSourceSeq + 1`. Control plane → runner: `turn`, `decide`
 * and `cancel` may be repeated; the runner answers a turn it already journalled with `accepted` again and does not deliver it twice.
 */
/** In the answer to a dial; the hello repeats its value. A hello that comes a second time, over whatever way, tells of the past. */
export const challengeHeader = 'x-berth-challenge';
export const linkVersion = 1;
export const linkProtocol = `berth.link.v${String(linkVersion)}`;
/** Every version of it, for saying no in a way that the other side hears. */
export const anyLinkProtocol = /^berth\.link\.v\d+$/;
/** How a link is closed whose other side speaks another version; each says so once, and the runner is replaced. */
export const otherVersionClose = 4409;

/** What a runner needs to run one session. Sent by `bind`, which may be repeated; a higher generation replaces the sandbox connection. */
export const sessionSpec = z.object({
  sessionId: uuid,
  generation: z.int(),
  /** Names one start of the sandbox within its generation: with another one, whatever was bound before is over. */
  instance: z.optional(z.string()),
  /** Host directory that is bound at /run/berth; the runner makes its sockets there, owned by `hostUid`. */
  socketDir: z.string(),
  hostUid: z.int(),
  hostGid: z.int(),
  /** Where things are inside, if that is known before the sandbox says so. */
  place: z.optional(z.object({ workspace: z.string(), home: z.string(), node: z.string() })),
  harness: harnessRecord,
  /** Where the harness is installed inside the sandbox (read-only). */
  agentsDir: z.string(),
  mode: z.string(),
  model: z.optional(z.string()),
  instructions: z.optional(z.string()),
  env: z.record(z.string(), z.string()),
  /** Cloned through the egress proxy before the agent starts, when the workspace is empty. */
  repository: z.optional(z.object({ url: z.string(), ref: z.optional(z.string()) })),
  /** The agent starts only after an archive came into the workspace. */
  awaitArchive: z.boolean(),
  /** Authenticates this session's connections at the egress proxy and the gateway; never enters the sandbox. */
  egressToken: z.string(),
  egressSocket: z.string(),
  /** The agent's own conversation id, when one exists. */
  agentSessionId: z.optional(z.string()),
});
export type SessionSpec = z.infer<typeof sessionSpec>;

/**
 * Kinds that a runner may put into its journal. Those of `contract/events.ts` go into the log as they are; the internal ones are turned into
 * log entries by the control plane: `message.end`/`thought.end` {messageId} close a streamed text (the control plane folds its deltas into one `message`/`thought`),
 * `turn.started` also writes `message.user`, `approval.requested` gets its row and revision first, `agent.session` {agentSessionId} is kept on the session,
 * `sandbox.outdated` {generation, detail} has the sandbox started again: its agentd and this runner do not understand each other.
 */
export const internalKinds = [
  'message.end',
  'thought.end',
  'agent.session',
  'changes',
  'sandbox.outdated',
] as const;

export const sourceItem = z.object({
  n: z.int().check(z.positive()),
  kind: z.string(),
  turnId: z.optional(uuid),
  payload: z.record(z.string(), z.unknown()),
  /** The raw ACP line it came from. */
  raw: z.optional(z.string()),
});
export type SourceItem = z.infer<typeof sourceItem>;

export const runnerFrame = z.discriminatedUnion('op', [
  z.object({
    op: z.literal('hello'),
    protocol: z.int(),
    runnerId: uuid,
    version: z.string(),
    /** What the answer to the dial said under `challengeHeader`: this was said on this connection, and now. */
    challenge: z.optional(z.string()),
    /** Sessions with a journal on this runner: `firstN` is the lowest number that it still has, `lastN` the highest given out so far, `ackedN` the highest that it heard acknowledged. */
    sessions: z.array(
      z.object({
        sessionId: uuid,
        sourceId: uuid,
        firstN: z.optional(z.int()),
        lastN: z.int(),
        ackedN: z.optional(z.int()),
        generation: z.int(),
      }),
    ),
  }),
  z.object({
    op: z.literal('events'),
    sessionId: uuid,
    sourceId: uuid,
    items: z.array(sourceItem),
  }),
  z.object({ op: z.literal('accepted'), sessionId: uuid, turnId: uuid }),
  z.object({
    op: z.literal('refused'),
    sessionId: uuid,
    turnId: uuid,
    code: z.string(),
    detail: z.string(),
  }),
  z.discriminatedUnion('ok', [
    z.object({ op: z.literal('result'), id: z.int(), ok: z.literal(true), value: z.unknown() }),
    z.object({
      op: z.literal('result'),
      id: z.int(),
      ok: z.literal(false),
      code: z.string(),
      detail: z.string(),
    }),
  ]),
  z.object({ op: z.literal('ping') }),
]);
export type RunnerFrame = z.infer<typeof runnerFrame>;

/** Calls that are answered by `result`. Params and values: `runnerMethods`. */
export const runnerMethods = {
  'files.list': {
    params: z.object({ path: z.string() }),
    value: z.object({
      items: z.array(
        z.object({
          name: z.string(),
          type: z.enum(['file', 'directory', 'link', 'other']),
          sizeBytes: z.int(),
          modifiedAtMs: z.number(),
        }),
      ),
    }),
  },
  'changes.list': {
    params: z.object({}),
    value: z.object({
      base: z.optional(z.string()),
      files: z.array(
        z.object({
          path: z.string(),
          from: z.optional(z.string()),
          status: z.enum(['added', 'modified', 'deleted', 'renamed']),
          added: z.int(),
          deleted: z.int(),
          binary: z.optional(z.boolean()),
        }),
      ),
    }),
  },
  'logs.tail': {
    params: z.object({ source: z.enum(['runner', 'agent']), tail: z.int() }),
    value: z.object({ lines: z.array(z.string()) }),
  },
  'terminal.open': {
    params: z.object({
      terminalId: uuid,
      kind: z.enum(['agent', 'shell']),
      cols: z.int(),
      rows: z.int(),
      by: z.object({ id: z.string(), name: z.string() }),
    }),
    value: z.object({}),
  },
  'terminal.close': { params: z.object({ terminalId: uuid }), value: z.object({}) },
  'terminal.screen': {
    params: z.object({ terminalId: uuid }),
    value: z.object({ cols: z.int(), rows: z.int(), offset: z.int(), text: z.string() }),
  },
  'agent.restart': { params: z.object({}), value: z.object({}) },
  'agent.take-back': { params: z.object({}), value: z.object({}) },
  'mode.set': { params: z.object({ mode: z.string() }), value: z.object({}) },
  'model.set': { params: z.object({ model: z.string() }), value: z.object({}) },
  /** Stops the agent's processes in order, so that its state is on disk; the sandbox may be stopped after it. */
  quiesce: { params: z.object({}), value: z.object({}) },
} as const;
export type RunnerMethod = keyof typeof runnerMethods;
export type RunnerParams<M extends RunnerMethod> = z.infer<(typeof runnerMethods)[M]['params']>;
export type RunnerValue<M extends RunnerMethod> = z.infer<(typeof runnerMethods)[M]['value']>;

/**
 * Streams. On `stream`, the runner dials `wss://…/api/v1/runner/streams/<streamId>?at=<at>` (same credential) and bytes flow as binary frames; text frames are
 * control: `{"end":true}` after the last byte of a direction, `{"fail":{"code","detail"}}`, `{"meta":{…}}` before the first byte.
 * `terminal`: binary frames are exactly those of the public terminal socket, both ways.
 */
export const streamPurpose = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('terminal'),
    terminalId: uuid,
    cols: z.int(),
    rows: z.int(),
    offset: z.optional(z.int()),
  }),
  /** meta {sizeBytes, modifiedAtMs, etag}. `rev: base`: the file as it was in the session's base. */
  z.object({ kind: z.literal('file.read'), path: z.string(), rev: z.optional(z.literal('base')) }),
  /** Answers meta {etag} after the file was replaced atomically. `ifMatch`: refuse with code `version-stale`. */
  z.object({ kind: z.literal('file.write'), path: z.string(), ifMatch: z.optional(z.string()) }),
  /** A tar stream, gzip allowed, unpacked inside the sandbox; then the base is made. Answers meta {files}. */
  z.object({ kind: z.literal('archive.write'), overwrite: z.boolean() }),
  z.object({ kind: z.literal('changes.patch'), path: z.optional(z.string()) }),
]);
export type StreamPurpose = z.infer<typeof streamPurpose>;

export const controlFrame = z.discriminatedUnion('op', [
  /** `lastSourceSeq`: what the log already holds of `sourceId`. A session that is not listed is not ours: drop it (`purge`). */
  z.object({
    op: z.literal('welcome'),
    sessions: z.array(z.object({ sessionId: uuid, sourceId: uuid, lastSourceSeq: seq })),
    purge: z.array(uuid),
  }),
  z.object({ op: z.literal('bind'), session: sessionSpec }),
  /** Stop everything of this session here; `purge`: also forget its journal. */
  z.object({ op: z.literal('unbind'), sessionId: uuid, purge: z.boolean() }),
  z.object({ op: z.literal('ack'), sessionId: uuid, sourceId: uuid, n: z.int() }),
  z.object({ op: z.literal('turn'), sessionId: uuid, turnId: uuid, prompt: z.array(contentBlock) }),
  z.object({ op: z.literal('cancel'), sessionId: uuid, turnId: uuid }),
  z.object({
    op: z.literal('decide'),
    sessionId: uuid,
    approvalId: uuid,
    optionId: z.string(),
    note: z.optional(z.string()),
  }),
  z.object({
    op: z.literal('call'),
    id: z.int(),
    sessionId: uuid,
    method: z.string(),
    params: z.unknown(),
  }),
  z.object({
    op: z.literal('stream'),
    streamId: uuid,
    sessionId: uuid,
    /** Which process of the control plane waits for it: goes back as `?at=`, and whoever is dialled hands the connection on. */
    at: z.optional(uuid),
    purpose: streamPurpose,
  }),
  z.object({ op: z.literal('pong') }),
]);
export type ControlFrame = z.infer<typeof controlFrame>;

/**
 * The heart of a stream, on both of its sides: whether the other one is there. Both ping also while they do not read, so a peer that only waits for its own
 * reader is still heard. Beats are counted, not milliseconds: a machine that slept has not heard nothing for hours. Pure.
 */
export function createBeats(missedMax: number) {
  let missed = 0;
  return {
    heard(): void {
      missed = 0;
    },
    /** False: the other side is gone without a word. While we do not read, its silence is ours. */
    beat(reading: boolean): boolean {
      missed = reading ? missed + 1 : 0;
      return missed <= missedMax;
    },
  };
}
