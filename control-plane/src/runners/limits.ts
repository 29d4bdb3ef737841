import type { RunnerMethod } from '@berth/contract/link';

/** Every limit of the link's server side, and what happens there. */
export const limits = {
  /** One frame of the link: an agent's longest line with its raw text. Above: the link is closed. */
  linkFrameBytes: 96 * 1024 * 1024,
  streamFrameBytes: 8 * 1024 * 1024,
  /** A link or stream that was let in and never says who it is, is closed. */
  helloMs: 10_000,
  pingMs: 5_000,
  /** Nothing heard from a runner for so long: its link is dead. */
  silenceMs: 20_000,
  /** Frames of one link that wait for their session: the socket is not read above. */
  waitingFrames: 500,
  /** Not yet taken by a runner: it is stuck, and its link is closed. */
  linkBufferBytes: 128 * 1024 * 1024,
  /** Bytes of a stream that wait for their reader, or for the socket: the sender waits above. */
  streamBufferBytes: 1024 * 1024,
  streamDialMs: 10_000,
  /** A stream whose runner was not heard for more beats than this is ended: 25 s at the most. */
  streamBeat: { pingMs: 5_000, beatsMissed: 4 },
  /** What a call through another process may take longer than one from here. */
  relayMs: 1_000,
  /** How long an authenticated credential is believed without asking the database. */
  credentialMs: 60_000,
  /** After a drain, links that did not close by themselves are cut. */
  closeMs: 1_000,
} as const;

/** An answer that takes longer is given up. What starts or stops an agent may take long. */
export function deadlineMs(method: RunnerMethod): number {
  switch (method) {
    case 'agent.restart':
    case 'agent.take-back':
    case 'mode.set':
    case 'model.set':
      return 90_000;
    case 'terminal.open':
    case 'changes.list':
      return 30_000;
    default:
      return 15_000;
  }
}
