import type { FieldError, ProblemCode } from '@berth/contract';
import { Problem } from '@berth/contract';
import { isDiskFull } from '../sessions/index.ts';

/** A problem whose answer carries headers of its own. */
export class Refusal extends Problem {
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, detail: string, headers: Readonly<Record<string, string>>) {
    super(code, detail);
    this.headers = headers;
  }
}

export const invalid = (detail: string, errors: FieldError[]): Problem =>
  new Problem('invalid-request', detail, { errors });

interface ParserError {
  type: string;
  status: number;
}
const isParserError = (error: unknown): error is ParserError =>
  error instanceof Error &&
  'type' in error &&
  typeof error.type === 'string' &&
  'status' in error &&
  typeof error.status === 'number';

/** SQLSTATE classes of connection, resources and operator; the client's own codes of a server that cannot be reached. */
const awayCodes =
  /^(08|53|57P)|^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|P1001|P1002|P1008|P1017)$/;
/** The driver has no code for some of it. */
const awayWords =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout)|not queryable/;
function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // A Unix socket whose server is down is not there at all. Routes open no connection but the database's.
  const unconnected = 'syscall' in error && error.syscall === 'connect';
  return unconnected || awayCodes.test(code) || awayWords.test(error.message);
}

/** What Express and its body parser throw about a bad request; null: not the client's fault. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof URIError)
    return new Problem('invalid-request', 'The path is not well-formed.', { cause: error });
  if (isDiskFull(error))
    return new Problem(
      'disk-full',
      'The disk of the database is full. Make room, then try again.',
      {
        cause: error,
      },
    );
  if (isDatabaseAway(error))
    return new Problem('not-ready', 'The database does not answer. Nothing was lost; try again.', {
      cause: error,
    });
  if (!isParserError(error)) return null;
  switch (error.type) {
    case 'entity.too.large':
      return new Problem('body-too-large', 'The body is larger than this call takes.');
    case 'entity.parse.failed':
      return new Problem('malformed-json', 'The body is not JSON.');
    case 'charset.unsupported':
    case 'encoding.unsupported':
      return new Problem('unsupported-media-type', 'Send plain JSON in UTF-8.');
    case 'request.aborted':
    case 'request.size.invalid':
      return new Problem('invalid-request', 'The body ended early.');
    default:
      return error.status < 500 ? new Problem('invalid-request', 'The request is broken.') : null;
  }
}
