import type { Hints } from '../store/index.ts';

export interface Change {
  teamId: string;
  sessionId: string;
  approvals: boolean;
}
type Listener = (change: Change) => void;

const channel = 'session_change';

/**
 * "Look again" for everybody who shows a session or waits for one, in this process at the end of the tick, in the others by a hint.
 * Changes of one session within a tick are one.
 */
export class Changes {
  readonly #hints: Pick<Hints, 'publish'>;
  readonly #processId: string;
  readonly #listeners = new Set<Listener>();
  readonly #pending = new Map<string, Change>();

  constructor(options: { hints: Pick<Hints, 'publish'>; processId: string }) {
    this.#hints = options.hints;
    this.#processId = options.processId;
  }

  static readonly channel = channel;

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(change: Change): void {
    const before = this.#pending.get(change.sessionId);
    if (this.#pending.size === 0) setImmediate(() => this.#flush());
    this.#pending.set(change.sessionId, {
      ...change,
      approvals: change.approvals || (before?.approvals ?? false),
    });
  }
  #flush(): void {
    const changes = [...this.#pending.values()];
    this.#pending.clear();
    for (const change of changes) {
      this.#deliver(change);
      const { teamId, sessionId, approvals } = change;
      const kind = approvals ? 'a' : 's';
      this.#hints.publish(channel, `${this.#processId} ${teamId} ${sessionId} ${kind}`);
    }
  }
  #deliver(change: Change): void {
    for (const listener of [...this.#listeners]) listener(change);
  }

  /** A hint of any process; our own have been told already. */
  hinted(hint: string): void {
    const [processId, teamId, sessionId, kind] = hint.split(' ');
    if (teamId === undefined || sessionId === undefined || processId === this.#processId) return;
    this.#deliver({ teamId, sessionId, approvals: kind === 'a' });
  }
}
