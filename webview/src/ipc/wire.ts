import * as z from 'zod/mini';
import {
  callMessage,
  calls,
  hostMessage,
  notes,
  type CallMessage,
  type CallName,
  type HostMessage,
  type Note,
  type NoteName,
  type Params,
  type Refusal,
  type Result,
} from './messages.ts';

/** Thrown to the caller when the host refuses a call. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(`${refusal.code}: ${refusal.detail}`);
    this.refusal = refusal;
  }
}

export type Handlers = {
  [N in CallName]: (params: Params<N>) => Promise<Result<N>> | Result<N>;
};
/** What the chat sees of its host. */
export type Calls = { [N in CallName]: (params: Params<N>) => Promise<Result<N>> };
export type NoteListener = <N extends NoteName>(name: N, data: Note<N>) => void;
export interface Host extends Calls {
  /** Returns the way to stop listening. */
  onNote(listener: NoteListener): () => void;
}

const isCall = (name: string): name is CallName => Object.hasOwn(calls, name);
const isNote = (name: string): name is NoteName => Object.hasOwn(notes, name);

/**
 * The host's side. Feed it what the webview posted; it answers through `post`. A message that is none of ours is ignored; a call
 * of ours that does not fit its schema is refused, and so is one whose handler throws.
 */
export function serveCalls(options: {
  handlers: Handlers;
  post: (message: HostMessage) => void;
  /** Turns what a handler threw into words for the person. */
  refuse: (error: unknown) => Refusal;
}): (message: unknown) => Promise<void> {
  const { handlers, post, refuse } = options;
  return async (message) => {
    const read = z.safeParse(callMessage, message);
    if (!read.success) return;
    const { id, name, params } = read.data;
    if (!isCall(name)) {
      post({
        type: 'refused',
        id,
        refusal: { code: 'unknown-call', detail: `This host does not know ${name}.` },
      });
      return;
    }
    const checked = z.safeParse(calls[name].params, params);
    if (!checked.success) {
      post({
        type: 'refused',
        id,
        refusal: { code: 'invalid-request', detail: z.prettifyError(checked.error) },
      });
      return;
    }
    try {
      // The schema of `name` was just applied; TypeScript cannot follow the pair through the table.
      const handler = handlers[name] as (params: unknown) => unknown;
      post({ type: 'answer', id, value: await handler(checked.data) });
    } catch (error) {
      post({ type: 'refused', id, refusal: refuse(error) });
    }
  };
}

/** A notification, typed by its name; the chat checks it again when it arrives. */
export function note<N extends NoteName>(name: N, data: Note<N>): HostMessage {
  return { type: 'note', name, data };
}

/** The chat's side of a message port. `receive` takes every message from the host. */
export function createRemoteHost(post: (message: CallMessage) => void): {
  host: Host;
  receive: (message: unknown) => void;
} {
  interface Pending {
    name: CallName;
    resolve: (value: never) => void;
    reject: (error: unknown) => void;
  }
  const pending = new Map<number, Pending>();
  const listeners = new Set<NoteListener>();
  let lastId = 0;

  const callHost = (name: CallName, params: unknown) =>
    new Promise<never>((resolve, reject) => {
      lastId += 1;
      pending.set(lastId, { name, resolve, reject });
      post({ type: 'call', id: lastId, name, params });
    });
  const names = Object.keys(calls) as CallName[];
  const table = Object.fromEntries(
    names.map((name) => [name, (params: unknown) => callHost(name, params)]),
  ) as unknown as Calls;

  const receive = (message: unknown): void => {
    const read = z.safeParse(hostMessage, message);
    if (!read.success) return;
    if (read.data.type === 'note') {
      const { name, data } = read.data;
      if (!isNote(name)) return;
      const checked = z.safeParse(notes[name], data);
      if (!checked.success) return;
      for (const listener of listeners) listener(name, checked.data);
      return;
    }
    const waiting = pending.get(read.data.id);
    if (!waiting) return;
    pending.delete(read.data.id);
    if (read.data.type === 'refused') {
      waiting.reject(new Refused(read.data.refusal));
      return;
    }
    const value = z.safeParse(calls[waiting.name].result, read.data.value);
    if (value.success) waiting.resolve(value.data as never);
    else
      waiting.reject(new Refused({ code: 'invalid-answer', detail: z.prettifyError(value.error) }));
  };

  return {
    host: {
      ...table,
      onNote: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    receive,
  };
}
