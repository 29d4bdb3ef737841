import type { ApprovalOption } from '@berth/contract';
import type { AskEntry, ToolEntry } from '../store/entries.ts';
import { inWorkspace } from '../store/format.ts';
import { toolObject } from '../store/tool-words.ts';

const kindWords: Record<ApprovalOption['kind'], string> = {
  allow_once: 'Allow once',
  allow_always: 'Allow for this session',
  reject_once: 'Deny',
  reject_always: 'Always deny',
};
const decidedWords: Record<ApprovalOption['kind'], string> = {
  allow_once: 'Allowed once',
  allow_always: 'Allowed for this session',
  reject_once: 'Denied',
  reject_always: 'Always denied',
};

const shared = (option: ApprovalOption, options: readonly ApprovalOption[]): boolean =>
  options.filter(({ kind }) => kind === option.kind).length > 1;

/** Our words for the kinds; the agent's own name where two options share one. */
export const optionWords = (option: ApprovalOption, options: readonly ApprovalOption[]): string =>
  shared(option, options) ? option.name : kindWords[option.kind];

const kindOrder = Object.keys(kindWords);
/** The same places for the same answers, whatever order an agent names them in: a hand that is used to the first button must not grant more. */
export const inOrder = (options: readonly ApprovalOption[]): ApprovalOption[] =>
  [...options].sort((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind));

/** The least far-reaching yes. None where several say yes alike: then the question is which, not whether. */
export function primaryOption(options: readonly ApprovalOption[]): string | null {
  for (const kind of ['allow_once', 'allow_always'] as const) {
    const fitting = options.filter((option) => option.kind === kind);
    if (fitting.length === 1) return fitting[0]?.optionId ?? null;
    if (fitting.length > 1) return null;
  }
  return null;
}

export const isRejection = (option: ApprovalOption | undefined): boolean =>
  option?.kind.startsWith('reject') === true;

/** Who wants what. */
export function askTitle(ask: Pick<AskEntry, 'title'>, tool: ToolEntry | null): string {
  if (!tool) return ask.title;
  switch (tool.tool) {
    case 'execute':
      return 'The agent wants to run a command';
    case 'edit': {
      const [only, ...others] = tool.diff;
      if (others.length > 0) return `The agent wants to edit ${tool.diff.length} files`;
      const path = only?.path ?? tool.locations[0]?.path;
      const verb = only && only.oldText === undefined ? 'write' : 'edit';
      return path
        ? `The agent wants to ${verb} ${inWorkspace(path)}`
        : 'The agent wants to edit a file';
    }
    case 'delete':
      return `The agent wants to delete ${toolObject(tool)}`;
    case 'move':
      return `The agent wants to move ${toolObject(tool)}`;
    case 'fetch':
      return 'The agent wants to fetch an address';
    case 'read':
      return `The agent wants to read ${toolObject(tool)}`;
    case 'search':
    case 'think':
    case 'switch_mode':
    case 'other':
      return ask.title;
  }
}

/** The exact command or address: never cut. */
export function askCommand(tool: ToolEntry | null): string | null {
  return tool && (tool.tool === 'execute' || tool.tool === 'fetch') ? toolObject(tool) : null;
}

export function decidedTitle(
  ask: Pick<AskEntry, 'state' | 'options' | 'optionId'> & { about?: 'delivery' | undefined },
): string {
  if (ask.state === 'superseded') return 'No longer needed';
  if (ask.state === 'expired') return 'Not answered in time, denied';
  const option = ask.options.find(({ optionId }) => optionId === ask.optionId);
  if (!option) return 'Answered';
  if (ask.about === 'delivery') return `Answered: ${option.name}`;
  return shared(option, ask.options) ? `Answered: ${option.name}` : decidedWords[option.kind];
}

/** For whoever pressed a button when somebody else had been faster. */
export function lateTitle(ask: Parameters<typeof decidedTitle>[0]): string {
  const title = decidedTitle(ask).replace(/^Answered: /, '');
  return ask.state === 'decided'
    ? `Already answered: ${title.charAt(0).toLowerCase()}${title.slice(1)}`
    : title;
}

/** Facts that the title and the command have not said already. */
export function newFacts(
  ask: Pick<AskEntry, 'facts' | 'title'>,
  tool: ToolEntry | null,
): AskEntry['facts'] {
  const said = new Set([
    askCommand(tool),
    ask.title,
    ...(tool?.diff ?? []).map(({ path }) => path),
  ]);
  return ask.facts.filter(({ value }) => !said.has(value));
}
