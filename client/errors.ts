import type { FieldError, ProblemBody, ProblemCode } from '@berth/contract';
import { Problem, problemBody, problems } from '@berth/contract';
import * as z from 'zod/mini';

/** Nobody answered, or something between us and the server did. */
export class ServerUnreachable extends Error {
  override readonly name = 'ServerUnreachable';
  readonly url: string;
  constructor(url: string, detail: string, cause?: unknown) {
    super(`${url} ${detail}`, { cause });
    this.url = url;
  }
}

/** A refusal whose code this build does not know: a newer server, or an answer that is not a problem document. */
export class UnknownProblem extends Error {
  override readonly name = 'UnknownProblem';
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  constructor(code: string, status: number, detail: string, cause?: unknown) {
    super(`${code}: ${detail}`, { cause });
    this.code = code;
    this.status = status;
    this.detail = detail;
  }
}

/** The server answered something that is not of this protocol. */
export class AnswerNotUnderstood extends Error {
  override readonly name = 'AnswerNotUnderstood';
}

const isKnown = (code: string): code is ProblemCode => Object.hasOwn(problems, code);

export function problemFromBody(body: z.infer<typeof problemBody>): Problem | UnknownProblem {
  const cause = body.requestId === undefined ? undefined : { requestId: body.requestId };
  if (!isKnown(body.code)) {
    return new UnknownProblem(body.code, body.status, body.detail, cause);
  }
  const extra: { errors?: FieldError[]; decision?: NonNullable<ProblemBody['decision']> } = {};
  if (body.errors !== undefined) extra.errors = body.errors;
  if (body.decision !== undefined) {
    const { optionId, by, at } = body.decision;
    extra.decision = {
      ...(optionId === undefined ? {} : { optionId }),
      ...(by === undefined ? {} : { by }),
      ...(at === undefined ? {} : { at }),
    };
  }
  return new Problem(body.code, body.detail, { ...extra, cause });
}

/** What an answer that is not 2xx means. */
export function problemFromAnswer(url: string, status: number, text: string): Error {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  const parsed = z.safeParse(problemBody, body);
  if (parsed.success) return problemFromBody(parsed.data);
  // A proxy in front of a server that is away answers these without a problem document.
  if (status === 502 || status === 503 || status === 504)
    return new ServerUnreachable(url, `answered ${status}`);
  return new UnknownProblem(`http-${status}`, status, `the server answered ${status}`);
}

/** The stable code of a refusal; undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Problem || error instanceof UnknownProblem ? error.code : undefined;
}

/** One sentence for a person. */
export function explain(error: unknown): string {
  if (error instanceof Problem || error instanceof UnknownProblem) {
    // Only this one says no more in its own sentence than that something does not fit.
    const fields = error.code === 'invalid-request' && error instanceof Problem;
    const first = fields ? error.extra.errors?.[0] : undefined;
    return first === undefined ? error.detail : `${first.pointer || 'body'}: ${first.detail}`;
  }
  if (error instanceof ServerUnreachable) return `The server cannot be reached: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
