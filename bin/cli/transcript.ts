import { plainText, type ContentBlock, type Event } from '@berth/contract';
import { oneLine, safe, shortId, type Style } from './format.ts';

/**
 * A session's events as text. Text streams as it comes; the whole message that follows adds only what was not shown yet. Tools are one
 * line each, when they end. Pure but for what it remembers: feed it events in order.
 */
export function createTranscript(style: Style, options: { prompts: boolean; boot: boolean }) {
  const shown = new Map<string, number>();
  const answers = new Map<string, ReadonlyMap<string, string>>();
  const tools = new Map<string, { title: string; kind: string }>();
  let openLine = false;
  let lastPlan = '';
  let lastPhase = '';

  const line = (text: string): string => {
    const before = openLine ? '\n' : '';
    openLine = false;
    return `${before}${text}\n`;
  };
  const stream = (text: string): string => {
    if (text === '') return '';
    const clean = safe(text);
    openLine = !clean.endsWith('\n');
    return clean;
  };
  const textOf = (content: readonly ContentBlock[]): string => plainText(content);

  function message(id: string, text: string): string {
    const known = shown.get(id) ?? 0;
    shown.delete(id);
    return stream(text.slice(known)) + (openLine ? line('').slice(0, -1) : '');
  }

  function tool(payload: Extract<Event, { kind: 'tool' }>['payload']): string {
    const before = tools.get(payload.toolCallId);
    const known = {
      title: payload.title ?? before?.title ?? 'tool',
      kind: payload.kind ?? before?.kind ?? 'other',
    };
    tools.set(payload.toolCallId, known);
    const { status, exitCode } = payload;
    if (status !== 'completed' && status !== 'failed' && status !== 'interrupted') return '';
    tools.delete(payload.toolCallId);
    const sign =
      status === 'completed'
        ? style.green('✓')
        : status === 'failed'
          ? style.red('✗')
          : style.yellow('–');
    const code = exitCode === undefined || exitCode === 0 ? '' : style.dim(` (exit ${exitCode})`);
    return line(`${sign} ${style.dim(known.kind)} ${oneLine(known.title, 100)}${code}`);
  }

  function plan({ entries }: Extract<Event, { kind: 'plan' }>['payload']): string {
    const done = entries.filter((entry) => entry.status === 'completed').length;
    const now = entries.find((entry) => entry.status === 'in_progress')?.content;
    const said = `plan ${done}/${entries.length}${now === undefined ? '' : `: ${oneLine(now)}`}`;
    // Agents tell their whole plan again and again.
    if (said === lastPlan) return '';
    lastPlan = said;
    return line(style.dim(said));
  }

  return (event: Event): string => {
    switch (event.kind) {
      case 'message.user':
        return options.prompts
          ? line(
              `${style.cyan('›')} ${style.bold(safe(textOf(event.payload.content)))}${event.payload.via === 'terminal' ? style.dim(' (in the terminal)') : ''}`,
            )
          : '';
      case 'message.delta': {
        const { messageId, text } = event.payload;
        const other = openLine && !shown.has(messageId) ? '\n' : '';
        shown.set(messageId, (shown.get(messageId) ?? 0) + text.length);
        return other + stream(text);
      }
      case 'message': {
        const other = openLine && !shown.has(event.payload.messageId) ? '\n' : '';
        return other + message(event.payload.messageId, textOf(event.payload.content));
      }
      case 'thought':
        return line(style.dim(`… ${oneLine(textOf(event.payload.content), 200)}`));
      case 'tool':
        return tool(event.payload);
      case 'plan':
        return plan(event.payload);
      case 'approval.requested': {
        const { approvalId, title } = event.payload;
        answers.set(
          approvalId,
          new Map(event.payload.options.map((one) => [one.optionId, one.name])),
        );
        return line(
          `${style.yellow('?')} ${oneLine(title, 100)} ${style.dim(shortId(approvalId))}`,
        );
      }
      case 'approval.resolved': {
        const { approvalId, state, optionId, by } = event.payload;
        const who = by === undefined ? '' : ` by ${oneLine(by.name)}`;
        // An agent's own id of an answer says nothing to a person.
        const name = answers.get(approvalId)?.get(optionId ?? '') ?? optionId;
        answers.delete(approvalId);
        return line(style.dim(`  ${state}${who}${name === undefined ? '' : `: ${oneLine(name)}`}`));
      }
      case 'turn.ended': {
        const { state, error } = event.payload;
        if (state === 'done') return openLine ? line('').slice(0, -1) : '';
        const why = error === undefined ? '' : `: ${oneLine(error.detail, 300)}`;
        return line(style.red(`turn ${state}${why}`));
      }
      case 'notice':
        return line(style.dim(`· ${oneLine(event.payload.text, 300)}`));
      case 'error':
        return line(style.red(`! ${oneLine(event.payload.detail, 300)}`));
      case 'sandbox.phase': {
        const { phase, detail } = event.payload;
        if (!options.boot && phase !== 'failed' && phase !== 'lost') return '';
        const said = `${phase}${detail === undefined ? '' : `: ${oneLine(detail)}`}`;
        // A download tells its progress every second.
        if (said === lastPhase) return '';
        lastPhase = said;
        return line(style.dim(`· sandbox ${said}`));
      }
      case 'session.status':
        return event.payload.status === 'failed' || event.payload.status === 'lost'
          ? line(
              style.red(
                `session ${event.payload.status}: ${oneLine(event.payload.reason ?? '', 300)}`,
              ),
            )
          : '';
      case 'thought.delta':
      case 'turn.queued':
      case 'turn.started':
      case 'commands':
      case 'mode':
      case 'usage':
      case 'terminal.opened':
      case 'terminal.closed':
        return '';
    }
  };
}
