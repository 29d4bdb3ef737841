import type { Files, Upload } from './files.ts';
import type { AgentdReply, AgentdRequest } from './protocol.ts';

interface Pending {
  upload: Upload;
  /** The steps run one after the other. */
  work: Promise<void>;
}

/** Files on their way in. The first step that fails is answered; what comes after it is dropped. */
export function createUploads(options: {
  files: Files;
  reply: (id: number, reply: AgentdReply) => void;
  failed: (id: number, error: unknown) => void;
  log: (line: string) => void;
}) {
  const pending = new Map<number, Pending>();
  const discard = (upload: Upload): Promise<void> =>
    upload.abort().catch((error: unknown) => options.log(`upload: ${String(error)}`));

  /** False: there is no upload of this id. */
  function step(id: number, act: (upload: Upload) => Promise<void>): boolean {
    const known = pending.get(id);
    if (!known) return false;
    known.work = known.work.then(async () => {
      if (pending.get(id) !== known) return;
      try {
        await act(known.upload);
      } catch (error) {
        pending.delete(id);
        await discard(known.upload);
        options.failed(id, error);
      }
    });
    return true;
  }
  return {
    begin(id: number, request: Extract<AgentdRequest, { op: 'write' }>): void {
      // Input may follow at once: the entry stands before the file is open.
      const opening = options.files.write(request.path, request.mode, request.ifMatch);
      const upload: Upload = {
        write: async (bytes) => (await opening).write(bytes),
        finish: async () => (await opening).finish(),
        abort: async () => (await opening.catch(() => null))?.abort(),
      };
      pending.set(id, { upload, work: Promise.resolve() });
      step(id, async () => {
        await opening;
      });
    },
    write: (id: number, bytes: Buffer): boolean => step(id, (upload) => upload.write(bytes)),
    finish: (id: number): boolean =>
      step(id, async (upload) => {
        const { etag } = await upload.finish();
        pending.delete(id);
        options.reply(id, { op: 'written', etag });
      }),
    /** The link is gone, and with it the rest of every file. */
    dropAll(): void {
      for (const [id, known] of pending) {
        pending.delete(id);
        known.work = known.work.then(() => discard(known.upload));
      }
    },
  };
}
