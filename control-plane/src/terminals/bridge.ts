import { closeCodes, decodeTerminalFrame } from '@berth/contract';
import type { RunnerStream } from '../runners/index.ts';
import type { TerminalViewer } from './viewer.ts';

const sizeMin = 2;
const sizeMax = 1000;

/** Keys, acknowledgements and sizes that make sense; anything else is not passed on to the runner. */
export function acceptable(bytes: Uint8Array): boolean {
  const frame = decodeTerminalFrame(bytes, 'viewer');
  if (frame === null) return false;
  switch (frame.type) {
    case 'keys':
      return true;
    case 'ack':
      return Number.isSafeInteger(frame.offset);
    case 'resize':
      return [frame.cols, frame.rows].every((size) => size >= sizeMin && size <= sizeMax);
    default:
      return false;
  }
}

/** Both ways, each at the pace of its slower end, until one of them is gone. The frames of both sockets are the same. */
export async function bridge(
  stream: RunnerStream,
  viewer: TerminalViewer,
  over: AbortController,
): Promise<void> {
  const fromRunner = async () => {
    for await (const frame of stream.frames()) {
      if (over.signal.aborted) return;
      // What a runner says about the stream itself is not for viewers.
      if (frame.kind === 'bytes' && !viewer.send(frame.bytes)) await viewer.drained();
    }
  };
  const fromViewer = async () => {
    for await (const bytes of viewer.frames()) {
      if (over.signal.aborted) return;
      if (!acceptable(bytes)) {
        viewer.close(closeCodes.protocol, 'not a frame of this protocol');
        return;
      }
      await stream.send(bytes);
    }
    stream.end();
  };
  const both = [fromRunner(), fromViewer()];
  try {
    await Promise.race(both);
  } finally {
    // The second to end does so because the first did: how it fails is no news.
    for (const one of both) one.catch(() => undefined);
    over.abort();
    await stream[Symbol.asyncDispose]();
  }
}
