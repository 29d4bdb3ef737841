import { useEffect, useState } from 'preact/hooks';

export interface Observable<T> {
  get(): T;
  subscribe(listener: () => void): () => void;
}
export interface Store<T> extends Observable<T> {
  update(part: Partial<T>): void;
}
export function createStore<T extends object>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    update: (part) => {
      value = { ...value, ...part };
      for (const listener of [...listeners]) listener();
    },
  };
}

export function useObservable<T>(source: Observable<T>): T {
  const [value, setValue] = useState(() => source.get());
  useEffect(() => {
    const read = () => setValue(() => source.get());
    read();
    return source.subscribe(read);
  }, [source]);
  return value;
}
