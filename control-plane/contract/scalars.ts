import * as z from 'zod/mini';

/** Ids are UUIDs (v7 where we make them), in lower case on the wire; a client's turn id may be any version. */
export const uuid = z.pipe(
  z
    .string()
    .check(
      z.regex(
        /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/,
        'not a UUID',
      ),
    ),
  z.transform((text: string) => text.toLowerCase()),
);
/** RFC 3339, UTC, milliseconds: `2026-11-22T17:45:40.123Z`. */
export const timestamp = z
  .string()
  .check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'not a UTC timestamp'));
/** Money: US dollars as a decimal string, `"0.012345"`. */
export const usd = z
  .string()
  .check(z.regex(/^\d{1,9}(\.\d{1,9})?$/, 'write it with a point: 5.00'));
export const seq = z.int().check(z.nonnegative());
/** One line a person wrote: no control characters, trimmed length 1 to `max`. */
export const line = (max: number) =>
  z.string().check(
    z.trim(),
    z.minLength(1, 'must not be empty'),
    z.maxLength(max, `at most ${String(max)} characters`),
    // eslint-disable-next-line no-control-regex -- control characters are what this keeps out
    z.regex(/^[^\u0000-\u001f\u007f]*$/, 'must be one line'),
  );
/** Text that Postgres can store in a text column: anything but U+0000. */
export const text = (max: number) =>
  z.string().check(
    z.maxLength(max, `at most ${String(max)} characters`),
    // eslint-disable-next-line no-control-regex -- Postgres refuses U+0000 in text
    z.regex(/^[^\u0000]*$/, 'must not contain U+0000'),
  );
export const person = z.object({ id: z.string(), name: z.string() });
export type Person = z.infer<typeof person>;

declare const brand: unique symbol;
export type Id<Name extends string> = string & { readonly [brand]?: Name };
export type SessionId = Id<'session'>;
export type AgentId = Id<'agent'>;
export type TurnId = Id<'turn'>;
export type TeamId = Id<'team'>;
export type UserId = Id<'user'>;
export type ApprovalId = Id<'approval'>;
export type TerminalId = Id<'terminal'>;
