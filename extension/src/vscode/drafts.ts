import type * as vscode from 'vscode';
import * as z from 'zod/mini';
import { draft as draftSchema, type Draft } from '../../../webview/src/ipc/index.ts';
import type { Drafts } from '../common/chat-host.ts';

const prefix = 'berth.draft.';
/** The workspace's state is read as a whole at start: a large picture in it would be paid for each time. */
const draftCharsMax = 2_000_000;

/** What was written and not sent, one entry a session, kept by the editor for this workspace. */
export function createDrafts(state: vscode.Memento): Drafts & { flush(): Promise<void> } {
  const writing = new Set<Promise<void>>();
  return {
    load(sessionId) {
      const kept = z.safeParse(draftSchema, state.get(prefix + sessionId));
      return kept.success ? kept.data : null;
    },
    async save(sessionId, draft) {
      const blocks = draft?.blocks ?? [];
      const fits = JSON.stringify(blocks).length <= draftCharsMax;
      const kept: Draft | undefined =
        draft === null || (draft.text === '' && blocks.length === 0)
          ? undefined
          : { text: draft.text, blocks: fits ? blocks : [] };
      const write = Promise.resolve(state.update(prefix + sessionId, kept));
      writing.add(write);
      try {
        await write;
      } finally {
        writing.delete(write);
      }
    },
    async flush() {
      await Promise.allSettled(writing);
    },
  };
}
