import type { Payload, Person, ContentBlock } from '@berth/contract';
import type { Entry } from './entries.ts';

/** A turn as far as the loaded events tell of it. */
export interface TurnInfo {
  readonly turnId: string;
  readonly state: 'queued' | 'running' | 'unknown' | 'over';
  readonly prompt: readonly ContentBlock[] | null;
  readonly by?: Person | undefined;
  readonly position: number | null;
  readonly queuedSeq: number;
  readonly startedAt?: number | undefined;
}
/** Everything that is shown of a session's log, as a fold over its events. */
export interface View {
  /** By `order`. */
  readonly entries: readonly Entry[];
  /** `order` of each entry by its id. */
  readonly places: ReadonlyMap<string, number>;
  readonly turns: ReadonlyMap<string, TurnInfo>;
  readonly plan: Payload<'plan'>['entries'];
  readonly commands: Payload<'commands'>['commands'];
  readonly mode: Payload<'mode'> | null;
  readonly terminals: ReadonlyMap<string, Payload<'terminal.opened'>>;
  /** Of the last event, whatever it was: "nothing heard since". */
  readonly lastAt: number | null;
}
export const emptyView: View = {
  entries: [],
  places: new Map(),
  turns: new Map(),
  plan: [],
  commands: [],
  mode: null,
  terminals: new Map(),
  lastAt: null,
};

/** The index of the entry with this order, or where it would stand. */
export function placeOf(entries: readonly Entry[], order: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.order ?? Infinity) < order) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Copies what a batch of events changes, once per batch, so that older views stay as they were. */
export class Draft {
  readonly entries: Entry[];
  #view: View;
  #places: Map<string, number> | null = null;
  #turns: Map<string, TurnInfo> | null = null;
  #terminals: Map<string, Payload<'terminal.opened'>> | null = null;

  constructor(view: View) {
    this.#view = view;
    this.entries = view.entries.slice();
  }
  find(id: string): Entry | null {
    const order = (this.#places ?? this.#view.places).get(id);
    if (order === undefined) return null;
    return this.entries[placeOf(this.entries, order)] ?? null;
  }
  put(entry: Entry): void {
    const before = (this.#places ?? this.#view.places).get(entry.id);
    if (before !== entry.order) {
      if (before !== undefined) this.entries.splice(placeOf(this.entries, before), 1);
      this.#places ??= new Map(this.#view.places);
      this.#places.set(entry.id, entry.order);
      this.entries.splice(placeOf(this.entries, entry.order), 0, entry);
      return;
    }
    this.entries[placeOf(this.entries, entry.order)] = entry;
  }
  turn(turnId: string): TurnInfo | null {
    return (this.#turns ?? this.#view.turns).get(turnId) ?? null;
  }
  putTurn(turn: TurnInfo): void {
    this.#turns ??= new Map(this.#view.turns);
    this.#turns.set(turn.turnId, turn);
  }
  terminals(): Map<string, Payload<'terminal.opened'>> {
    this.#terminals ??= new Map(this.#view.terminals);
    return this.#terminals;
  }
  isPlanDone(): boolean {
    return this.#view.plan.every(({ status }) => status === 'completed');
  }
  set(part: Partial<Pick<View, 'plan' | 'commands' | 'mode' | 'lastAt'>>): void {
    this.#view = { ...this.#view, ...part };
  }
  done(): View {
    return {
      ...this.#view,
      entries: this.entries,
      places: this.#places ?? this.#view.places,
      turns: this.#turns ?? this.#view.turns,
      terminals: this.#terminals ?? this.#view.terminals,
    };
  }
}
