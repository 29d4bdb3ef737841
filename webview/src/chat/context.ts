import { createContext, type ComponentChildren, type FunctionComponent } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Chat } from '../store/chat.ts';

/** What rows and bars of one chat share: the chat itself, and which of its rows are open. */
export interface Disclosure {
  isOpen(key: string): boolean | undefined;
  set(key: string, open: boolean): void;
  subscribe(key: string, listener: () => void): () => void;
}
/** Lives outside the rows, which come and go as the person scrolls. */
export function createDisclosure(): Disclosure {
  const open = new Map<string, boolean>();
  const listeners = new Map<string, Set<() => void>>();
  return {
    isOpen: (key) => open.get(key),
    set: (key, value) => {
      open.set(key, value);
      for (const listener of listeners.get(key) ?? []) listener();
    },
    subscribe: (key, listener) => {
      const set = listeners.get(key) ?? new Set();
      listeners.set(key, set);
      set.add(listener);
      return () => set.delete(listener);
    },
  };
}

export interface ChatContextValue {
  readonly chat: Chat;
  readonly disclosure: Disclosure;
}
const ChatContext = createContext<ChatContextValue | null>(null);
/** Preact types a provider as returning anything that may be a child, which JSX does not take as a component. */
export const ChatProvider = ChatContext.Provider as FunctionComponent<{
  value: ChatContextValue;
  children: ComponentChildren;
}>;
export function useChat(): ChatContextValue {
  const value = useContext(ChatContext);
  if (!value) throw new Error('a part of the chat stands outside it');
  return value;
}

export function useOpen(key: string, byItself: boolean): [boolean, (open: boolean) => void] {
  const { disclosure } = useChat();
  const [, again] = useState(0);
  useEffect(() => disclosure.subscribe(key, () => again((n) => n + 1)), [key, disclosure]);
  return [disclosure.isOpen(key) ?? byItself, (open) => disclosure.set(key, open)];
}

/** The time, again every `everyMs` while `running`. */
export function useNow(everyMs: number, running = true): number {
  const { chat } = useChat();
  const [now, setNow] = useState(() => chat.clock.now());
  useEffect(() => {
    setNow(chat.clock.now());
    if (!running) return;
    const timer = setInterval(() => setNow(chat.clock.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, running, chat]);
  return now;
}
