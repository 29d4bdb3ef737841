import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPlain, parseLine, parseScript, usages, type Command } from './script.ts';
import { planEntries } from './perform.ts';
import { expand } from './tour.ts';

test.each<[string, Command]>([
  ['/say hello  world', { kind: 'say', text: 'hello  world' }],
  ['/SAY loud', { kind: 'say', text: 'loud' }],
  ['/say a\\nb\\tc\\\\n', { kind: 'say', text: 'a\nb\tc\\n' }],
  ['/think well', { kind: 'think', text: 'well' }],
  ['/stream 3', { kind: 'stream', count: 3, everyMs: 20 }],
  ['/stream 3 0', { kind: 'stream', count: 3, everyMs: 0 }],
  ['/plan a; b;; c ', { kind: 'plan', entries: ['a', 'b', 'c'] }],
  ['/write a/b.txt two words', { kind: 'write', path: 'a/b.txt', text: 'two words' }],
  ['/write empty.txt', { kind: 'write', path: 'empty.txt', text: '' }],
  ['/read my file.txt', { kind: 'read', path: 'my file.txt' }],
  ['/run ls -la | wc', { kind: 'run', command: 'ls -la | wc' }],
  ['/ask Go? | Yes | No', { kind: 'ask', question: 'Go?', options: ['Yes', 'No'] }],
  ['/ask Go?', { kind: 'ask', question: 'Go?', options: ['Yes', 'No'] }],
  ['/image', { kind: 'image' }],
  ['/usage 1 2', { kind: 'usage', input: 1, output: 2 }],
  ['/sleep 5', { kind: 'sleep', ms: 5 }],
  ['/hang', { kind: 'hang' }],
  ['/fail no luck', { kind: 'fail', text: 'no luck' }],
  ['/fail', { kind: 'fail', text: 'failed as asked' }],
  ['/exit', { kind: 'exit', code: 0 }],
  ['/exit 255', { kind: 'exit', code: 255 }],
  ['/diary', { kind: 'diary' }],
  ['/tour', { kind: 'tour' }],
])('%s', (line, command) => {
  expect(parseLine(line)).toEqual(command);
});

test.each([
  '/say',
  '/think   ',
  '/stream',
  '/stream 0',
  '/stream -1',
  '/stream 1e3',
  '/stream 1 2 3',
  '/stream 99999999999',
  '/plan',
  '/plan ;;',
  '/write',
  '/read',
  '/run',
  '/ask',
  '/ask only | one',
  '/image now',
  '/usage 1',
  '/usage a b',
  '/sleep',
  '/sleep 1.5',
  '/hang on',
  '/exit 256',
  '/diary x',
])('wrong use of a known command names its form: %s', (line) => {
  const command = parseLine(line);
  expect(command.kind).toBe('wrong');
  expect(command).toHaveProperty('text', expect.stringContaining('is not how'));
});

test.each(['/', '/dance', '/say! x', '/42', '//'])('unknown: %s', (line) => {
  const command = parseLine(line);
  expect(command).toHaveProperty('text', expect.stringContaining("I don't know"));
});

test('a script: comments and empty lines are nothing, plain lines ask for one tour', () => {
  expect(parseScript('# c\n\n  /say a \r\nhello\n/hang\nagain')).toEqual([
    { kind: 'say', text: 'a' },
    { kind: 'tour' },
    { kind: 'hang' },
  ]);
  expect(parseScript('')).toEqual([{ kind: 'tour' }]);
  expect(parseScript('# only a comment')).toEqual([]);
});

test('plain words are plain, commands are not', () => {
  expect(isPlain(parseScript('please go on'))).toBe(true);
  expect(isPlain(parseScript('please\n/say x'))).toBe(false);
});

test('any text is a script, and expanding leaves no tour', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.string()), (text, lines) => {
      for (const script of [text, lines.map((line) => `/${line}`).join('\n')]) {
        const commands = parseScript(script);
        expect(expand(commands, script).every((command) => 'kind' in command)).toBe(true);
        expect(expand(commands, script)).not.toContainEqual({ kind: 'tour' });
      }
    }),
  );
});

test('every command with any rest is that command or a friendly refusal', () => {
  fc.assert(
    fc.property(fc.constantFrom(...usages), fc.string({ unit: 'binary' }), (usage, rest) => {
      const line = `/${usage.name} ${rest.replace(/[\r\n]/g, '')}`;
      expect([usage.name, 'wrong']).toContain(parseLine(line).kind);
    }),
  );
});

test('a plan is all done with its last line, and never goes back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.nat({ max: 30 }), (size, lines) => {
      const entries = Array.from({ length: size }, (_, n) => String(n));
      const done = Array.from(
        { length: lines + 1 },
        (_, n) => planEntries(entries, n, lines).filter((e) => e.status === 'completed').length,
      );
      expect(done.at(-1)).toBe(size);
      expect(done).toEqual(done.toSorted((a, b) => a - b));
    }),
  );
});
