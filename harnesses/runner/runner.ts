import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ControlFrame, RunnerFrame, SessionSpec } from '@berth/contract/link';
import { createCalls, refusalOf } from './calls.ts';
import type { Clock } from './clock.ts';
import { helloOf } from './hello.ts';
import type { NewId } from './ids.ts';
import type { Journal } from './journal/journal.ts';
import { openKept } from './kept.ts';
import { createLink, type Link, type LinkTarget } from './link.ts';
import type { Outbox } from './outbox.ts';
import { openSandbox } from './sandbox.ts';
import type { Screens } from './screen/index.ts';
import type { Session } from './session/ports.ts';
import { serveStream } from './streams.ts';

type Log = (fields: Record<string, unknown>, message: string) => void;
interface Entry {
  readonly sessionId: string;
  readonly journal: Journal;
  readonly outbox: Outbox;
  spec?: SessionSpec;
  session?: Session;
  /** Closes what the bound sandbox has of us. */
  release?: () => Promise<void>;
  /** Bind and unbind of one session happen one after the other; everything else waits for them. */
  queue: Promise<void>;
}
type Sessional = Exclude<ControlFrame, { op: 'welcome' | 'pong' | 'bind' | 'unbind' }>;

export interface Runner extends AsyncDisposable {
  /** Sessions that are bound to a sandbox. */
  readonly bound: number;
}

