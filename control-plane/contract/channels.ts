import * as z from 'zod/mini';
import { approval, problemBody, session } from './resources.ts';
import { eventEnvelope } from './events.ts';
import { seq, uuid } from './scalars.ts';

export const channelsProtocol = 'berth.channels.v1';
export const channelName = z.union([
  z.literal('sessions'),
  z.literal('approvals'),
  z.templateLiteral([
    'session/',
    z.string().check(z.regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)),
  ]),
]);
const requestId = z.union([z.string().check(z.maxLength(64)), z.int()]);

export const channelRequest = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('subscribe'),
    id: requestId,
    channel: z.string().check(z.maxLength(64)),
    after: z.optional(seq),
    tail: z.optional(z.int().check(z.minimum(0), z.maximum(1000))),
  }),
  z.strictObject({
    op: z.literal('unsubscribe'),
    id: requestId,
    channel: z.string().check(z.maxLength(64)),
  }),
  z.strictObject({ op: z.literal('ping') }),
]);
export type ChannelRequest = z.infer<typeof channelRequest>;

export const channelFrame = z.discriminatedUnion('op', [
  z.object({
    op: z.literal('subscribed'),
    id: requestId,
    channel: z.string(),
    firstSeq: z.optional(seq),
    lastSeq: z.optional(seq),
  }),
  z.object({ op: z.literal('unsubscribed'), id: requestId, channel: z.string() }),
  z.object({
    op: z.literal('sessions'),
    id: z.optional(requestId),
    complete: z.optional(z.literal(true)),
    upsert: z.array(session),
    remove: z.array(uuid),
  }),
  z.object({
    op: z.literal('approvals'),
    id: z.optional(requestId),
    complete: z.optional(z.literal(true)),
    upsert: z.array(approval),
    remove: z.array(uuid),
  }),
  z.object({ op: z.literal('events'), channel: z.string(), events: z.array(eventEnvelope) }),
  z.object({ op: z.literal('live'), channel: z.string(), seq }),
  z.object({ op: z.literal('resync'), channel: z.string(), seq }),
  z.object({
    op: z.literal('problem'),
    id: z.optional(requestId),
    channel: z.optional(z.string()),
    problem: problemBody,
  }),
  z.object({ op: z.literal('pong') }),
  z.object({ op: z.literal('ping') }),
]);
export type ChannelFrame = z.infer<typeof channelFrame>;

export const closeCodes = {
  notSignedIn: 4401,
  noLongerAllowed: 4403,
  /** The terminal is unknown, or has ended. */
  notFound: 4404,
  terminalClosed: 4410,
  protocol: 4409,
  restarting: 1012,
  overloaded: 1013,
} as const;
