import type * as z from 'zod/mini';
import type { ProblemCode } from '../problems.ts';

/**
 * The shape of one row of the table of routes. From the table come the OpenAPI document, the validation of every request, and the test that
 * nothing is mounted that is not written down. Path parameters are ids: a malformed one is an unknown one (404).
 */
export type QueryParameter = { readonly about: string } & (
  | { readonly kind: 'int'; readonly min: number; readonly max: number; readonly default?: number }
  | { readonly kind: 'flag' }
  | { readonly kind: 'one-of'; readonly values: readonly string[] }
  | { readonly kind: 'uuid' }
  | { readonly kind: 'text'; readonly max: number; readonly required?: true }
);
export type QueryTable = Readonly<Record<string, QueryParameter>>;

/** What a person may do; roles and scopes are both said in these words. */
export type Action =
  'read' | 'sessions' | 'terminals' | 'approvals' | 'workspace' | 'agents' | 'tokens';

export type RequestHeader =
  'Idempotency-Key' | 'If-Match' | 'If-Match-ETag' | 'Prefer' | 'Last-Event-ID';

export interface Body {
  readonly schema: z.ZodMiniType;
  readonly optional?: true;
  readonly maxBytes?: number;
}
export interface Answer {
  readonly about: string;
  /** JSON of this schema, unless `types` says otherwise. */
  readonly schema?: z.ZodMiniType;
  readonly types?: readonly string[];
  readonly headers?: readonly ('ETag' | 'Location' | 'Preference-Applied')[];
}

export interface Route {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  /** `null`: no sign-in. `bearer` refuses cookies. */
  readonly action: Action | null;
  readonly bearerOnly?: true;
  readonly query?: QueryTable;
  readonly headers?: readonly RequestHeader[];
  readonly body?: Body;
  /** The body is bytes that are streamed on, of one of these media types. */
  readonly stream?: readonly string[];
  readonly answers: Readonly<Record<number, Answer>>;
  /** Beyond those that every route may give (see `commonProblems`). */
  readonly problems?: readonly ProblemCode[];
  /** For readers of the OpenAPI document: what can be done with the id in the answer. */
  readonly links?: Readonly<Record<string, string>>;
}

type QueryValue<P> = P extends { kind: 'int' }
  ? number
  : P extends { kind: 'flag' }
    ? boolean
    : P extends { kind: 'one-of'; values: readonly (infer V)[] }
      ? V
      : string;
type Sure = { required: true } | { default: number };
export type QueryOf<Q> = {
  [K in keyof Q as Q[K] extends Sure ? K : never]: QueryValue<Q[K]>;
} & { [K in keyof Q as Q[K] extends Sure ? never : K]?: QueryValue<Q[K]> };

export type ParamNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never;

export const limit = {
  kind: 'int',
  min: 1,
  max: 200,
  default: 50,
  about: 'How many at most.',
} as const;
export const cursor = {
  kind: 'uuid',
  about: '`nextCursor` of the page before.',
} as const;
export const filePath = {
  kind: 'text',
  max: 4096,
  about: 'Below the workspace: relative to it, or starting with `/workspace`.',
} as const;

export const bodyLimits = {
  defaultBytes: 1024 * 1024,
  /** Turns carry images. */
  promptBytes: 20 * 1024 * 1024,
} as const;
