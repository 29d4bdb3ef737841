/** What a person typed, from the bytes that a terminal sends. Pure; `rest` is the beginning of a sequence that has not ended yet. */
export type Key =
  | { kind: 'text'; text: string }
  | { kind: 'enter' | 'backspace' | 'clear' | 'stop' | 'leave' | 'escape' }
  | { kind: 'scroll'; by: 'line' | 'page' | 'all'; up: boolean };

const scroll = (by: 'line' | 'page' | 'all', up: boolean): Key => ({ kind: 'scroll', by, up });
const sequences: Readonly<Record<string, Key>> = {
  '[A': scroll('line', true),
  '[B': scroll('line', false),
  OA: scroll('line', true),
  OB: scroll('line', false),
  '[5~': scroll('page', true),
  '[6~': scroll('page', false),
  '[H': scroll('all', true),
  '[F': scroll('all', false),
  '[1~': scroll('all', true),
  '[4~': scroll('all', false),
};
const controls: Readonly<Record<string, Key>> = {
  '\r': { kind: 'enter' },
  '\n': { kind: 'enter' },
  '\u007f': { kind: 'backspace' },
  '\b': { kind: 'backspace' },
  '\u0015': { kind: 'clear' },
  '\u0003': { kind: 'stop' },
  '\u0004': { kind: 'leave' },
};
const pasteBegin = '\u001b[200~';
const pasteEnd = '\u001b[201~';

export function readKeys(before: string, typed: string): { keys: Key[]; rest: string } {
  const keys: Key[] = [];
  let text = before + typed;
  while (text !== '') {
    if (text.startsWith(pasteBegin)) {
      const end = text.indexOf(pasteEnd);
      if (end < 0) return { keys, rest: text };
      const pasted = text.slice(pasteBegin.length, end).replace(/\r\n?/g, '\n');
      keys.push({ kind: 'text', text: pasted });
      text = text.slice(end + pasteEnd.length);
    } else if (text.startsWith('\u001b')) {
      // eslint-disable-next-line no-control-regex -- escape sequences begin with it
      const [whole] = /^\u001b(\[[0-9;<?]*[ -/]*[@-~]|O.)/.exec(text) ?? [];
      if (whole === undefined) {
        if (text === '\u001b') {
          keys.push({ kind: 'escape' });
          return { keys, rest: '' };
        }
        // eslint-disable-next-line no-control-regex -- escape sequences begin with it
        if (/^\u001b(\[[0-9;<?]*[ -/]*|O)$/.test(text)) return { keys, rest: text };
        text = text.slice(1);
        continue;
      }
      const key = sequences[whole.slice(1)];
      if (key !== undefined) keys.push(key);
      text = text.slice(whole.length);
    } else {
      const control = controls[text.charAt(0)];
      // eslint-disable-next-line no-control-regex -- control characters are what ends a text
      const [plain = ''] = /^[^\u0000-\u001f\u007f]+/.exec(text) ?? [];
      if (control !== undefined) keys.push(control);
      else if (plain !== '') keys.push({ kind: 'text', text: plain });
      text = text.slice(Math.max(plain.length, 1));
    }
  }
  return { keys, rest: '' };
}
