import type { AgentdRequest } from '../../agentd/protocol.ts';
import type { Download } from './ports.ts';

/** A file that is being read, in the hands of whoever passes it on. What comes after its end is of no effect. */
export function downloadOf(
  ended: Promise<void>,
  running: () => boolean,
  control: (request: AgentdRequest) => void,
): Download {
  let paused = false;
  return {
    ended,
    hold(held) {
      if (held === paused || !running()) return;
      paused = held;
      control({ op: held ? 'pause' : 'resume' });
    },
    stop() {
      if (running()) control({ op: 'kill', signal: 'SIGKILL', tree: false });
    },
  };
}
