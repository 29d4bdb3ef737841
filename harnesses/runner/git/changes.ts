import type { RunnerValue } from '@berth/contract/link';

export type Changes = RunnerValue<'changes.list'>;
type File = Changes['files'][number];

const statuses: Record<string, File['status']> = {
  A: 'added',
  C: 'added',
  D: 'deleted',
  R: 'renamed',
};

/**
 * Pure. Reads `git diff --raw --numstat -z -M`: first all raw records (`:modes hashes status` NUL path [NUL path]), then all numstat records
 * (`added TAB deleted TAB path`, or with an empty path: NUL from NUL to).
 */
export function parseDiff(text: string): File[] {
  const fields = text.split('\0');
  const files = new Map<string, File>();
  for (let at = 0; at < fields.length; at++) {
    const field = fields[at] ?? '';
    if (field.startsWith(':')) {
      const letter = field.split(' ').at(-1)?.charAt(0) ?? 'M';
      const renamed = letter === 'R' || letter === 'C';
      const from = renamed ? fields[++at] : undefined;
      const path = fields[++at];
      if (path === undefined) break;
      files.set(path, {
        path,
        ...(letter === 'R' && from !== undefined ? { from } : {}),
        status: statuses[letter] ?? 'modified',
        added: 0,
        deleted: 0,
      });
      continue;
    }
    const counts = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(field);
    if (!counts) continue;
    let path = counts[3] ?? '';
    if (path === '') {
      at += 2;
      path = fields[at] ?? '';
    }
    const file = files.get(path);
    if (!file) continue;
    if (counts[1] === '-') file.binary = true;
    else {
      file.added = Number(counts[1]);
      file.deleted = Number(counts[2]);
    }
  }
  return [...files.values()];
}

export interface ChangesSummary {
  files: number;
  added: number;
  deleted: number;
}
export const summaryOf = ({ files }: Changes): ChangesSummary => ({
  files: files.length,
  added: files.reduce((sum, { added }) => sum + added, 0),
  deleted: files.reduce((sum, { deleted }) => sum + deleted, 0),
});

/** `git clone --progress` on standard error: `Receiving objects:  45% (9/20), …`. Pure. */
export function cloneProgress(line: string): { detail: string; done: number } | null {
  const found = /^(?:remote: )?([A-Z][a-z]+ [a-z]+):\s+(\d+)%/.exec(line);
  return found ? { detail: found[1] ?? '', done: Number(found[2]) } : null;
}
