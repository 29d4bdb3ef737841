import { everything } from '@berth/client';
import type { Approval } from '@berth/contract';
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
    const decided = await api.approvals.decide(approval.id, {
      optionId,
      revision: approval.revision,
      ...(note === undefined ? {} : { note }),
    });
    const name = approval.options.find((option) => option.optionId === optionId)?.name ?? optionId;
    context.give(decided, () => `${oneLine(approval.title)}: ${oneLine(name)}`);
    return exitCode.ok;
  };
