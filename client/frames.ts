import { problemBody } from '@berth/contract';
import * as z from 'zod/mini';

const requestId = z.union([z.string(), z.int()]);
const list = {
  complete: z.optional(z.literal(true)),
  upsert: z.array(z.unknown()),
  remove: z.array(z.string()),
};
/** The server's frames with their items unread: one item that this build does not understand must not cost the others. */
const frame = z.discriminatedUnion('op', [
  z.object({
    op: z.literal('subscribed'),
    id: requestId,
    channel: z.string(),
    firstSeq: z.optional(z.int()),
    lastSeq: z.optional(z.int()),
  }),
  z.object({ op: z.literal('unsubscribed') }),
  z.object({ op: z.literal('sessions'), ...list }),
  z.object({ op: z.literal('approvals'), ...list }),
  z.object({ op: z.literal('events'), channel: z.string(), events: z.array(z.unknown()) }),
  z.object({ op: z.literal('live'), channel: z.string(), seq: z.int() }),
  z.object({ op: z.literal('resync'), channel: z.string() }),
  z.object({
    op: z.literal('problem'),
    id: z.optional(requestId),
    channel: z.optional(z.string()),
    problem: problemBody,
  }),
  z.object({ op: z.literal('pong') }),
  z.object({ op: z.literal('ping') }),
]);
export type Frame = z.infer<typeof frame>;

/** Null: not a frame that this build knows; it is ignored. */
export function readFrame(text: string): Frame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = z.safeParse(frame, value);
  return parsed.success ? parsed.data : null;
}
