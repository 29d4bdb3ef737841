import type { Files } from './files.ts';
import { agentdFrame, type AgentdReply } from './protocol.ts';

interface Download {
  /** The runner's reader is slow: the file waits, not its bytes. */
  held: boolean;
  stopped: boolean;
}

/** Files on their way out: at the pace of the link, and of the runner's own reader, so that no file is ever in anybody's memory. */
export function createDownloads(options: {
  files: Pick<Files, 'read'>;
  send: (type: number, id: number, body: Uint8Array) => void;
  reply: (id: number, reply: AgentdReply) => void;
  full: () => boolean;
}) {
  const { files, send, reply, full } = options;
  const open = new Map<number, Download>();
  const waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const resume of waiting.splice(0)) resume();
  };

  async function pour(id: number, path: string, download: Download): Promise<void> {
    const { meta, chunks } = await files.read(path);
    reply(id, { op: 'meta', ...meta });
    let offset = 0;
    for await (const chunk of chunks) {
      while ((download.held || full()) && !download.stopped)
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      if (download.stopped) break;
      const body = Buffer.allocUnsafe(8 + chunk.length);
      body.writeBigUInt64LE(BigInt(offset), 0);
      body.set(chunk, 8);
      send(agentdFrame.output, id, body);
      offset += chunk.length;
    }
    reply(id, { op: 'end' });
  }

  return {
    async begin(id: number, path: string): Promise<void> {
      const download = { held: false, stopped: false };
      open.set(id, download);
      try {
        await pour(id, path, download);
      } finally {
        open.delete(id);
      }
    },
    /** Holds it, lets it go on, or ends it early. False: there is no download of this id. */
    request(id: number, op: 'pause' | 'resume' | 'kill'): boolean {
      const download = open.get(id);
      if (download === undefined) return false;
      if (op === 'kill') download.stopped = true;
      else download.held = op === 'pause';
      wake();
      return true;
    },
    /** There is room on the link again. */
    wake,
    /** The link is gone. */
    stopAll(): void {
      for (const download of open.values()) download.stopped = true;
      wake();
    },
  };
}
