import * as z from 'zod/mini';
import { line, timestamp } from './scalars.ts';

export const scopes = [
  '*',
  'read',
  'sessions',
  'terminals',
  'approvals',
  'workspace',
  'agents',
  'tokens',
] as const;
export type Scope = (typeof scopes)[number];

/** `id` is the middle of `berth_<id>_<secret>`. */
export const token = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  createdAt: timestamp,
  expiresAt: z.optional(timestamp),
  lastUsedAt: z.optional(timestamp),
});
export type Token = z.infer<typeof token>;
export const createToken = z.strictObject({
  name: line(80),
  scopes: z._default(z.array(z.enum(scopes)).check(z.minLength(1), z.maxLength(20)), ['*']),
  /** Absent: 90 days. */
  expiresInMs: z.optional(z.int().check(z.minimum(60_000), z.maximum(31_536_000_000))),
});
export type CreateToken = z.infer<typeof createToken>;
export const createdToken = z.object({
  ...token.shape,
  /** Shown this once. */
  token: z.string(),
});
export type CreatedToken = z.infer<typeof createdToken>;

export const createSignInLink = z.strictObject({
  /** Where the browser goes next; on this server. */
  path: z.optional(
    z
      .string()
      .check(
        z.maxLength(500),
        z.regex(/^\/([!-.0-[\]-~][!-[\]-~]*)?$/, 'a path on this server, such as /#/sessions/…'),
      ),
  ),
});
export const signInLink = z.object({ url: z.string(), expiresAt: timestamp });
export type SignInLink = z.infer<typeof signInLink>;
