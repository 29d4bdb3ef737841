import { Problem } from '@berth/contract';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { workspacePath } from './path.ts';

test.each([
  ['', '/workspace'],
  ['.', '/workspace'],
  ['/', '/workspace'],
  ['/workspace', '/workspace'],
  ['/workspace/', '/workspace'],
  ['src/a.ts', '/workspace/src/a.ts'],
  ['./src//a.ts', '/workspace/src/a.ts'],
  ['/workspace/src/./a.ts', '/workspace/src/a.ts'],
  ['..a', '/workspace/..a'],
  ['a b\n☃', '/workspace/a b\n☃'],
])('%j is %s', (path, absolute) => {
  expect(workspacePath(path)).toBe(absolute);
});

test.each([
  '..',
  '../etc',
  'a/../../etc',
  'a/..',
  '/workspace/../etc',
  '/etc/passwd',
  '/workspacex',
  '//etc',
  'a\0b',
])('%j is outside', (path) => {
  expect(() => workspacePath(path)).toThrow(Problem);
  expect(() => workspacePath(path)).toThrow('outside-workspace');
});

test('whatever is let through stays inside, and comes out the same a second time', () => {
  const part = fc.constantFrom('..', '.', '', 'a', 'workspace', '..b', '/', ' ');
  fc.assert(
    fc.property(fc.array(part), fc.boolean(), (parts, absolute) => {
      const path = (absolute ? '/' : '') + parts.join('/');
      let result: string;
      try {
        result = workspacePath(path);
      } catch {
        return;
      }
      expect(result === '/workspace' || result.startsWith('/workspace/')).toBe(true);
      expect(result.split('/')).not.toContain('..');
      expect(workspacePath(result)).toBe(result);
    }),
  );
});
