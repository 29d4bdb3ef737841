import { createStore, type Observable } from '../common/state.ts';

/** The session that the person works with: the chat or terminal used last, else the row chosen last. */
export interface Active extends Observable<{ readonly sessionId: string | null }> {
  set(sessionId: string | null): void;
}
export function createActive(): Active {
  const store = createStore<{ readonly sessionId: string | null }>({ sessionId: null });
  return {
    get: store.get,
    onChange: store.onChange,
    set(sessionId) {
      if (store.get().sessionId !== sessionId) store.update({ sessionId });
    },
  };
}
