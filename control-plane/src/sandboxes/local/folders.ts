import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { publish, reachable } from './reachable.ts';

/** The sandbox reads the host path of each of its mounts in /proc/self/mountinfo: this one says nothing of the user or the project. */
const neutralRoot = '/var/lib/berth/s';
/** One for the machine: two control planes must never give the same uid, whatever their folders are. */
const uidClaims = '/var/lib/berth/uids';

export function stateRoot(dataDir: string, root: boolean): string {
  const own = path.join(dataDir, 's');
  if (!root) return own;
  try {
    mkdirSync(neutralRoot, { recursive: true, mode: 0o711 });
    return neutralRoot;
  } catch {
    return own; // a read-only system
  }
}

/** The folders of one sandbox; also what must lie where its uid can reach it. */
export interface BoxFolders {
  readonly workspace: string;
  readonly home: string;
  readonly run: string;
  readonly logFile: string;
  readonly statusFile: string;
}

export function createFolders(options: { root: string; own: boolean }) {
  const { root } = options;
  const opt = path.join(root, 'opt');
  const folderOf = (name: string): string => path.join(root, name);
  return {
    folderOf,
    claims: uidClaims,
    of(folder: string): BoxFolders {
      return {
        workspace: path.join(folder, 'w'),
        home: path.join(folder, 'h'),
        run: path.join(folder, 'run'),
        logFile: path.join(folder, 'log'),
        statusFile: path.join(folder, 'status'),
      };
    },
    /** Makes what is missing and sets the owners right; a uid of its own may enter its three folders and nothing else of ours. */
    make(folder: string, uid: number | null): BoxFolders {
      const mode = uid === null ? 0o700 : 0o711;
      mkdirSync(root, { recursive: true, mode });
      mkdirSync(folder, { recursive: true, mode });
      const made = this.of(folder);
      for (const own of [made.workspace, made.home]) {
        mkdirSync(own, { recursive: true, mode: 0o700 });
        if (uid !== null) chownSync(own, uid, uid);
      }
      mkdirSync(made.run, { recursive: true, mode: 0o700 });
      if (uid !== null) {
        // The sockets in it are ours: the sandbox may connect to them, not replace them.
        chownSync(made.run, 0, uid);
        chmodSync(made.run, 0o750);
        if (!reachable(root))
          throw new Error(`${root} cannot be entered by other users, so no sandbox can live there`);
      }
      return made;
    },
    published: (original: string): string => (options.own ? publish(original, opt) : original),
    remove(folder: string): void {
      try {
        rmSync(folder, { recursive: true, force: true });
      } catch {
        // Whoever is not root cannot list a folder that was closed from inside.
        open(folder);
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}
export type Folders = ReturnType<typeof createFolders>;

function open(folder: string): void {
  if (!lstatSync(folder).isDirectory()) return;
  chmodSync(folder, 0o700);
  for (const name of readdirSync(folder)) open(path.join(folder, name));
}
