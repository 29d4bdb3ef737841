import { Problem } from '@berth/contract';
import type { Terminal } from '@berth/contract';
import type { TerminalViewer } from '../../terminals/index.ts';
import type { TerminalsPort, WorkspacesPort } from '../ports.ts';

const unknown = () => new Problem('not-found', 'No such thing.');

/** A terminal that echoes each frame, at the port; `flood` sends that many bytes first, as fast as the viewer takes them. */
export function scriptedTerminals() {
  const known = new Map<string, { teamId: string; terminal: Terminal }>();
  const attached: { terminalId: string; at: unknown; viewer: TerminalViewer }[] = [];
  const state = { known, attached, floodBytes: 0, sent: 0, mostWaiting: 0 };
  const find = (teamId: string, id: string) => {
    const found = known.get(id);
    if (found?.teamId !== teamId) throw unknown();
    return found;
  };
  const port: TerminalsPort = {
    list: async (actor, sessionId) =>
      [...known.values()]
        .filter((each) => each.teamId === actor.teamId && each.terminal.sessionId === sessionId)
        .map((each) => each.terminal),
    async open(actor, sessionId, input) {
      const terminal: Terminal = {
        id: crypto.randomUUID(),
        sessionId,
        ...input,
        state: 'open',
        createdBy: { id: actor.userId, name: actor.userName },
        createdAt: '2026-11-22T12:00:00.000Z',
      };
      known.set(terminal.id, { teamId: actor.teamId, terminal });
      return terminal;
    },
    async close(actor, id) {
      find(actor.teamId, id);
      known.delete(id);
    },
    async screen(actor, id) {
      const { cols, rows } = find(actor.teamId, id).terminal;
      return { cols, rows, offset: 5, text: 'hello' };
    },
    async attach(actor, terminalId, at, viewer, signal) {
      find(actor.teamId, terminalId);
      attached.push({ terminalId, at, viewer });
      for (state.sent = 0; state.sent < state.floodBytes && !signal.aborted;) {
        state.sent += 65_536;
        if (!viewer.send(new Uint8Array(65_536))) await viewer.drained();
      }
      for await (const frame of viewer.frames()) {
        if (Buffer.from(frame).toString() === '\0exit') return;
        viewer.send(frame);
      }
    },
  };
  return Object.assign(state, port);
}

/** One workspace in memory, at the port. */
export function scriptedWorkspaces() {
  const files = new Map<string, Buffer>();
  const archives: { bytes: number; overwrite: boolean }[] = [];
  async function* one(bytes: Uint8Array) {
    yield bytes;
  }
  const inside = (path: string) => {
    if (path.includes('..')) throw new Problem('outside-workspace', 'It leaves the workspace.');
    return path;
  };
  const port: WorkspacesPort = {
    list: async (_actor, _sessionId, path) => ({ path: inside(path), items: [] }),
    async read(_actor, _sessionId, path) {
      const bytes = files.get(inside(path));
      if (bytes === undefined) throw unknown();
      return { meta: { sizeBytes: bytes.length, modifiedAtMs: 0, etag: '"e1"' }, body: one(bytes) };
    },
    async write(_actor, _sessionId, path, body, { ifMatch } = {}) {
      if (ifMatch !== undefined && ifMatch !== '"e1"')
        throw new Problem('version-stale', 'Another file by now.');
      files.set(inside(path), Buffer.concat(await Array.fromAsync(body)));
      return { etag: '"e2"' };
    },
    async archive(_actor, _sessionId, body, { overwrite }) {
      let bytes = 0;
      for await (const chunk of body) bytes += chunk.length;
      archives.push({ bytes, overwrite });
    },
    changes: async () => ({ files: [] }),
    patch: async (_actor, _sessionId, path) => one(Buffer.from(`diff ${path ?? 'all'}\n`)),
    logs: async (_actor, _sessionId, source, tail) => ({ source, lines: [`tail ${tail}`] }),
  };
  return Object.assign({ files, archives }, port);
}
