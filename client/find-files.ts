import type { FileEntry } from '@berth/contract';
import type { Clock } from './clock.ts';

export const findLimits = {
  /** Folders that are listed for one answer: what lies deeper is found by naming its folder. */
  foldersMax: 120,
  /** Asked for at the same time. */
  atOnce: 12,
  foundMax: 20,
  /** What was listed holds for the next letters that a person types. */
  keptMs: 5000,
} as const;

/** Folders that hold what nobody wrote: large, and hardly ever what a person means. */
const passedOver = new Set(['.git', 'node_modules', '.venv', '__pycache__', 'target', '.cache']);

/** Pure. Lower is better, null does not fit: the name counts before the path, a beginning before a middle. */
export function rank(path: string, query: string): number | null {
  const wanted = query.toLowerCase();
  const whole = path.toLowerCase().replace(/\/$/, '');
  const name = whole.slice(whole.lastIndexOf('/') + 1);
  if (wanted === '' || name === wanted || whole === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  if (whole.startsWith(wanted)) return 2;
  if (name.includes(wanted)) return 3;
  return whole.includes(wanted) ? 4 : null;
}

const depth = (path: string): number => path.replace(/\/$/, '').split('/').length;

/**
 * Finds the files of a workspace that a person may mean, best first; a folder ends in a slash. Walks it level by level, so that what lies near the top
 * is found even where the walk ends early; a query that names a folder (`src/re`) begins there.
 */
export function createFileFinder(options: {
  list: (folder: string) => Promise<readonly FileEntry[]>;
  clock: Clock;
}): (query: string) => Promise<readonly string[]> {
  const { list, clock } = options;
  let kept = new Map<string, Promise<readonly FileEntry[]>>();
  let since = -Infinity;

  function entriesOf(folder: string): Promise<readonly FileEntry[]> {
    const known = kept.get(folder);
    if (known) return known;
    const asked = list(folder);
    kept.set(folder, asked);
    return asked;
  }
  /** A folder that went away in between has no files. The first one says why nothing can be listed. */
  const below = (folder: string, first: boolean) =>
    entriesOf(folder).catch((error: unknown) => {
      kept.delete(folder);
      if (first) throw error;
      return [];
    });

  async function walk(top: string, query: string): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    const open = [top];
    for (let listed = 0; open.length > 0 && listed < findLimits.foldersMax;) {
      const folders = open.splice(0, findLimits.atOnce);
      listed += folders.length;
      const answers = await Promise.all(folders.map((folder) => below(folder, folder === top)));
      for (const [index, entries] of answers.entries())
        for (const { name, type } of entries) {
          if (passedOver.has(name)) continue;
          const isFolder = type === 'directory';
          const path = `${folders[index] ?? ''}${name}${isFolder ? '/' : ''}`;
          const fits = rank(path, query);
          if (fits !== null) found.set(path, fits);
          // Without words there is nothing to look for: what lies at the top is the answer.
          if (isFolder && query !== top) open.push(path);
        }
    }
    return found;
  }

  return async (query) => {
    const now = clock.now();
    if (now - since > findLimits.keptMs) {
      kept = new Map();
      since = now;
    }
    const folder = query.slice(0, query.lastIndexOf('/') + 1);
    let found = folder === '' ? null : await walk(folder, query).catch(() => null);
    // The slash may stand in the middle of a path (`refunds/po` for `src/refunds/policy.ts`).
    if (found === null || found.size === 0) found = await walk('', query);
    return [...found]
      .sort(([a, x], [b, y]) => x - y || depth(a) - depth(b) || a.localeCompare(b))
      .slice(0, findLimits.foundMax)
      .map(([path]) => path);
  };
}

/** The files of one session that a message can name, by their addresses in its sandbox: what the chat offers behind an `@`. */
export function createMentions(options: {
  list: (folder?: string) => Promise<{ items: readonly FileEntry[] }>;
  clock: Clock;
}): (query: string) => Promise<{ items: { name: string; uri: string }[] }> {
  const find = createFileFinder({
    list: async (folder) => (await options.list(folder === '' ? undefined : folder)).items,
    clock: options.clock,
  });
  return async (query) => ({
    items: (await find(query)).map((name) => ({ name, uri: `file:///workspace/${name}` })),
  });
}
