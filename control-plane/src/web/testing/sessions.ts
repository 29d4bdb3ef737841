import type { Approval, Session, Turn } from '@berth/contract';
import { Problem } from '@berth/contract';
import type { Actor } from '../../identity/index.ts';
import type { NewId } from '../../ids.ts';
import type {
  Approvals,
  EventLog,
  EventText,
  LogReader,
  Sessions,
  Turns,
} from '../../sessions/index.ts';

const at = '2026-11-22T12:00:00.000Z';
const unknown = () => new Problem('not-found', 'No such thing.');

interface Held {
  teamId: string;
  session: Session;
  turns: Turn[];
  approvals: Approval[];
  events: EventText[];
  readers: Set<LogReader>;
}

/** Sessions at their port, in memory, so that what web does with slow, late and broken ones can be shown at will. */
export function scriptedSessions({ newId }: { newId: NewId }) {
  const held = new Map<string, Held>();
  const listeners = new Set<Parameters<Sessions['onChange']>[0]>();
  const state = { held, reads: 0, endTurn: new Map<string, () => void>() };

  function find(actor: Actor, id: string): Held {
    const found = held.get(id);
    if (found?.teamId !== actor.teamId) throw unknown();
    return found;
  }
  function tell(id: string, approvals = false): void {
    const found = held.get(id);
    for (const listener of listeners)
      listener({ teamId: found?.teamId ?? '', sessionId: id, approvals });
  }
  function append(id: string, ...kinds: string[]): void {
    const found = held.get(id);
    if (found === undefined) throw unknown();
    const batch = kinds.map((kind) => {
      const seq = ++found.session.lastSeq;
      const payload = { code: kind, text: 'x' };
      const event = { sessionId: id, seq, at, kind: 'notice', payload };
      return { seq, json: JSON.stringify(event) };
    });
    found.events.push(...batch);
    for (const reader of found.readers) {
      if (reader.events(batch)) continue;
      found.readers.delete(reader);
      reader.resync(found.session.lastSeq);
    }
    tell(id);
  }
  const same = async (actor: Actor, id: string) => find(actor, id).session;

  const sessions: Sessions = {
    async create(actor, input) {
      const session: Session = {
        id: newId(),
        agentId: input.agentId,
        agentName: 'Rehearsal',
        title: input.title ?? 'untitled',
        status: 'starting',
        statusSince: at,
        sandbox: { driver: 'local', phase: 'requested', isolated: true },
        queued: 0,
        waitingApprovals: 0,
        unreadSeq: 0,
        lastSeq: 0,
        mode: 'ask',
        holder: 'chat',
        usage: { inputTokens: 0, outputTokens: 0, costUsd: '0' },
        createdBy: { id: actor.userId, name: actor.userName },
        createdAt: at,
        lastActivityAt: at,
        version: 1,
      };
      const { teamId } = actor;
      held.set(session.id, {
        teamId,
        session,
        turns: [],
        approvals: [],
        events: [],
        readers: new Set(),
      });
      tell(session.id);
      return session;
    },
    async list(actor, { limit }) {
      const own = [...held.values()].filter((each) => each.teamId === actor.teamId);
      return { items: own.map((each) => each.session).slice(0, limit), nextCursor: null };
    },
    async get(actor, id) {
      state.reads += 1;
      return same(actor, id);
    },
    async patch(actor, id, version, patch) {
      const { session } = find(actor, id);
      if (session.version !== version) throw new Problem('version-stale', 'Read it again.');
      Object.assign(session, { title: patch.title ?? session.title, version: version + 1 });
      tell(id);
      return session;
    },
    async remove(actor, id) {
      const { session } = find(actor, id);
      held.delete(id);
      for (const listener of listeners)
        listener({ teamId: actor.teamId, sessionId: id, approvals: true });
      return session;
    },
    suspend: same,
    resume: same,
    archive: same,
    unarchive: same,
    cancel: same,
    restartAgent: same,
    takeBack: same,
    archiveArrived: async () => undefined,
    exportMarkdown: async (actor, id) => `# ${find(actor, id).session.title}\n`,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };

  const turns: Turns = {
    list: async (actor, id) => ({ items: find(actor, id).turns, nextCursor: null }),
    async get(actor, id, turnId) {
      const turn = find(actor, id).turns.find((each) => each.id === turnId);
      if (turn === undefined) throw unknown();
      return turn;
    },
    async create(actor, sessionId, input) {
      const found = find(actor, sessionId);
      const before = found.turns.find((each) => each.id === input.id);
      if (before !== undefined) return { turn: before, created: false };
      const turn: Turn = { ...input, sessionId, state: 'queued', createdAt: at };
      found.turns.push(turn);
      return { turn, created: true };
    },
    patch: (actor, id, turnId) => turns.get(actor, id, turnId),
    withdraw: (actor, id, turnId) => turns.get(actor, id, turnId),
    settle: (actor, id, turnId) => turns.get(actor, id, turnId),
    ended: (actor, id, turnId, signal) =>
      new Promise((resolve) => {
        state.endTurn.set(turnId, () => {
          const turn = find(actor, id).turns.find((each) => each.id === turnId);
          resolve(turn ? { ...turn, state: 'done', reply: 'all text' } : null);
        });
        signal.addEventListener(
          'abort',
          () => {
            state.endTurn.delete(turnId);
            resolve(null);
          },
          { once: true },
        );
      }),
  };

  const waiting = (actor: Actor) =>
    [...held.values()]
      .filter((each) => each.teamId === actor.teamId)
      .flatMap((each) => each.approvals);
  const approvals: Approvals = {
    async list(actor, { sessionId, state: wanted }) {
      const items = waiting(actor).filter(
        (each) =>
          (sessionId === undefined || each.sessionId === sessionId) &&
          (wanted === undefined || each.state === wanted),
      );
      return { items, nextCursor: null };
    },
    async get(actor, id) {
      const found = waiting(actor).find((each) => each.id === id);
      if (found === undefined) throw unknown();
      return found;
    },
    async decide(actor, id, input) {
      const found = await approvals.get(actor, id);
      if (found.state !== 'waiting') {
        const by = { id: actor.userId, name: actor.userName };
        throw new Problem('already-decided', 'Too late.', { decision: { optionId: 'a', by, at } });
      }
      Object.assign(found, { state: 'decided', optionId: input.optionId });
      tell(found.sessionId, true);
      return found;
    },
  };
  function ask(sessionId: string): Approval {
    const approval: Approval = {
      id: newId(),
      sessionId,
      sessionTitle: 't',
      agentName: 'Rehearsal',
      revision: 1,
      state: 'waiting',
      title: 'May I?',
      options: [{ optionId: 'a', name: 'Yes', kind: 'allow_once' }],
      createdAt: at,
    };
    held.get(sessionId)?.approvals.push(approval);
    tell(sessionId, true);
    return approval;
  }

  const log: EventLog = {
    async page(actor, id, query) {
      const { events, session } = find(actor, id);
      const { lastSeq } = session;
      if ('tail' in query) return { items: events.slice(events.length - query.tail), lastSeq };
      const items =
        'before' in query
          ? events.filter((each) => each.seq < query.before).slice(-query.limit)
          : events.filter((each) => each.seq > query.after).slice(0, query.limit);
      return { items, lastSeq };
    },
    async subscribe(actor, id, from, reader) {
      const found = find(actor, id);
      const { lastSeq } = found.session;
      const after = from.after ?? (from.tail === undefined ? lastSeq : lastSeq - from.tail);
      found.readers.add(reader);
      const replay = found.events.filter((each) => each.seq > after);
      // On purpose before the answer: a reader must bear it.
      if (replay.length > 0) reader.events(replay);
      reader.live(lastSeq);
      return { firstSeq: after + 1, lastSeq, close: () => found.readers.delete(reader) };
    },
    async blob(actor, id) {
      find(actor, id);
      return { mediaType: 'text/html', bytes: Buffer.from('<script>') };
    },
  };
  return { sessions, turns, approvals, log, script: Object.assign(state, { append, ask, tell }) };
}
