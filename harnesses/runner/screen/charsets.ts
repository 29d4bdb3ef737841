import type { Terminal } from '@xterm/headless';
import { feed } from './feed.ts';
import { coreOf, type Charset } from './internals.ts';

/**
 * Character sets are known by the identity of their tables, which all terminals of a process share: each designation is tried once on a
 * terminal of its own. Some finals mean the same table; the first is as good.
 */
export function charsetFinals(scratch: () => Terminal): (charset: Charset) => string {
  const finals = new Map<Charset, string>([[undefined, 'B']]);
  const terminal = scratch();
  for (const final of '0A4C5RQKYE6ZH7=') {
    feed(terminal, Buffer.from(`\u001b(${final}`));
    const table = coreOf(terminal)._charsetService.charset;
    if (!finals.has(table)) finals.set(table, final);
  }
  terminal.dispose();
  if (finals.size < 2) throw new Error('this @xterm/headless keeps its character sets elsewhere');
  return (charset) => finals.get(charset) ?? 'B';
}
