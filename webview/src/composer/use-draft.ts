import { useEffect, useRef, useState } from 'preact/hooks';
import type { Chat } from '../store/chat.ts';
import type { Draft } from '../ipc/index.ts';
import { blockBytes } from './attachments.ts';

const saveAfterMs = 300;
export const emptyDraft: Draft = { text: '', blocks: [] };
const isEmpty = (draft: Draft): boolean => draft.text === '' && draft.blocks.length === 0;

/** A store for drafts is no place for many megabytes: what is larger has to be attached again after a reload. */
const keptBytesMax = 1024 * 1024;
export function keepable({ text, blocks }: Draft): Draft {
  let free = keptBytesMax;
  const kept = blocks.filter((block) => {
    const bytes = blockBytes(block);
    if (bytes > free) return false;
    free -= bytes;
    return true;
  });
  return { text, blocks: kept };
}

/** What the person has written and not sent. Kept by the host, so that it outlives the view, a reload and a sign-in. */
export function useDraft(
  chat: Chat,
  sessionId: string,
): [Draft, (change: (draft: Draft) => Draft) => void] {
  const [draft, setDraft] = useState<Draft>(() => chat.state.get().kept ?? emptyDraft);
  const latest = useRef(draft);
  const unsaved = useRef(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const save = (): void => {
    clearTimeout(timer.current);
    if (!unsaved.current) return;
    unsaved.current = false;
    const value = isEmpty(latest.current) ? null : keepable(latest.current);
    chat
      .attempt(chat.host.saveDraft({ sessionId, draft: value }))
      .catch((error: unknown) => console.error(error));
  };
  const change = (next: (draft: Draft) => Draft): void => {
    latest.current = next(latest.current);
    setDraft(latest.current);
    unsaved.current = true;
    clearTimeout(timer.current);
    timer.current = setTimeout(save, saveAfterMs);
  };

  useEffect(() => {
    const stop = chat.onDraft((added) =>
      change((before) => ({
        text: before.text === '' ? added.text : `${before.text}\n${added.text}`.trimEnd(),
        blocks: before.blocks.concat(added.blocks),
      })),
    );
    const hide = () => save();
    window.addEventListener('pagehide', hide);
    document.addEventListener('visibilitychange', hide);
    return () => {
      stop();
      save();
      window.removeEventListener('pagehide', hide);
      document.removeEventListener('visibilitychange', hide);
    };
  }, [chat, sessionId]);

  return [draft, change];
}
