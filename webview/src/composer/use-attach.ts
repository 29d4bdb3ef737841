import type { ContentBlock } from '@berth/contract';
import { useState } from 'preact/hooks';
import type { Draft } from '../ipc/index.ts';
import { attachment, fitting } from './attachments.ts';

/** Files that were pasted, dropped or picked, on their way into the message. What does not fit is said, the rest goes in. */
export function useAttach(
  shown: Draft,
  change: (change: (draft: Draft) => Draft) => void,
): {
  refused: string | null;
  setRefused: (words: string | null) => void;
  /** False: there were no files in it. */
  attachFrom: (list: FileList | undefined | null) => boolean;
} {
  const [refused, setRefused] = useState<string | null>(null);
  const attach = async (list: readonly File[]): Promise<void> => {
    setRefused(null);
    const added: ContentBlock[] = [];
    for (const file of list) {
      const result = attachment(file.name, file.type, new Uint8Array(await file.arrayBuffer()));
      if (result.kind === 'block') added.push(result.block);
      else setRefused(result.words);
    }
    const { blocks, refused: words } = fitting(shown.blocks, added);
    if (words !== null) setRefused(words);
    if (blocks.length > 0) change((now) => ({ ...now, blocks: now.blocks.concat(blocks) }));
  };
  return {
    refused,
    setRefused,
    attachFrom: (list) => {
      if (!list || list.length === 0) return false;
      attach([...list]).catch((error: unknown) => setRefused(String(error)));
      return true;
    },
  };
}
