import type { Sandbox } from '../driver.ts';

/** Deaths of sandboxes that another process started are found by looking; the rest is told at once. */
const lookEveryMs = 500;
const queueMax = 1000;

/** Tells every subscriber what nobody asked for. Looks around only while somebody listens. */
export function createWatch(options: {
  look: () => (() => Sandbox | null)[];
  /** Looking failed; it is tried again. */
  failed: (error: unknown) => void;
}) {
  const subscribers = new Set<(sandbox: Sandbox) => void>();
  const tell = (sandbox: Sandbox): void => {
    for (const subscriber of subscribers) subscriber(sandbox);
  };
  const lookAround = (): void => {
    try {
      for (const look of options.look()) {
        const changed = look();
        if (changed) tell(changed);
      }
    } catch (error) {
      options.failed(error);
    }
  };

  async function* subscribe(signal: AbortSignal): AsyncGenerator<Sandbox> {
    const queue: Sandbox[] = [];
    let wake = Promise.withResolvers<undefined>();
    const take = (sandbox: Sandbox): void => {
      // A subscriber that does not read loses the oldest: whoever watches also looks around by itself now and then.
      if (queue.length === queueMax) queue.shift();
      queue.push(sandbox);
      wake.resolve(undefined);
    };
    const stop = (): void => wake.resolve(undefined);
    subscribers.add(take);
    signal.addEventListener('abort', stop, { once: true });
    const timer = setInterval(lookAround, lookEveryMs);
    try {
      while (!signal.aborted) {
        const next = queue.shift();
        if (next) {
          yield next;
          continue;
        }
        await wake.promise;
        wake = Promise.withResolvers<undefined>();
      }
    } finally {
      clearInterval(timer);
      signal.removeEventListener('abort', stop);
      subscribers.delete(take);
    }
  }
  return { tell, subscribe };
}
