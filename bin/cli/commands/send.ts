import { howToSettle } from './settle.ts';
import { randomUUID } from 'node:crypto';
import { codeOf, type BerthClient } from '@berth/client';
import type { Event, Payload } from '@berth/contract';
import { createAwayWords } from '../away.ts';
import { exitCode, Refused, type Context, type Run } from '../context.ts';
import { oneLine, shortId } from '../format.ts';
import { createTranscript } from '../transcript.ts';

async function readAll(stream: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

/** How to answer, in the words that this program takes. Pure. */
export function howToAnswer(approval: Payload<'approval.requested'>): string {
  const id = shortId(approval.approvalId);
  const answers = approval.options.map((option) => {
    const verb = option.kind.startsWith('allow') ? 'approve' : 'deny';
    const rivals = approval.options.filter(({ kind }) => kind === option.kind).length > 1;
    const plain = option.kind.endsWith('_once') && !rivals;
    const named = plain ? '' : ` --option '${option.optionId}'`;
    return [`  berth ${verb} ${id}${named}`, oneLine(option.name)] as const;
  });
  const width = Math.max(...answers.map(([command]) => command.length));
  return [
    `It waits for you: ${oneLine(approval.title, 200)}`,
    ...(approval.facts ?? []).map(
      ({ label, value }) => `  ${oneLine(label)}: ${oneLine(value, 200)}`,
    ),
    ...answers.map(([command, name]) => `${command.padEnd(width)}  ${name}`),
  ].join('\n');
}

/** Resolves with the exit code when the turn ended, or waits for a person. */
function follow(context: Context, turnId: string) {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const text = createTranscript(context.style, { prompts: false, boot: true });
  const mine = (event: Event): boolean => event.turnId === turnId || !('turnId' in event);
  const take = (event: Event): void => {
    // A question of an earlier turn holds ours up just the same.
    const asks =
      event.kind === 'approval.requested' ||
      (event.kind === 'turn.ended' && event.payload.state === 'unknown');
    if (!mine(event) && !asks) return;
    if (context.json) context.print(JSON.stringify(event));
    else context.stdout.write(text(event));
    if (event.kind === 'turn.ended' && event.payload.state === 'unknown') {
      // Of an earlier turn it holds ours up just the same.
      if (!context.json) context.tell(howToSettle(event.sessionId));
      resolve(exitCode.waiting);
    } else if (event.kind === 'turn.ended' && event.payload.turnId === turnId)
      resolve(event.payload.state === 'done' ? exitCode.ok : exitCode.failed);
    else if (event.kind === 'approval.requested') {
      if (!context.json) context.tell(howToAnswer(event.payload));
      resolve(exitCode.waiting);
    } else if (event.kind === 'session.status' && event.payload.status === 'failed')
      resolve(exitCode.failed);
  };
  return { promise, reject, take };
}

/** A message that still waits is taken back: what runs meanwhile is another turn, and maybe another person's. */
export async function stopTurn(
  api: {
    turns: Pick<BerthClient['turns'], 'withdraw'>;
    sessions: Pick<BerthClient['sessions'], 'cancel'>;
  },
  sessionId: string,
  turnId: string,
): Promise<void> {
  try {
    await api.turns.withdraw(sessionId, turnId);
  } catch (error) {
    if (codeOf(error) !== 'turn-already-sent') throw error;
    await api.sessions.cancel(sessionId);
  }
}

export const send: Run = async (context) => {
  const words = context.words.slice(1).join(' ');
  const text = words === '-' ? await readAll(context.stdin) : words;
  if (text.trim() === '') throw new Refused('there is nothing to send', exitCode.usage);
  const session = await context.findSession(context.word(0));
  const api = await context.client();
  const turnId = randomUUID();
  const turn = { id: turnId, prompt: [{ type: 'text' as const, text }] };
  if (context.values['no-wait'] === true) {
    context.give(await api.turns.create(session.id, turn), (made) => made.id);
    return exitCode.ok;
  }
  const { promise, take, reject } = follow(context, turnId);
  const channels = await context.channels();
  const stop = channels.session(
    session.id,
    { after: session.lastSeq },
    { events: (events) => events.forEach(take), problem: reject },
  );
  const away = createAwayWords();
  const unlisten = channels.onState((state) => {
    const said = away(state);
    if (said !== null) context.tell(context.style.dim(said));
    if (state.kind === 'disconnected') reject(new Refused('the server ended the connection'));
  });
  // The first Ctrl-C stops the turn, not the program: its end is worth seeing.
  const interrupt = (): void => {
    context.tell('stopping the turn; once more leaves it');
    stopTurn(api, session.id, turnId).catch(reject);
  };
  process.once('SIGINT', interrupt);
  try {
    await api.turns.create(session.id, turn);
    if (session.queued > 0 && !context.json)
      context.tell(context.style.dim(`queued behind ${session.queued}`));
    if (session.holder === 'terminal')
      context.tell(
        `it is queued: a terminal has the conversation; \`berth sessions take-back ${shortId(session.id)}\` brings it back`,
      );
    if (session.waitingApprovals > 0) {
      context.tell('it is queued, but the session waits for you: see `berth approvals`');
      return exitCode.waiting;
    }
    return await promise;
  } finally {
    process.removeListener('SIGINT', interrupt);
    unlisten();
    stop();
  }
};
