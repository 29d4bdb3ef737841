import type { AgentdRequest } from './protocol.ts';

type Fields = Record<string, unknown>;
type Check = (value: unknown) => boolean;
type Op = AgentdRequest['op'];

const isText: Check = (v) => typeof v === 'string';
const isPath: Check = (v) => typeof v === 'string' && v !== '' && !v.includes('\0');
const isCount: Check = (v) => Number.isSafeInteger(v) && Number(v) >= 0;
const isSize: Check = (v) => Number.isInteger(v) && Number(v) >= 1 && Number(v) <= 5000;
const isFlag: Check = (v) => typeof v === 'boolean';
const maybe =
  (check: Check): Check =>
  (v) =>
    v === undefined || check(v);
const isFields = (v: unknown): v is Fields =>
  typeof v === 'object' && v !== null && !Array.isArray(v);
const isArgv: Check = (v) =>
  Array.isArray(v) &&
  v.length > 0 &&
  v[0] !== '' &&
  v.every((item) => typeof item === 'string' && !item.includes('\0'));
const isEnv: Check = (v) =>
  isFields(v) &&
  Object.entries(v).every(
    ([name, value]) => /^[^=\0]+$/.test(name) && typeof value === 'string' && !value.includes('\0'),
  );
const isPorts: Check = (v) =>
  Array.isArray(v) &&
  v.every(
    (item: unknown) =>
      isFields(item) &&
      Number.isInteger(item['port']) &&
      Number(item['port']) > 0 &&
      Number(item['port']) < 65536 &&
      isPath(item['socket']),
  );

/** What each request must carry. agentd has no schema library: it is loaded once per sandbox. */
const fields: Record<Op, Record<string, Check>> = {
  hello: {
    version: isCount,
    ports: isPorts,
    adopt: (v) => isFields(v) && Object.values(v).every(isCount),
  },
  spawn: {
    tag: (v) => typeof v === 'string' && /^[\w:.-]{1,128}$/.test(v),
    argv: isArgv,
    cwd: maybe(isPath),
    env: isEnv,
    pty: maybe((v) => isFields(v) && isSize(v['cols']) && isSize(v['rows'])),
  },
  resize: { cols: isSize, rows: isSize },
  kill: {
    signal: (v) => typeof v === 'string' && ['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP'].includes(v),
    tree: isFlag,
  },
  'end-input': {},
  pause: {},
  resume: {},
  forget: {},
  run: {
    argv: isArgv,
    cwd: maybe(isPath),
    env: isEnv,
    input: maybe(isText),
    limitBytes: isCount,
    timeoutMs: (v) => isCount(v) && Number(v) <= 0x7fffffff,
  },
  list: { path: isPath },
  read: { path: isPath },
  write: {
    path: isPath,
    mode: maybe((v) => isCount(v) && Number(v) <= 0o777),
    ifMatch: maybe(isText),
  },
  mkdir: { path: isPath },
  'put-files': {
    files: (v) =>
      Array.isArray(v) &&
      v.every(
        (item: unknown) =>
          isFields(item) &&
          isPath(item['path']) &&
          String(item['path']).startsWith('/') &&
          isText(item['content']) &&
          isFlag(item['overwrite']),
      ),
  },
};

export type Parsed =
  { kind: 'request'; request: AgentdRequest } | { kind: 'malformed'; detail: string };

/** Pure. A body that is not JSON at all is `malformed` as well: the caller decides what that means for the link. */
export function parseRequest(body: Buffer): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return { kind: 'malformed', detail: 'control frame is not JSON' };
  }
  if (!isFields(value) || typeof value['op'] !== 'string' || !Object.hasOwn(fields, value['op']))
    return { kind: 'malformed', detail: 'unknown request' };
  const op = value['op'] as Op;
  for (const [name, check] of Object.entries(fields[op]))
    if (!check(value[name]))
      return { kind: 'malformed', detail: `${op}: \`${name}\` is missing or wrong` };
  return { kind: 'request', request: value as AgentdRequest };
}
