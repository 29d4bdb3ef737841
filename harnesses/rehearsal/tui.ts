import type { PermissionOption } from '@agentclientprotocol/sdk';
import { commandsOf, perform } from './perform.ts';
import { Cancelled, Failed, type Stage } from './stage.ts';
import type { Conversation, Store } from './store.ts';
import { readKeys, type Key } from './tui-keys.ts';
import { draw, transcript } from './tui-view.ts';

export interface TuiOptions {
  store: Store;
  sessionId: string | undefined;
  newId: () => string;
  input: NodeJS.ReadStream;
  output: NodeJS.WriteStream;
  cwd: string;
}

const enter = '\u001b[?1049h\u001b[?2004h\u001b[2J';
const leave = '\u001b[?2004l\u001b[0m\u001b[?25h\u001b[?1049l';
const drawEveryMs = 33;

function find({ store, sessionId, newId, cwd }: TuiOptions): Conversation | null {
  if (sessionId !== undefined && sessionId !== '') return store.open(sessionId);
  const newest = store.list().toSorted((a, b) => b.at.localeCompare(a.at))[0];
  return newest === undefined ? store.create(newId(), cwd) : store.open(newest.id);
}

/** The conversation in a terminal: the same store and the same lines as in the chat. Resolves with the exit code. */
export async function runTui(options: TuiOptions): Promise<number> {
  const { store, newId, input, output } = options;
  const conversation = find(options);
  if (conversation === null) {
    process.stderr.write(`rehearsal: there is no conversation ${options.sessionId ?? ''}\n`);
    return 1;
  }
  const { promise: over, resolve: end } = Promise.withResolvers<number>();
  const allowed = new Set<string>();
  let running: AbortController | null = null;
  let turn: Promise<void> = Promise.resolve();
  let closed = false;
  let question: {
    title: string;
    options: PermissionOption[];
    answer: (id: string) => void;
  } | null = null;
  let typed = '';
  let scrolled = 0;
  let said = '';
  let drawing: NodeJS.Timeout | undefined;

  const size = () => ({
    cols: Math.max(output.columns || 80, 10),
    rows: Math.max(output.rows || 24, 4),
  });
  function status(): string {
    const mode = `rehearsal · ${conversation?.mode() ?? ''}`;
    if (question !== null) return ` ${mode} · choose by number · Ctrl-C stops`;
    if (running !== null) return ` ${mode} · working · Ctrl-C stops`;
    const cut = conversation?.unfinished() === null ? '' : ' · a turn was cut off: say "go on"';
    return ` ${mode}${cut}${said === '' ? '' : ` · ${said}`} · Ctrl-D leaves`;
  }
  function redraw(): void {
    drawing = undefined;
    const { cols, rows } = size();
    const { lines, cursor } = draw({
      moments: conversation?.moments() ?? [],
      input: typed,
      scrolled,
      status: status(),
      question:
        question === null
          ? null
          : { title: question.title, options: question.options.map((option) => option.name) },
      cols,
      rows,
    });
    const body = lines.map((line) => `${line}\u001b[K`).join('\r\n');
    const at = `\u001b[${cursor.row + 1};${Math.min(cursor.col, cols - 1) + 1}H`;
    output.write(`\u001b[?2026h\u001b[?25l\u001b[H${body}${at}\u001b[?25h\u001b[?2026l`);
  }
  const soon = (): void => {
    if (!closed) drawing ??= setTimeout(redraw, drawEveryMs);
  };

  const stop = (): void => running?.abort();

  function stage(signal: AbortSignal, of: Conversation): Stage {
    return {
      cwd: of.cwd,
      signal,
      allowed,
      newId,
      mode: () => of.mode(),
      sync: () => of.sync(),
      diary: () => store.diary(),
      exit(code) {
        end(code);
        stop();
      },
      async update(update) {
        if (signal.aborted) throw new Cancelled();
        of.update(update);
        soon();
      },
      async ask(toolCall, choices) {
        const { promise, resolve } = Promise.withResolvers<string | null>();
        question = { title: toolCall.title ?? 'May I?', options: choices, answer: resolve };
        signal.addEventListener('abort', () => resolve(null), { once: true });
        soon();
        const chosen = await promise;
        question = null;
        return chosen;
      },
    };
  }

  async function submit(of: Conversation, text: string): Promise<void> {
    const controller = new AbortController();
    running = controller;
    said = '';
    try {
      of.prompt([{ type: 'text', text }]);
      const begun = of.unfinished();
      if (begun !== null)
        await perform(stage(controller.signal, of), commandsOf(begun.content), {
          from: begun.line + 1,
          begins: (line) => of.line(line),
        });
      of.end('end_turn');
    } catch (error) {
      of.end(error instanceof Cancelled ? 'cancelled' : 'failed');
      said =
        error instanceof Cancelled
          ? 'stopped'
          : error instanceof Failed
            ? `failed: ${error.message}`
            : String(error);
    } finally {
      running = null;
      soon();
    }
  }

  function take(key: Key, of: Conversation): void {
    switch (key.kind) {
      case 'text': {
        const option = question?.options[Number(key.text) - 1];
        if (question !== null) {
          if (option !== undefined) question.answer(option.optionId);
        } else typed += key.text;
        break;
      }
      case 'enter': {
        const text = typed.trim();
        if (text === '' || running !== null) break;
        typed = '';
        scrolled = 0;
        turn = submit(of, text);
        break;
      }
      case 'backspace':
        typed = typed.slice(0, -1);
        break;
      case 'clear':
      case 'escape':
        typed = '';
        break;
      case 'stop':
        if (running !== null) stop();
        else if (typed !== '') typed = '';
        else end(0);
        break;
      case 'leave':
        if (typed === '') end(0);
        break;
      case 'scroll': {
        const { cols, rows } = size();
        const all = transcript(of.moments(), cols).length;
        const step = key.by === 'line' ? 1 : key.by === 'page' ? Math.max(rows - 4, 1) : all;
        scrolled = Math.min(Math.max(scrolled + (key.up ? step : -step), 0), all);
        break;
      }
    }
    soon();
  }

  let rest = '';
  const onData = (chunk: string): void => {
    const { keys, rest: more } = readKeys(rest, chunk);
    rest = more;
    for (const key of keys) take(key, conversation);
  };
  const bye = (): void => end(0);
  if (input.isTTY) input.setRawMode(true);
  input.setEncoding('utf8').on('data', onData).once('end', bye).resume();
  output.on('resize', soon);
  process.once('SIGTERM', bye).once('SIGHUP', bye);
  output.write(enter);
  redraw();
  const code = await over;
  closed = true;
  stop();
  await turn;
  clearTimeout(drawing);
  output.write(leave);
  if (input.isTTY) input.setRawMode(false);
  input.off('data', onData).pause();
  return code;
}
