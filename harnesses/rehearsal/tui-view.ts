import type { SessionUpdate } from '@agentclientprotocol/sdk';
import { replay, type Moment } from './replay.ts';

/** The conversation as lines of a terminal. Pure. */
export interface Question {
  title: string;
  options: readonly string[];
}
export interface Screen {
  moments: readonly Moment[];
  input: string;
  /** Lines above the end. */
  scrolled: number;
  status: string;
  question: Question | null;
  cols: number;
  rows: number;
}

const paint = {
  none: '',
  dim: '\u001b[2m',
  bold: '\u001b[1m',
  user: '\u001b[36;1m',
  tool: '\u001b[33m',
  added: '\u001b[32m',
  removed: '\u001b[31m',
  bar: '\u001b[7m',
} as const;
type Paint = keyof typeof paint;
const reset = '\u001b[0m';

const wide =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
const widthOf = (sign: string): number => (wide.test(sign) ? 2 : 1);
/** Control characters would move the cursor: they become blanks. */
const clean = (text: string): string =>
  // eslint-disable-next-line no-control-regex -- control characters are what this keeps out
  text.replace(/\t/g, '    ').replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, ' ');

/** Lines no wider than `width`, cut between words where one ends in time. */
export function wrap(text: string, width: number): string[] {
  return clean(text)
    .split('\n')
    .flatMap((paragraph) => {
      const lines: string[] = [];
      let line = '';
      let lineWidth = 0;
      for (const { segment } of segmenter.segment(paragraph)) {
        const size = widthOf(segment);
        if (lineWidth + size > width && line !== '') {
          const at = segment === ' ' ? line.length : line.lastIndexOf(' ');
          const fits = at > width / 2;
          lines.push((fits ? line.slice(0, at) : line).trimEnd());
          line = fits ? line.slice(at).trimStart() : '';
          lineWidth = [...segmenter.segment(line)].reduce((sum, s) => sum + widthOf(s.segment), 0);
          if (segment === ' ' && line === '') continue;
        }
        line += segment;
        lineWidth += size;
      }
      lines.push(line);
      return lines;
    });
}

function block(mark: string, text: string, how: Paint, width: number): string[] {
  const inner = Math.max(width - 2, 1);
  return wrap(text, inner).map(
    (line, at) => `${at === 0 ? mark : ' '} ${paint[how]}${line}${how === 'none' ? '' : reset}`,
  );
}

const marks = { pending: '○', in_progress: '◐', completed: '●', failed: '✗' } as const;

function tool(update: Extract<SessionUpdate, { sessionUpdate: 'tool_call' }>, width: number) {
  const lines = block(marks[update.status ?? 'pending'], update.title, 'tool', width);
  for (const item of update.content ?? []) {
    if (item.type === 'diff') {
      const removed =
        item.oldText === null || item.oldText === undefined ? [] : item.oldText.split('\n');
      for (const line of removed.slice(0, 8))
        lines.push(...block(' ', `- ${line}`, 'removed', width));
      for (const line of item.newText.split('\n').slice(0, 8))
        lines.push(...block(' ', `+ ${line}`, 'added', width));
    } else if (item.type === 'content' && item.content.type === 'text') {
      const text = item.content.text.trimEnd().split('\n').slice(-12).join('\n');
      if (text !== '') lines.push(...block(' ', text, 'dim', width));
    }
  }
  return lines;
}

function linesOf(update: SessionUpdate, width: number): string[] {
  switch (update.sessionUpdate) {
    case 'user_message_chunk':
      return update.content.type === 'text'
        ? ['', ...block('›', update.content.text, 'user', width)]
        : block('›', `[${update.content.type}]`, 'dim', width);
    case 'agent_message_chunk':
      return update.content.type === 'text'
        ? ['', ...block(' ', update.content.text, 'none', width)]
        : block(' ', `[${update.content.type}]`, 'dim', width);
    case 'agent_thought_chunk':
      return update.content.type === 'text' ? block('…', update.content.text, 'dim', width) : [];
    case 'tool_call':
      return tool(update, width);
    case 'plan':
      return update.entries.flatMap((entry) =>
        block(marks[entry.status], entry.content, 'dim', width),
      );
    default:
      return [];
  }
}

/** All lines of the conversation, oldest first. */
export const transcript = (moments: readonly Moment[], width: number): string[] =>
  replay(moments).flatMap((update) => linesOf(update, width));

/** Exactly `rows` lines, and where the cursor stands. */
export function draw(screen: Screen): { lines: string[]; cursor: { row: number; col: number } } {
  const { cols, rows, question } = screen;
  const asked =
    question === null
      ? []
      : [
          ...wrap(`? ${question.title}`, cols).map((line) => `${paint.bold}${line}${reset}`),
          ...question.options.flatMap((option, at) => wrap(`  ${at + 1}  ${option}`, cols)),
        ];
  const typed = wrap(`> ${screen.input}`, Math.max(cols - 1, 1));
  const foot = [
    ...asked,
    `${paint.bar}${clean(screen.status).slice(0, cols).padEnd(cols)}${reset}`,
    ...typed,
  ].slice(-Math.max(rows - 1, 1));
  const all = transcript(screen.moments, cols);
  const room = rows - foot.length;
  const last = Math.max(all.length - Math.max(screen.scrolled, 0), Math.min(room, all.length));
  const shown = all.slice(Math.max(last - room, 0), last);
  const blank = Array.from({ length: room - shown.length }, () => '');
  const end = typed.at(-1) ?? '';
  const col = [...segmenter.segment(end)].reduce((sum, s) => sum + widthOf(s.segment), 0);
  return { lines: [...shown, ...blank, ...foot].slice(0, rows), cursor: { row: rows - 1, col } };
}
