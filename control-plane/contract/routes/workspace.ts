import * as z from 'zod/mini';
import {
  changes,
  createTerminal,
  fileList,
  logLines,
  terminal,
  terminalScreen,
} from '../resources.ts';
import type { Route } from './route.ts';
import { filePath } from './route.ts';

export const terminalList = z.object({ items: z.array(terminal) });
export const written = z.object({ etag: z.string() });

const away = ['runner-unreachable', 'sandbox-not-ready', 'session-deleting'] as const;
/** What a file system says, which the agent may have made so. */
const files = [...away, 'outside-workspace', 'file-refused'] as const;
const bytes = ['application/octet-stream'] as const;
export const archiveTypes = [
  'application/x-tar',
  'application/gzip',
  'application/x-gzip',
  'application/octet-stream',
] as const;

export const workspaceRoutes = {
  listTerminals: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/terminals',
    tag: 'terminals',
    summary: 'The session’s terminals, newest first',
    action: 'read',
    answers: { 200: { about: 'All of them.', schema: terminalList } },
  },
  createTerminal: {
    method: 'post',
    path: '/api/v1/sessions/{sessionId}/terminals',
    tag: 'terminals',
    summary: 'Opens the agent’s own screen or a shell in its sandbox',
    action: 'terminals',
    headers: ['Idempotency-Key'],
    body: { schema: createTerminal },
    answers: { 201: { about: 'The terminal.', schema: terminal } },
    problems: [...away, 'agent-has-no-terminal', 'session-archived'],
    links: { closeTerminal: 'terminalId', getScreen: 'terminalId' },
  },
  closeTerminal: {
    method: 'delete',
    path: '/api/v1/terminals/{terminalId}',
    tag: 'terminals',
    summary: 'Ends the terminal and what runs in it',
    action: 'terminals',
    answers: { 204: { about: 'Closed.' } },
    problems: ['runner-unreachable', 'sandbox-not-ready'],
  },
  getScreen: {
    method: 'get',
    path: '/api/v1/terminals/{terminalId}/screen',
    tag: 'terminals',
    summary: 'What the terminal shows now, as text',
    action: 'read',
    answers: { 200: { about: 'The screen.', schema: terminalScreen } },
    problems: ['runner-unreachable', 'sandbox-not-ready', 'terminal-closed'],
  },
  listFiles: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/files',
    tag: 'workspace',
    summary: 'A folder of the workspace',
    action: 'read',
    query: { path: filePath },
    answers: { 200: { about: 'Its entries.', schema: fileList } },
    problems: files,
  },
  readFile: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/files/content',
    tag: 'workspace',
    summary: 'The bytes of a file, now or as it was in the base',
    action: 'read',
    query: {
      path: { ...filePath, required: true },
      rev: { kind: 'one-of', values: ['base'], about: 'As it was when the code came in.' },
    },
    answers: { 200: { about: 'The bytes.', types: bytes, headers: ['ETag'] } },
    problems: files,
  },
  writeFile: {
    method: 'put',
    path: '/api/v1/sessions/{sessionId}/files/content',
    tag: 'workspace',
    summary: 'Replaces a file at once',
    action: 'workspace',
    headers: ['If-Match-ETag'],
    query: { path: { ...filePath, required: true } },
    stream: bytes,
    answers: { 200: { about: 'Written.', schema: written, headers: ['ETag'] } },
    problems: [...files, 'version-stale', 'disk-full'],
  },
  writeArchive: {
    method: 'put',
    path: '/api/v1/sessions/{sessionId}/files/archive',
    tag: 'workspace',
    summary: 'Unpacks a tar into the workspace; it becomes the session’s base',
    action: 'workspace',
    query: { overwrite: { kind: 'flag', about: 'Also into one that holds files.' } },
    stream: archiveTypes,
    answers: { 204: { about: 'Unpacked.' } },
    problems: [...files, 'workspace-not-empty', 'disk-full'],
  },
  listChanges: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/changes',
    tag: 'workspace',
    summary: 'What differs from the base',
    action: 'read',
    answers: { 200: { about: 'The files.', schema: changes } },
    problems: away,
  },
  getDiff: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/changes/diff',
    tag: 'workspace',
    summary: 'One file’s unified diff',
    action: 'read',
    query: { path: { ...filePath, required: true } },
    answers: { 200: { about: 'The diff.', types: ['text/x-diff'] } },
    problems: files,
  },
  getPatch: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/changes/patch',
    tag: 'workspace',
    summary: 'All changes as one patch that `git apply` takes',
    action: 'read',
    answers: { 200: { about: 'The patch.', types: ['text/x-diff'] } },
    problems: away,
  },
  getLogs: {
    method: 'get',
    path: '/api/v1/sessions/{sessionId}/logs',
    tag: 'sessions',
    summary: 'Last lines of what runs for this session, redacted',
    action: 'read',
    query: {
      source: {
        kind: 'one-of',
        values: ['runner', 'agent', 'sandbox'],
        about: 'Whose; the agent’s unless told.',
      },
      tail: { kind: 'int', min: 1, max: 1000, default: 200, about: 'How many lines.' },
    },
    answers: { 200: { about: 'The lines.', schema: logLines } },
    problems: away,
  },
} as const satisfies Record<string, Route>;
