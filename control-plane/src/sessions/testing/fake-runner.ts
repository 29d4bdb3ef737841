import { randomUUID } from 'node:crypto';
import type { ContentBlock } from '@berth/contract';
import type { SessionSpec, SourceItem } from '@berth/contract/link';
import type { RunnerEvents, RunnerPort } from '../ports.ts';

interface Journal {
  sourceId: string;
  items: SourceItem[];
  acked: number;
  /** So many of the first are not on its disk any more. */
  forgotten?: number;
  accepted: Set<string>;
}

/**
 * A runner as sessions see it: numbers what it says, keeps it until it is acknowledged, and says it again after a reconnect. The agent is the test.
 */
export class FakeRunner implements RunnerPort {
  readonly id = randomUUID();
  readonly binds: SessionSpec[] = [];
  readonly turns: { sessionId: string; turnId: string; prompt: readonly ContentBlock[] }[] = [];
  /** Turns that reached the agent: each id once, however often it was sent. */
  readonly delivered: string[] = [];
  readonly decisions: { approvalId: string; optionId: string }[] = [];
  readonly cancels: string[] = [];
  readonly calls: { method: string; params: unknown }[] = [];
  readonly purged: string[] = [];
  readonly journals = new Map<string, Journal>();
  drops = 0;
  online = true;
  /** What the agent does when a prompt reaches it. */
  onTurn: (sessionId: string, turnId: string) => void = () => undefined;
  #events: RunnerEvents | null = null;
  #reconnecting: Promise<void> = Promise.resolve();

  attach(events: RunnerEvents): void {
    this.#events = events;
  }
  get events(): RunnerEvents {
    if (this.#events === null) throw new Error('the runner has no link yet');
    return this.#events;
  }

  connected(): boolean {
    return this.online;
  }
  runnerOf(): string | undefined {
    return this.online ? this.id : undefined;
  }
  bind(spec: SessionSpec): void {
    this.binds.push(spec);
    this.journal(spec.sessionId);
  }
  unbind(sessionId: string, purge: boolean): void {
    if (!purge) return;
    this.purged.push(sessionId);
    this.journals.delete(sessionId);
  }
  turn(sessionId: string, turnId: string, prompt: readonly ContentBlock[]): void {
    if (!this.online) return;
    this.turns.push({ sessionId, turnId, prompt });
    const { accepted } = this.journal(sessionId);
    const known = accepted.has(turnId);
    accepted.add(turnId);
    this.#work(this.events.accepted(sessionId, turnId));
    if (known) return;
    this.delivered.push(turnId);
    this.onTurn(sessionId, turnId);
  }
  cancel(_sessionId: string, turnId: string): void {
    this.cancels.push(turnId);
  }
  decide(_sessionId: string, approvalId: string, optionId: string): void {
    if (this.online) this.decisions.push({ approvalId, optionId });
  }
  ack(sessionId: string, sourceId: string, n: number): void {
    const journal = this.journal(sessionId);
    if (!this.online || journal.sourceId !== sourceId) return;
    journal.acked = Math.max(journal.acked, n);
  }
  drop(): void {
    this.drops += 1;
    this.#reconnecting = this.#reconnecting.then(() =>
      this.reconnect().catch((error: unknown) => {
        this.failures.push(error);
      }),
    );
  }
  readonly call: RunnerPort['call'] = async (_sessionId, method, params) => {
    this.calls.push({ method, params });
    return {} as never;
  };

  journal(sessionId: string): Journal {
    const known = this.journals.get(sessionId) ?? {
      sourceId: randomUUID(),
      items: [],
      acked: 0,
      accepted: new Set<string>(),
    };
    this.journals.set(sessionId, known);
    return known;
  }

  /** The agent says something. */
  say(
    sessionId: string,
    kind: string,
    payload: Record<string, unknown>,
    turnId?: string,
    raw?: string,
  ): boolean {
    const journal = this.journal(sessionId);
    const item: SourceItem = { n: journal.items.length + 1, kind, payload };
    if (turnId !== undefined) item.turnId = turnId;
    if (raw !== undefined) item.raw = raw;
    journal.items.push(item);
    return this.online ? this.events.events(sessionId, journal.sourceId, [item]) : true;
  }

  async reconnect(): Promise<void> {
    const held = [...this.journals].map(([sessionId, { sourceId, items, forgotten = 0 }]) => ({
      sessionId,
      sourceId,
      firstN: forgotten + 1,
      lastN: items.length,
      generation: 1,
    }));
    this.online = true;
    const { sessions, purge } = await this.events.hello(this.id, held);
    for (const id of purge) this.unbind(id, true);
    for (const { sessionId, sourceId, lastSourceSeq } of sessions) {
      const journal = this.journal(sessionId);
      journal.acked = Math.max(journal.acked, lastSourceSeq);
      const rest = journal.items.slice(Math.max(lastSourceSeq, journal.forgotten ?? 0));
      if (rest.length > 0) this.events.events(sessionId, sourceId, rest);
    }
  }
  async disconnect(): Promise<void> {
    this.online = false;
    await this.events.disconnected(this.id);
  }
  readonly failures: unknown[] = [];
  #work(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.failures.push(error));
  }
}
