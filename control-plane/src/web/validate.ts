import type { FieldError } from '@berth/contract';
import type { QueryParameter, QueryTable } from '@berth/contract/routes';
import * as z from 'zod/mini';
import { invalid } from './refusals.ts';

/** RFC 6901. */
export const pointerTo = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

type Issue = z.core.$ZodIssue;

const words = (issue: Issue): string => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be a ${issue.expected}`;
    case 'invalid_value':
      return `must be one of: ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `must be at least ${String(issue.minimum)}`;
    case 'too_big':
      return `must be at most ${String(issue.maximum)}`;
    default:
      return issue.message;
  }
};
// zod says "Invalid input" where nobody wrote a message of ours.
const detailOf = (issue: Issue): string =>
  /^(Invalid|Too|Unrecognized)/.test(issue.message) ? words(issue) : issue.message;

export function fieldErrors(issues: readonly Issue[]): FieldError[] {
  return issues.slice(0, 20).flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        pointer: pointerTo([...issue.path, key]),
        detail: 'is not known here',
      }));
    }
    return [{ pointer: pointerTo(issue.path), detail: detailOf(issue) }];
  });
}

export function parseBody<Schema extends z.ZodMiniType>(
  schema: Schema,
  body: unknown,
): z.output<Schema> {
  const parsed = z.safeParse(schema, body, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw invalid('The body does not fit.', fieldErrors(parsed.error.issues));
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
export const isUuid = (text: string): boolean => uuid.test(text);

type Read = { value: number | boolean | string } | { fault: string };
function read(parameter: QueryParameter, text: string): Read {
  switch (parameter.kind) {
    case 'int': {
      const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= parameter.min && value <= parameter.max) return { value };
      return {
        fault: `must be a whole number from ${parameter.min} to ${parameter.max}`,
      };
    }
    case 'flag':
      if (text === 'true' || text === 'false') return { value: text === 'true' };
      return { fault: 'must be true or false' };
    case 'one-of':
      if (parameter.values.includes(text)) return { value: text };
      return { fault: `must be one of: ${parameter.values.join(', ')}` };
    case 'uuid':
      return isUuid(text) ? { value: text.toLowerCase() } : { fault: 'must be a UUID' };
    case 'text':
      if (text === '') return { fault: 'must not be empty' };
      if (text.length > parameter.max)
        return { fault: `must have at most ${parameter.max} characters` };
      return text.includes('\u0000') ? { fault: 'must not contain U+0000' } : { value: text };
  }
}

/** Every parameter is known and given once; `ticket` is the sockets' and never comes here. */
export function parseQuery(
  table: QueryTable,
  search: URLSearchParams,
): Record<string, number | boolean | string> {
  const values: Record<string, number | boolean | string> = {};
  const errors: FieldError[] = [];
  const fault = (name: string, detail: string) => errors.push({ pointer: `?${name}`, detail });
  for (const name of new Set(search.keys())) {
    const parameter = Object.hasOwn(table, name) ? table[name] : undefined;
    const [text, ...more] = search.getAll(name);
    if (parameter === undefined) fault(name.slice(0, 100), 'is not known here');
    else if (more.length > 0) fault(name, 'may be given once');
    else {
      const got = read(parameter, text ?? '');
      if ('fault' in got) fault(name, got.fault);
      else values[name] = got.value;
    }
  }
  for (const [name, parameter] of Object.entries(table)) {
    if (search.has(name)) continue;
    if (parameter.kind === 'int' && parameter.default !== undefined)
      values[name] = parameter.default;
    else if (parameter.kind === 'text' && parameter.required === true) fault(name, 'is required');
  }
  if (errors.length > 0) throw invalid('The query does not fit.', errors.slice(0, 20));
  return values;
}
