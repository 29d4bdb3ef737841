import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type {
  Changes,
  CreateTerminal,
  FileEntry,
  FileList,
  Harness,
  LogLines,
  Meta,
  Terminal,
  TerminalScreen,
} from '@berth/contract';
import type { Actor } from '../identity/index.ts';

/** What web asks of the features that it puts HTTP in front of, beyond sessions/services.ts. */
export interface TerminalViewer {
  /** False: slow; wait for `drained` before sending more. */
  send(bytes: Uint8Array): boolean;
  drained(): Promise<void>;
  close(code: number, reason: string): void;
  frames(): AsyncIterable<Uint8Array>;
}
export interface TerminalsPort {
  list(actor: Actor, sessionId: string): Promise<Terminal[]>;
  open(actor: Actor, sessionId: string, input: CreateTerminal): Promise<Terminal>;
  close(actor: Actor, terminalId: string): Promise<unknown>;
  screen(actor: Actor, terminalId: string): Promise<TerminalScreen>;
  /** Resolves when the viewer or the terminal is gone. */
  attach(
    actor: Actor,
    terminalId: string,
    at: { cols: number; rows: number; offset?: number },
    viewer: TerminalViewer,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface WorkspacesPort {
  list(actor: Actor, sessionId: string, path: string): Promise<FileList | FileEntry[]>;
  read(
    actor: Actor,
    sessionId: string,
    path: string,
    options: { rev?: 'base' },
  ): Promise<{
    meta: { sizeBytes: number; modifiedAtMs?: number; etag: string };
    body: AsyncIterable<Uint8Array>;
  }>;
  write(
    actor: Actor,
    sessionId: string,
    path: string,
    body: AsyncIterable<Uint8Array>,
    options: { ifMatch?: string },
  ): Promise<{ etag: string }>;
  archive(
    actor: Actor,
    sessionId: string,
    body: AsyncIterable<Uint8Array>,
    options: { overwrite: boolean },
  ): Promise<unknown>;
  changes(actor: Actor, sessionId: string): Promise<Changes>;
  patch(actor: Actor, sessionId: string, path?: string): Promise<AsyncIterable<Uint8Array>>;
  logs(
    actor: Actor,
    sessionId: string,
    source: LogLines['source'],
    tail: number,
  ): Promise<LogLines>;
}

export interface HarnessesPort {
  list(): Promise<Harness[]>;
}
export interface RunnersPort {
  /** Only after the upgrade's host was found to be ours. Sees to its own sign-in. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}
/** Express's own shape, so that the gateway is mounted before any body is read. */
export type HttpHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => unknown;
export type MetaSource = () => Promise<Meta> | Meta;
