import type { ChannelRequest } from '@berth/contract';
import * as z from 'zod/mini';
import type { Stop } from './subscriptions.ts';

export interface MirrorChange<T> {
  /** `upsert` is all there is; what was known before and is not in it is gone. */
  complete: boolean;
  upsert: readonly T[];
  remove: readonly string[];
  /** All that is known after this change. */
  all: ReadonlyMap<string, T>;
}

/** A list that the server keeps up to date: a snapshot first, then changes; each item replaces its older version. */
export function createMirror<T extends { id: string }>(options: {
  channel: 'sessions' | 'approvals';
  schema: z.ZodMiniType<T>;
  newId: () => number;
  send: (request: ChannelRequest) => boolean;
  tell: (action: () => void) => void;
}) {
  const listeners = new Set<(change: MirrorChange<T>) => void>();
  let all = new Map<string, T>();
  let complete = false;

  const subscribe = () =>
    options.send({ op: 'subscribe', id: options.newId(), channel: options.channel });

  return {
    opened(): void {
      if (listeners.size > 0) subscribe();
    },
    /** We were too slow and the server let us go: from a snapshot again. */
    resync(): void {
      if (listeners.size > 0) subscribe();
    },
    frame(frame: {
      complete?: true | undefined;
      upsert: readonly unknown[];
      remove: readonly string[];
    }): void {
      const upsert = frame.upsert.flatMap((item) => {
        const parsed = z.safeParse(options.schema, item);
        return parsed.success ? [parsed.data] : [];
      });
      if (frame.complete === true) {
        all = new Map();
        complete = true;
      } else if (!complete) return;
      for (const item of upsert) all.set(item.id, item);
      for (const id of frame.remove) all.delete(id);
      const change = { complete: frame.complete === true, upsert, remove: frame.remove, all };
      for (const listener of [...listeners]) options.tell(() => listener(change));
    },
    listen(listener: (change: MirrorChange<T>) => void): Stop {
      listeners.add(listener);
      if (listeners.size === 1) subscribe();
      else if (complete)
        options.tell(() =>
          listener({ complete: true, upsert: [...all.values()], remove: [], all }),
        );
      return () => {
        if (!listeners.delete(listener) || listeners.size > 0) return;
        complete = false;
        all = new Map();
        options.send({ op: 'unsubscribe', id: options.newId(), channel: options.channel });
      };
    },
  };
}
