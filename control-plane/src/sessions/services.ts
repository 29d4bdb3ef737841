import type {
  Approval,
  ContentBlock,
  CreateSession,
  CreateTurn,
  DecideApproval,
  Event,
  Page,
  PatchSession,
  PatchTurn,
  Session,
  SessionStatus,
  SettleTurn,
  Turn,
} from '@berth/contract';
import type { Actor } from '../identity/index.ts';

/** Refusals are thrown as `Problem`; foreign and unknown ids are `not-found`. */
export interface Sessions {
  /** `id`: the same id again is the same session. */
  create(actor: Actor, input: CreateSession, id?: string): Promise<Session>;
  list(
    actor: Actor,
    query: {
      agentId?: string;
      status?: SessionStatus;
      archived?: boolean;
      limit: number;
      cursor?: string;
    },
  ): Promise<Page<Session>>;
  get(actor: Actor, id: string): Promise<Session>;
  /** The same, for whoever is about to act in it: `forbidden` when somebody else made it. */
  own(actor: Actor, id: string): Promise<Session>;
  patch(actor: Actor, id: string, version: number, patch: PatchSession): Promise<Session>;
  remove(actor: Actor, id: string): Promise<Session>;
  suspend(actor: Actor, id: string): Promise<Session>;
  resume(actor: Actor, id: string): Promise<Session>;
  archive(actor: Actor, id: string): Promise<Session>;
  unarchive(actor: Actor, id: string): Promise<Session>;
  /** Stops the running turn; none running: does nothing. */
  cancel(actor: Actor, id: string): Promise<Session>;
  restartAgent(actor: Actor, id: string): Promise<Session>;
  takeBack(actor: Actor, id: string): Promise<Session>;
  /** The archive arrived: the agent may start. Called by `workspaces` after the stream ended. */
  archiveArrived(actor: Actor, id: string): Promise<void>;
  /** Resolves when it is known that there is such a session; the pieces come as they are read. */
  exportMarkdown(actor: Actor, id: string): Promise<AsyncIterable<string>>;
  /** Calls back with the team of each session or approval that changed, in this process or another; returns the way to stop. */
  onChange(
    listener: (change: { teamId: string; sessionId: string; approvals: boolean }) => void,
  ): () => void;
}

export interface Turns {
  list(
    actor: Actor,
    sessionId: string,
    query: { limit: number; cursor?: string; state?: Turn['state'] },
  ): Promise<Page<Turn>>;
  get(actor: Actor, sessionId: string, turnId: string): Promise<Turn>;
  /** `created: false`: the same turn was there already. */
  create(
    actor: Actor,
    sessionId: string,
    input: CreateTurn,
  ): Promise<{ turn: Turn; created: boolean }>;
  patch(
    actor: Actor,
    sessionId: string,
    turnId: string,
    version: number | null,
    patch: PatchTurn,
  ): Promise<Turn>;
  withdraw(actor: Actor, sessionId: string, turnId: string): Promise<Turn>;
  settle(actor: Actor, sessionId: string, turnId: string, input: SettleTurn): Promise<Turn>;
  /** Resolves with the turn when it ended (`reply` filled), or null at the signal. */
  ended(actor: Actor, sessionId: string, turnId: string, signal: AbortSignal): Promise<Turn | null>;
}

export interface Approvals {
  list(
    actor: Actor,
    query: { state?: Approval['state']; sessionId?: string; limit: number; cursor?: string },
  ): Promise<Page<Approval>>;
  get(actor: Actor, id: string): Promise<Approval>;
  decide(actor: Actor, id: string, input: DecideApproval): Promise<Approval>;
}

/** A reader of one session's log. `events` come in order, without gap or repeat. */
export interface LogReader {
  /** Serialised events (JSON texts of `Event`), ready to be sent. Return false to be dropped (`resync`). */
  events(batch: readonly EventText[]): boolean;
  /** Awaited before each page of a replay: a long replay runs as fast as the reader takes it, and is no reason for a `resync`. */
  ready?(): Promise<void>;
  live(seq: number): void;
  resync(seq: number): void;
}
/** An event as its JSON text, so that replay never parses and stringifies payloads. */
export interface EventText {
  readonly seq: number;
  readonly json: string;
}
export interface EventLog {
  page(
    actor: Actor,
    sessionId: string,
    query: { after: number; limit: number } | { before: number; limit: number } | { tail: number },
  ): Promise<{ items: EventText[]; lastSeq: number }>;
  /** Starts after the subscription is registered; `after` exclusive, `tail` last n, neither = live only. */
  subscribe(
    actor: Actor,
    sessionId: string,
    from: { after?: number; tail?: number },
    reader: LogReader,
  ): Promise<{ firstSeq: number; lastSeq: number; close(): void }>;
  /** Tool output kept outside the log. */
  blob(
    actor: Actor,
    sessionId: string,
    blobId: string,
  ): Promise<{ mediaType: string; bytes: Uint8Array }>;
}

export type { ContentBlock, Event };
