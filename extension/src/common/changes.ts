import type { ChangedFile, SessionStatus } from '@berth/contract';
import { count } from '@berth/client/words';

export interface ChangeRow {
  readonly path: string;
  readonly name: string;
  /** Folder and numbers. */
  readonly description: string;
  readonly tooltip: string;
  /** One letter, as git says it. */
  readonly letter: 'A' | 'M' | 'D' | 'R';
  /** A colour that every theme has for it. */
  readonly color: string;
}

const looks = {
  added: { letter: 'A', color: 'gitDecoration.addedResourceForeground', word: 'added' },
  modified: { letter: 'M', color: 'gitDecoration.modifiedResourceForeground', word: 'changed' },
  deleted: { letter: 'D', color: 'gitDecoration.deletedResourceForeground', word: 'deleted' },
  renamed: { letter: 'R', color: 'gitDecoration.renamedResourceForeground', word: 'renamed' },
} as const;

export function changeRow(file: ChangedFile): ChangeRow {
  const slash = file.path.lastIndexOf('/');
  const { letter, color, word } = looks[file.status];
  const numbers = file.binary === true ? 'binary' : `+${file.added} −${file.deleted}`;
  const folder = file.path.slice(0, Math.max(slash, 0));
  return {
    path: file.path,
    name: file.path.slice(slash + 1),
    description: [folder, numbers].filter((part) => part !== '').join('  '),
    tooltip: `${file.from === undefined ? '' : `${file.from} → `}${file.path}\n${word}, ${numbers}`,
    letter,
    color,
  };
}

/** Why a sandbox cannot be asked now; it is not woken for a list. */
export function whyUnread(status: SessionStatus): string | null {
  switch (status) {
    case 'starting':
    case 'waking':
      return 'The sandbox is starting.';
    case 'suspending':
    case 'suspended':
      return 'The sandbox is suspended. A message wakes it.';
    default:
      return null;
  }
}

/** The two sides of a file's diff; null where there is none. */
export function sidesOf(file: ChangedFile): { base: string | null; current: string | null } {
  return {
    base: file.status === 'added' ? null : (file.from ?? file.path),
    current: file.status === 'deleted' ? null : file.path,
  };
}

export function changesSummary(files: readonly ChangedFile[]): string {
  const sum = (key: 'added' | 'deleted') => files.reduce((all, file) => all + file[key], 0);
  return `${count(files.length, 'file')}, +${sum('added')} −${sum('deleted')}`;
}
