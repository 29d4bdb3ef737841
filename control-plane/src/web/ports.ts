import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Harness, Meta } from '@berth/contract';
import type { Terminals } from '../terminals/index.ts';
import type { Workspaces } from '../workspaces/index.ts';

/** What web asks of the features that it puts HTTP in front of, beyond sessions/services.ts. */
export type TerminalsPort = Pick<Terminals, 'list' | 'open' | 'close' | 'screen' | 'attach'>;
export type WorkspacesPort = Workspaces;

export interface HarnessesPort {
  list(): Promise<Harness[]>;
}
export interface RunnersPort {
  /** Only after the upgrade's host was found to be ours. Sees to its own sign-in. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => unknown;
export type MetaSource = () => Promise<Meta> | Meta;
