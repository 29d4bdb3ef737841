import type { ServerResponse } from 'node:http';

/** The agent closing its connection is the only thing that ends a call early; it is passed on at once. */
export interface Leaving {
  readonly gone: boolean;
  /** What is ended with it. */
  ends(call: () => void): void;
}
export function watchLeaving(response: ServerResponse): Leaving {
  let gone = false;
  let end = (): void => undefined;
  response.once('close', () => {
    if (response.writableFinished) return;
    gone = true;
    end();
  });
  return {
    get gone() {
      return gone;
    },
    ends(call) {
      end = call;
    },
  };
}
