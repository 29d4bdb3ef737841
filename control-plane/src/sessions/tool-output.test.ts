import { expect, test } from 'vitest';
import type { ContentBlock } from '@berth/contract';
import { tooLong } from './tool-output.ts';

const text = (value: string): ContentBlock => ({ type: 'text', text: value });
const image: ContentBlock = { type: 'image', mimeType: 'image/png', data: 'AAAA' };
const long = 'é'.repeat(30);

test.each<[string, Parameters<typeof tooLong>[0], ReturnType<typeof tooLong>]>([
  ['nothing', {}, null],
  ['what fits', { output: { text: 'short' }, content: [text('short')] }, null],
  ['a blob already', { output: { blobId: 'b', bytes: 1e6 } }, null],
  ['raw output', { output: { text: long } }, { text: long, content: [] }],
  ['content, its image stays', { content: [text(long), image] }, { text: long, content: [image] }],
  [
    'pieces that are long together',
    { content: [text('a'.repeat(30)), text('b'.repeat(30))] },
    { text: `${'a'.repeat(30)}\n${'b'.repeat(30)}`, content: [] },
  ],
  [
    'the same twice',
    { output: { text: `exit 0\n${long}` }, content: [text(long)] },
    { text: `exit 0\n${long}`, content: [] },
  ],
  [
    'two that differ: neither is lost',
    { output: { text: 'raw' }, content: [text(long)] },
    { text: `${long}\n\nraw`, content: [] },
  ],
])('%s', (_name, payload, wanted) => {
  // The limit is in bytes: thirty letters of two bytes each are above 50.
  expect(tooLong(payload, 50)).toEqual(wanted);
});
