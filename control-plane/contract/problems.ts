/**
 * Every refusal that the API can give. One table; a code is never renamed, and clients switch on it, never on text.
 * `docs/problems.md` lists the same codes, and a test holds the two together.
 */
export const problems = {
  'invalid-request': { status: 400, title: 'The request does not fit the contract' },
  'malformed-json': { status: 400, title: 'The body is not JSON' },
  'not-signed-in': { status: 401, title: 'Not signed in' },
  forbidden: { status: 403, title: 'Not allowed' },
  'origin-refused': { status: 403, title: 'This origin may not do this' },
  'outside-workspace': { status: 403, title: 'The path leaves the workspace' },
  'not-found': { status: 404, title: 'Not found' },
  'method-not-allowed': { status: 405, title: 'This resource does not know this method' },
  'already-decided': { status: 409, title: 'Already answered' },
  'turn-already-sent': { status: 409, title: 'The agent already has this message' },
  'turn-not-unknown': { status: 409, title: 'The delivery of this message is not in question' },
  'session-deleting': { status: 409, title: 'The session is being deleted' },
  'session-archived': { status: 409, title: 'The session is archived' },
  'workspace-not-empty': { status: 409, title: 'The workspace already holds files' },
  'agent-in-use': { status: 409, title: 'The agent still has sessions' },
  'agent-has-no-terminal': { status: 409, title: 'This agent has no terminal of its own' },
  'request-in-progress': { status: 409, title: 'The first request with this key still runs' },
  'sandbox-not-ready': { status: 409, title: 'The sandbox is not running' },
  'file-refused': { status: 409, title: 'The sandbox does not allow it' },
  'terminal-closed': { status: 410, title: 'The terminal has ended' },
  'version-stale': { status: 412, title: 'Somebody changed it meanwhile' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'This media type is not understood' },
  'host-refused': { status: 421, title: 'This server does not answer for that host' },
  'idempotency-key-reused': {
    status: 422,
    title: 'The idempotency key was used for another request',
  },
  'turn-id-reused': { status: 422, title: 'The turn id was used for another prompt' },
  'harness-unknown': { status: 422, title: 'No such harness' },
  'model-required': { status: 422, title: 'This harness needs a model' },
  'precondition-required': { status: 428, title: 'If-Match is required' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'internal-error': { status: 500, title: 'The server could not do this' },
  'runner-unreachable': { status: 503, title: 'The runner of this session is not connected' },
  'not-ready': { status: 503, title: 'The server is not ready' },
  'disk-full': { status: 507, title: 'The disk is full' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof problems;

/** One entry per faulty field; `pointer` is a JSON pointer into the body, or `?name` for a query parameter. */
export interface FieldError {
  pointer: string;
  detail: string;
}

/** RFC 9457 `application/problem+json`, as it goes over the wire. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId?: string;
  errors?: FieldError[];
  /** `already-decided`: who, when and what. */
  decision?: { optionId?: string; by?: { id: string; name: string }; at?: string };
}

/** A refused request. Only `web/` turns it into an answer. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly detail: string;
  readonly extra: Partial<Pick<ProblemBody, 'errors' | 'decision'>>;

  constructor(
    code: ProblemCode,
    detail: string,
    extra: Partial<Pick<ProblemBody, 'errors' | 'decision'>> & { cause?: unknown } = {},
  ) {
    const { cause, ...rest } = extra;
    super(`${code}: ${detail}`, { cause });
    this.code = code;
    this.detail = detail;
    this.extra = rest;
  }

  get status(): number {
    return problems[this.code].status;
  }

  toBody(requestId?: string): ProblemBody {
    return {
      type: `urn:berth:problem:${this.code}`,
      title: problems[this.code].title,
      status: this.status,
      detail: this.detail,
      code: this.code,
      ...(requestId === undefined ? {} : { requestId }),
      ...this.extra,
    };
  }
}
