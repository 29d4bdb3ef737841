import type { ConnectionState } from '@berth/client';

/** So many tries in vain, a second or two: a restart that is over by then is not worth a word. */
const triesMin = 3;

/** What to say of a connection that goes and comes back by itself; null: nothing new. Feed it every state in order. */
export function createAwayWords(): (state: ConnectionState) => string | null {
  let away = false;
  return (state) => {
    if (!away && state.kind === 'awaiting-retry' && state.attempt >= triesMin) {
      away = true;
      return 'the server does not answer; waiting for it (Ctrl-C leaves, the agent works on)';
    }
    if (away && state.kind === 'connected') {
      away = false;
      return 'the server is back';
    }
    return null;
  };
}
