import { createHash } from 'node:crypto';
import { otherSteps, ownSteps, type Rules, type Step, type World } from './world.ts';

export interface Found {
  readonly states: number;
  /** The shortest history that breaks a promise; null: none does. */
  readonly fault: { promise: string; history: string[] } | null;
}

const over = ['done', 'cancelled', 'failed'];
/** What must hold in every state. */
function broken(w: World): string | null {
  for (const [at, row] of w.rows.entries()) {
    if ((w.inserted[at] ?? 0) > 1 + (row?.resends ?? 0)) return 'never delivered twice';
    if (w.withdrawn[at] === true && (w.ever[at] === true || row?.state !== 'cancelled'))
      return 'withdrawn or sent, never both';
    if (row?.state === 'unknown' && !w.doubt)
      return 'unknown only when journal and history cannot tell';
  }
  return null;
}
/** What must hold when nothing is left to do. */
function unfinished(w: World, agentWorks: boolean): string | null {
  const inQuestion = w.rows.some((row) => row?.state === 'unknown');
  let busy = false;
  for (const [at, row] of w.rows.entries()) {
    if (row === null || row.state === 'unknown') continue;
    if (row.state === 'done' && w.ever[at] !== true && !w.doubt) return 'never lost';
    if (over.includes(row.state)) continue;
    if (row.state === 'queued' && (inQuestion || busy)) continue;
    if (w.cancelled[at] === true) return 'a cancel is never lost';
    if (agentWorks || row.state !== 'running') return 'never lost';
    busy = true;
  }
  return null;
}

const keyOf = (w: World): string => createHash('md5').update(JSON.stringify(w)).digest('base64');
const drainMax = 500;

/** Breadth first over everything that may happen, in any order, with so many deaths; from each state, on to where nothing is left to do. */
export function explore(
  rules: Rules,
  start: World,
  options: { agentWorks: boolean; most: number },
): Found {
  const { agentWorks, most } = options;
  const seen = new Set([keyOf(start)]);
  const finishes = new Set<string>();
  const from = new Map<number, { parent: number; name: string }>();
  const queue: World[] = [start];
  const history = (at: number, last: string[]): string[] => {
    const names: string[] = [];
    for (let here = at; ;) {
      const step = from.get(here);
      if (step === undefined) return [...names.reverse(), ...last];
      names.push(step.name);
      here = step.parent;
    }
  };
  const fault = (at: number, promise: string, last: string[] = []): Found => ({
    states: queue.length,
    fault: { promise, history: history(at, last) },
  });
  for (let at = 0; at < queue.length; at++) {
    const world = queue[at];
    if (world === undefined) break;
    const wrong = broken(world);
    if (wrong !== null) return fault(at, wrong);
    const left = drain(rules, world, agentWorks, finishes);
    if (left !== null) return fault(at, left.promise, left.history);
    for (const step of [...ownSteps(rules, world, agentWorks), ...otherSteps(rules, world)]) {
      const key = keyOf(step.world);
      if (seen.has(key)) continue;
      if (queue.length >= most) throw new Error(`more than ${String(most)} states`);
      seen.add(key);
      from.set(queue.length, { parent: at, name: step.name });
      queue.push(step.world);
    }
  }
  return { states: queue.length, fault: null };
}

/** Nobody does anything any more and nothing dies: it must come to rest, and at rest nothing may be missing. */
function drain(
  rules: Rules,
  start: World,
  agentWorks: boolean,
  finishes: Set<string>,
): { promise: string; history: string[] } | null {
  const passed: string[] = [];
  const history: string[] = [];
  let world = start;
  for (let steps = 0; ; steps++) {
    if (steps > drainMax) return { promise: 'it comes to rest', history };
    const key = keyOf(world);
    if (finishes.has(key)) break;
    passed.push(key);
    const next: Step | undefined = ownSteps(rules, world, agentWorks)[0];
    if (next === undefined) {
      const promise = unfinished(world, agentWorks);
      if (promise !== null) return { promise, history };
      break;
    }
    history.push(next.name);
    world = next.world;
    const promise = broken(world);
    if (promise !== null) return { promise, history };
  }
  for (const key of passed) finishes.add(key);
  return null;
}