/** All sessions of this machine and the link that they share. */
export async function createRunner(options: {
  dir: string;
  /** Where to dial; `turn` counts the connections that ended, so that another address has its turn. */
  target: (turn: number) => Promise<LinkTarget | null>;
  clock: Clock;
  newId: NewId;
  version: string;
  screens: Pick<Screens, 'open'>;
  log: Log;
  runnerLines: (sessionId: string, tail: number) => Promise<string[]>;
}): Promise<Runner> {
  const { dir, newId, version, log } = options;
  const sessions = join(dir, 'sessions');
  const entries = new Map<string, Promise<Entry>>();
  const open = new Map<string, Entry>();
  const call = createCalls({ runnerLines: options.runnerLines });
  let last: LinkTarget | null = null;
  // Journals may have something to say before there is a link.
  const wire: { link?: Link } = {};

  const target = async (turn: number): Promise<LinkTarget | null> =>
    (last = await options.target(turn));
  const send = (frame: RunnerFrame, taken?: () => void): boolean =>
    wire.link?.send(frame, taken) ?? false;

  async function openEntry(sessionId: string, rolledBack = false): Promise<Entry> {
    const made: { entry?: Entry } = {};
    const { journal, outbox } = await openKept({
      sessionId,
      dir: join(sessions, sessionId, 'journal'),
      newId,
      rolledBack,
      link: {
        get bufferedBytes() {
          return wire.link?.bufferedBytes ?? 0;
        },
        send,
      },
      changed: () => made.entry?.session?.journalChanged(),
      log: (fields, message) => log({ sessionId, ...fields }, message),
    });
    const entry: Entry = { sessionId, journal, outbox, queue: Promise.resolve() };
    made.entry = entry;
    open.set(sessionId, entry);
    return entry;
  }
  /** The log has more of this journal than the disk: numbers would be given out twice, and what it says of its turns is of the past. */
  async function renew(old: Entry): Promise<void> {
    const { sessionId } = old;
    const renewing = (async () => {
      await old.queue;
      old.outbox.pause();
      await old.release?.();
      await old.journal[Symbol.asyncDispose]();
      return openEntry(sessionId, true);
    })();
    entries.set(sessionId, renewing);
    const { outbox } = await renewing;
    if (wire.link?.ready) outbox.resume(0);
  }
  function entryOf(sessionId: string): Promise<Entry> {
    const known = entries.get(sessionId);
    if (known) return known;
    const opening = openEntry(sessionId);
    entries.set(sessionId, opening);
    opening.catch(() => entries.delete(sessionId));
    return opening;
  }

  function inTurn(entry: Entry, work: () => Promise<void>): Promise<void> {
    const done = entry.queue.then(work);
    entry.queue = done.catch((error: unknown) =>
      log({ sessionId: entry.sessionId, error: String(error) }, 'bind or unbind failed'),
    );
    return done;
  }

  async function bind(spec: SessionSpec): Promise<void> {
    const entry = await entryOf(spec.sessionId);
    await inTurn(entry, async () => {
      const bound = entry.session === undefined ? undefined : entry.spec;
      if (bound !== undefined && spec.generation < bound.generation) return;
      if (spec.generation === bound?.generation && spec.instance === bound.instance) {
        entry.spec = spec; // repeated; its token may be another
        // It may have been told to stop, and the word that nobody wants that any more is this one.
        entry.session?.resume();
        return;
      }
      // Also when it is the same generation: the word that the one before is over may have been lost with the link.
      await entry.release?.();
      entry.spec = spec;
      try {
        const { session, close } = await openSandbox({
          ...options,
          spec,
          current: () => entry.spec ?? spec,
          dir: join(sessions, spec.sessionId),
          journal: entry.journal,
          upstream: () => last,
          log: (fields, message) => log({ sessionId: spec.sessionId, ...fields }, message),
        });
        entry.session = session;
        entry.release = async () => {
          delete entry.session;
          delete entry.release;
          await close();
        };
      } catch (error) {
        const detail = `The runner cannot serve this sandbox: ${String(error)}`;
        entry.journal.put({ kind: 'sandbox.phase', payload: { phase: 'failed', detail } });
        throw error;
      }
      log({ sessionId: spec.sessionId, generation: spec.generation }, 'session bound');
    });
    if (wire.link?.ready) entry.outbox.resume(0);
  }

  async function unbind(sessionId: string, purge: boolean): Promise<void> {
    const known = entries.get(sessionId);
    if (!known && !purge) return;
    const entry = await known;
    if (entry)
      await inTurn(entry, async () => {
        await entry.release?.();
        delete entry.spec;
        if (!purge) return;
        entries.delete(sessionId);
        open.delete(sessionId);
        entry.outbox.pause();
        await entry.journal[Symbol.asyncDispose]();
      });
    if (purge) await rm(join(sessions, sessionId), { recursive: true, force: true });
    log({ sessionId, purge }, 'session unbound');
  }

  async function turn(entry: Entry, frame: Extract<Sessional, { op: 'turn' }>): Promise<void> {
    const { sessionId, turnId, prompt } = frame;
    const { journal } = entry;
    if (journal.blocked !== null && !journal.ledger.turns[turnId]) {
      const detail = `The runner's disk cannot be written: ${journal.blocked}`;
      send({ op: 'refused', sessionId, turnId, code: 'disk-full', detail });
      return;
    }
    if (entry.session) await entry.session.turn(turnId, prompt);
    else {
      if (!journal.ledger.turns[turnId]) journal.note({ kind: 'accepted', turnId, prompt });
      await journal.synced();
    }
    send({ op: 'accepted', sessionId, turnId });
  }

  async function answer(
    entry: Entry | undefined,
    frame: Extract<Sessional, { op: 'call' }>,
  ): Promise<void> {
    const { id } = frame;
    try {
      if (!entry?.session) {
        send({
          op: 'result',
          id,
          ok: false,
          code: 'not-bound',
          detail: 'The session is not bound on this machine.',
        });
        return;
      }
      send({
        op: 'result',
        id,
        ok: true,
        value: await call(entry.session, frame.method, frame.params),
      });
    } catch (error) {
      const { fault, ...refusal } = refusalOf(error);
      if (fault)
        log(
          {
            sessionId: frame.sessionId,
            method: frame.method,
            error: error instanceof Error ? error.stack : String(error),
          },
          'call failed',
        );
      send({ op: 'result', id, ok: false, ...refusal });
    }
  }

  async function sessional(frame: Sessional): Promise<void> {
    const { sessionId } = frame;
    const entry = await entries.get(sessionId);
    await entry?.queue;
    switch (frame.op) {
      case 'ack':
        if (entry && frame.sourceId === entry.journal.sourceId) entry.outbox.acked(frame.n);
        return;
      case 'turn':
        if (entry) await turn(entry, frame);
        else {
          const detail = 'The session is not bound on this machine.';
          send({ op: 'refused', sessionId, turnId: frame.turnId, code: 'not-bound', detail });
        }
        return;
      case 'cancel':
        if (entry?.session) await entry.session.cancel(frame.turnId);
        else entry?.journal.note({ kind: 'cancel', turnId: frame.turnId });
        return;
      case 'decide':
        entry?.session?.decide(frame.approvalId, frame.optionId);
        return;
      case 'call':
        await answer(entry, frame);
        return;
      case 'stream':
        if (last)
          await serveStream({
            target: last,
            streamId: frame.streamId,
            at: frame.at,
            session: entry?.session,
            purpose: frame.purpose,
            log: (fields, message) => log({ sessionId, ...fields }, message),
          });
    }
  }

  function take(frame: ControlFrame): Promise<void> | void {
    switch (frame.op) {
      case 'pong':
        return;
      case 'welcome':
        return Promise.all([
          ...frame.purge.map((id) => unbind(id, true)),
          ...frame.sessions.map(({ sessionId, sourceId, lastSourceSeq }) => {
            const entry = open.get(sessionId);
            if (entry?.journal.sourceId !== sourceId) return undefined;
            if (lastSourceSeq > entry.journal.lastN) return renew(entry);
            entry.outbox.resume(lastSourceSeq);
            return undefined;
          }),
        ]).then(() => undefined);
      case 'bind':
        return bind(frame.session);
      case 'unbind':
        return unbind(frame.sessionId, frame.purge);
      default:
        return sessional(frame);
    }
  }

  await mkdir(sessions, { recursive: true, mode: 0o700 });
  for (const name of await readdir(sessions)) await entryOf(name);
  wire.link = createLink({
    target,
    log,
    events: {
      hello: (runnerId, challenge) => helloOf(runnerId, version, challenge, open.values()),
      frame(frame) {
        Promise.resolve(take(frame)).catch((error: unknown) =>
          log(
            { op: frame.op, error: error instanceof Error ? error.stack : String(error) },
            'frame failed',
          ),
        );
      },
      up: () => log({}, 'link is up'),
      down() {
        for (const entry of open.values()) entry.outbox.pause();
      },
    },
  });

  return {
    get bound() {
      return [...open.values()].filter(({ session }) => session !== undefined).length;
    },
    async [Symbol.asyncDispose]() {
      wire.link?.close();
      for (const opening of entries.values()) {
        const entry = await opening;
        await entry.queue;
        await entry.release?.();
        await entry.journal[Symbol.asyncDispose]();
      }
    },
  };
}
