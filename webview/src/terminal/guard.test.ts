import headless from '@xterm/headless';
import { expect, test } from 'vitest';
import { guard } from './guard.ts';

const { Terminal } = headless;
const written = (terminal: InstanceType<typeof Terminal>, data: string) =>
  new Promise<void>((resolve) => terminal.write(data, () => resolve()));
const text = (terminal: InstanceType<typeof Terminal>) =>
  Array.from({ length: terminal.rows }, (_, y) =>
    terminal.buffer.active.getLine(terminal.buffer.active.baseY + y)?.translateToString(true),
  );
const deadly = '\u001b[999;999H\u001b[1J';

test('erasing up to the last cell of an unscrolled screen is survived, and empties it', async () => {
  const terminal = new Terminal({ cols: 20, rows: 5, allowProposedApi: true });
  const owned = guard(terminal);
  await written(terminal, 'one\r\ntwo\r\nthree');
  await written(terminal, deadly);
  expect(text(terminal)).toEqual(['', '', '', '', '']);
  await written(terminal, '\u001b[Hstill here');
  expect(text(terminal)[0]).toBe('still here');
  owned.dispose();
  terminal.dispose();
});
test('everywhere else the erasing is the terminal’s own', async () => {
  const [guarded, plain] = [0, 1].map(
    () => new Terminal({ cols: 20, rows: 5, allowProposedApi: true }),
  );
  if (!guarded || !plain) throw new Error('two terminals');
  guard(guarded);
  const inputs = [
    'one\r\ntwo\r\nthree\u001b[2;2H\u001b[1J',
    `${'line\r\n'.repeat(9)}end${deadly}x`,
    '\u001b[2J\u001b[Hab\u001b[0J\u001b[1J',
  ];
  for (const input of inputs) {
    await written(guarded, input);
    await written(plain, input);
    expect(text(guarded)).toEqual(text(plain));
  }
});
test('selective erasing is guarded too, and leaves what is protected', async () => {
  const terminal = new Terminal({ cols: 20, rows: 5, allowProposedApi: true });
  guard(terminal);
  await written(terminal, 'gone\u001b[1"qkept\u001b[0"q');
  await written(terminal, '\u001b[999;999H\u001b[?1J\u001b[Hx');
  expect(text(terminal)).toEqual(['x   kept', '', '', '', '']);
  terminal.dispose();
});
