import { everything } from '@berth/client';
import { Problem, type Approval } from '@berth/contract';
import { textOf, UsageError } from '../args.ts';
import { exitCode, Refused, type Run } from '../context.ts';
import { ago, columns, oneLine, shortId } from '../format.ts';

/** Pure. The option that a person means; the once of a kind before its always. */
export function chooseOption(
  { options }: Pick<Approval, 'options'>,
  verb: 'allow' | 'reject',
  named: string | undefined,
): string {
  if (named !== undefined) {
    const wanted = named.toLowerCase();
    const found = options.find(
      (option) => option.optionId === named || option.name.toLowerCase() === wanted,
    );
    if (found !== undefined) return found.optionId;
    const known = options.map((option) => `${option.optionId} (${option.name})`).join(', ');
    throw new UsageError(`there is no option "${named}"; there are ${known}`);
  }
  const once = options.filter((option) => option.kind === `${verb}_once`);
  const always = options.filter((option) => option.kind === `${verb}_always`);
  const [only, ...others] = once.length > 0 ? once : always;
  if (only === undefined)
    throw new Refused(`this question has no option that would ${verb} it: name one with --option`);
  if (others.length > 0) {
    const names = [only, ...others].map((option) => option.name).join(', ');
    throw new UsageError(`several options would ${verb} it: name one with --option (${names})`);
  }
  return only.optionId;
}

/** Pure. Who was first, and with what; without a person nobody was asked any more. */
export function answeredBefore(
  { options }: Pick<Approval, 'options'>,
  { detail, extra: { decision } }: Pick<Problem, 'detail' | 'extra'>,
): string {
  if (decision?.by === undefined) return detail;
  const name = options.find(({ optionId }) => optionId === decision.optionId)?.name;
  return `${oneLine(decision.by.name)} has answered it already${name === undefined ? '' : `: ${oneLine(name)}`}`;
}

export const list: Run = async (context) => {
  const api = await context.client();
  const waiting = await Array.fromAsync(
    everything((query) => api.approvals.list({ ...query, state: 'waiting' })),
  );
  context.give(waiting, (all) =>
    all.length === 0
      ? 'Nothing waits for you.'
      : columns(
          ['ID', 'SESSION', 'QUESTION', 'OPTIONS', 'SINCE'],
          all.map((approval) => [
            shortId(approval.id),
            oneLine(approval.sessionTitle, 30),
            context.style.bold(oneLine(approval.title, 50)),
            oneLine(approval.options.map((option) => option.name).join(' · '), 50),
            context.style.dim(ago(approval.createdAt, context.now())),
          ]),
        ),
  );
  return exitCode.ok;
};

export const decide =
  (verb: 'allow' | 'reject'): Run =>
  async (context) => {
    const approval = await context.findApproval(context.word(0));
    const optionId = chooseOption(approval, verb, textOf(context.values, 'option'));
    const note = textOf(context.values, 'note');
    const api = await context.client();
    const answer = { optionId, revision: approval.revision };
    const decided = await api.approvals
      .decide(approval.id, { ...answer, ...(note === undefined ? {} : { note }) })
      .catch((error: unknown) => {
        throw error instanceof Problem && error.code === 'already-decided'
          ? new Refused(answeredBefore(approval, error))
          : error;
      });
    const name = approval.options.find((option) => option.optionId === optionId)?.name ?? optionId;
    context.give(decided, () => `${oneLine(approval.title)}: ${oneLine(name)}`);
    if (!context.json)
      context.tell(
        context.style.dim(`it goes on: berth log ${shortId(approval.sessionId)} --follow`),
      );
    return exitCode.ok;
  };
