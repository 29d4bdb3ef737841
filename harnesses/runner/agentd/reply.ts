import * as z from 'zod/mini';
import type { AgentdReply } from '../../agentd/protocol.ts';

/**
 * What comes through the sandbox's socket may come from the agent, which shares its uid with agentd: all of it is checked before anything acts
 * on it, so that the worst it can do is to lie about its own sandbox. Unknown fields pass: agentd may be newer than this runner.
 */
const idMax = 2 ** 31;
/** More than a sandbox may have. */
const processesMax = 4096;

const whole = z.int().check(z.minimum(0));
const text = z.string();
/** It becomes a header. */
const etag = text.check(z.regex(/^"[!#-~]{1,200}"$/));
const exit = { code: z.nullable(z.int()), signal: z.nullable(text) };

const processView = z.looseObject({
  id: whole.check(z.minimum(1), z.maximum(idMax)),
  tag: text.check(z.maxLength(200)),
  pid: whole,
  pty: z.boolean(),
  ringFrom: whole,
  outputTo: whole,
  cols: z.optional(whole.check(z.minimum(1), z.maximum(10_000))),
  rows: z.optional(whole.check(z.minimum(1), z.maximum(10_000))),
  exit: z.optional(z.looseObject(exit)),
});
const reply = z.discriminatedUnion('op', [
  z.looseObject({
    op: z.literal('hello'),
    version: whole,
    pid: whole,
    startedAtMs: z.number(),
    place: z.looseObject({ workspace: text, home: text, node: text }),
    processes: z.array(processView).check(z.maxLength(processesMax)),
  }),
  z.looseObject({ op: z.literal('other-version'), version: whole }),
  z.looseObject({ op: z.literal('started'), pid: whole }),
  z.looseObject({ op: z.literal('exited'), ...exit, outputTo: whole }),
  z.looseObject({
    op: z.literal('done'),
    ...exit,
    stdout: text,
    stderr: text,
    truncated: z.boolean(),
    timedOut: z.boolean(),
  }),
  z.looseObject({
    op: z.literal('list'),
    items: z.array(
      z.looseObject({
        name: text,
        type: z.enum(['file', 'directory', 'link', 'other']),
        sizeBytes: whole,
        modifiedAtMs: z.number(),
      }),
    ),
  }),
  z.looseObject({
    op: z.literal('meta'),
    sizeBytes: whole,
    modifiedAtMs: z.number(),
    etag,
  }),
  z.looseObject({ op: z.literal('end') }),
  z.looseObject({ op: z.literal('written'), etag }),
  z.looseObject({
    op: z.literal('failed'),
    code: z.enum([
      'not-found',
      'outside-workspace',
      'version-stale',
      'not-a-file',
      'not-a-directory',
      'spawn-failed',
      'unknown-id',
      'io',
    ]),
    detail: text,
  }),
]);

/** Throws when it is nothing that agentd says. */
export function readReply(body: Buffer): AgentdReply {
  const parsed = z.safeParse(reply, JSON.parse(body.toString('utf8')));
  if (!parsed.success) throw new Error('not a reply of agentd');
  return parsed.data as AgentdReply;
}

/** The offset that stands before bytes. */
export function readOffset(body: Buffer): number {
  const offset = Number(body.readBigUInt64LE(0));
  if (!Number.isSafeInteger(offset)) throw new RangeError('not an offset');
  return offset;
}
