import { codeOf } from '@berth/client';
import type { ChangedFile } from '@berth/contract';
import * as vscode from 'vscode';
import { fileScheme, partsOf, readFileAddress, type FileAddress } from '../common/addresses.ts';
import { systemClock } from '../common/clock.ts';
import { sidesOf } from '../common/changes.ts';
import type { Hub, Link } from '../common/hub.ts';
import type { Subscriptions } from './subscriptions.ts';

const linkMs = 10_000;
const fileBytesMax = 50 * 1024 * 1024;

export const uriOf = (address: FileAddress): vscode.Uri => vscode.Uri.from(partsOf(address));

/** Both sides of a file's diff, as the editor's diff commands take them. */
export function diffUris(sessionId: string, file: ChangedFile) {
  const { base, current } = sidesOf(file);
  const side = (rev: FileAddress['rev'], path: string | null) =>
    path === null ? undefined : uriOf({ sessionId, rev, path });
  return { original: side('base', base), modified: side('current', current) };
}

export interface SessionFiles extends vscode.FileSystemProvider {
  /** Files of a session may look different now: what is open of it is read again. */
  touched(sessionId: string, paths: readonly string[]): void;
}

/** `berth:` shows files of a session's sandbox, as they were and as they are. Read-only: the agent works there. */
export function createSessionFiles(hub: Hub, subscriptions: Subscriptions): SessionFiles {
  const changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  const stamps = new Map<string, number>();
  subscriptions.push(changed);

  const addressOf = (uri: vscode.Uri): FileAddress => {
    const address = readFileAddress(uri);
    if (address === null) throw vscode.FileSystemError.FileNotFound(uri);
    return address;
  };
  const linked = async (uri: vscode.Uri): Promise<Link> => {
    const link = hub.link ?? (await hub.whenLinked(linkMs));
    if (link === null) throw vscode.FileSystemError.Unavailable(uri);
    return link;
  };
  const translate = (uri: vscode.Uri, error: unknown): Error => {
    const code = codeOf(error);
    if (code === 'not-found' || code === 'outside-workspace')
      return vscode.FileSystemError.FileNotFound(uri);
    return vscode.FileSystemError.Unavailable(
      error instanceof Error ? error.message : String(error),
    );
  };
  const stampOf = (uri: vscode.Uri) => stamps.get(uri.toString()) ?? 1;
  const readOnly = (uri: vscode.Uri): never => {
    throw vscode.FileSystemError.NoPermissions(uri);
  };

  return {
    onDidChangeFile: changed.event,
    touched(sessionId, paths) {
      const now = systemClock.now();
      const events = paths.map((path) => {
        const uri = uriOf({ sessionId, rev: 'current', path });
        stamps.set(uri.toString(), now);
        return { type: vscode.FileChangeType.Changed, uri };
      });
      if (events.length > 0) changed.fire(events);
    },
    watch: () => new vscode.Disposable(() => undefined),
    async stat(uri) {
      const address = addressOf(uri);
      const link = await linked(uri);
      const parent = address.path.split('/').slice(0, -1).join('/');
      const name = address.path.split('/').at(-1) ?? '';
      const permissions = vscode.FilePermission.Readonly;
      if (name === '')
        return { type: vscode.FileType.Directory, ctime: 0, mtime: 1, size: 0, permissions };
      try {
        if (address.rev === 'base') {
          const content = await link.client.files.read(address.sessionId, address.path, {
            rev: 'base',
          });
          const size = content.sizeBytes ?? (await content.bytes()).length;
          if (content.sizeBytes !== undefined) await content.body.cancel();
          return { type: vscode.FileType.File, ctime: 0, mtime: 1, size, permissions };
        }
        const { items } = await link.client.files.list(
          address.sessionId,
          parent === '' ? undefined : parent,
        );
        const found = items.find((item) => item.name === name);
        if (!found) throw vscode.FileSystemError.FileNotFound(uri);
        return {
          type: found.type === 'directory' ? vscode.FileType.Directory : vscode.FileType.File,
          ctime: 0,
          mtime: Math.max(Date.parse(found.modifiedAt), stampOf(uri)),
          size: found.sizeBytes,
          permissions,
        };
      } catch (error) {
        throw error instanceof vscode.FileSystemError ? error : translate(uri, error);
      }
    },
    async readDirectory(uri) {
      const address = addressOf(uri);
      const link = await linked(uri);
      try {
        const { items } = await link.client.files.list(
          address.sessionId,
          address.path === '' ? undefined : address.path,
        );
        return items.map((item) => [
          item.name,
          item.type === 'directory' ? vscode.FileType.Directory : vscode.FileType.File,
        ]);
      } catch (error) {
        throw translate(uri, error);
      }
    },
    async readFile(uri) {
      const address = addressOf(uri);
      const link = await linked(uri);
      try {
        const content = await link.client.files.read(
          address.sessionId,
          address.path,
          address.rev === 'base' ? { rev: 'base' } : {},
        );
        if ((content.sizeBytes ?? 0) > fileBytesMax) {
          await content.body.cancel();
          throw vscode.FileSystemError.Unavailable('The file is larger than 50 MB.');
        }
        return await content.bytes();
      } catch (error) {
        throw error instanceof vscode.FileSystemError ? error : translate(uri, error);
      }
    },
    createDirectory: readOnly,
    writeFile: readOnly,
    delete: readOnly,
    rename: readOnly,
  };
}

export function registerSessionFiles(files: SessionFiles): vscode.Disposable {
  return vscode.workspace.registerFileSystemProvider(fileScheme, files, {
    isReadonly: new vscode.MarkdownString(
      'This file is in a sandbox. The agent works on it there.',
    ),
    isCaseSensitive: true,
  });
}
