import { describe, expect, test } from 'vitest';
import { attachment, blockName, fileBytesMax, fitting, toBase64 } from './attachments.ts';
import { keepable } from './use-draft.ts';
import { heldBy, replacesComposer } from './held-by.ts';
import { triggerAt } from './trigger.ts';

test.each<[string, number | undefined, ReturnType<typeof triggerAt>]>([
  ['', undefined, null],
  ['look at @src/po', undefined, { kind: 'mention', query: 'src/po', from: 8, to: 15 }],
  ['@', undefined, { kind: 'mention', query: '', from: 0, to: 1 }],
  ['a@b', undefined, null],
  ['@done more', undefined, null],
  ['@one two', 4, { kind: 'mention', query: 'one', from: 0, to: 4 }],
  ['/rev', undefined, { kind: 'command', query: 'rev', from: 0, to: 4 }],
  ['see /rev', undefined, null],
  ['/review now', undefined, null],
])('%j at %s', (text, cursor, expected) => {
  expect(triggerAt(text, cursor ?? text.length)).toEqual(expected);
});

describe('attachments', () => {
  const bytes = (...values: number[]) => Uint8Array.from(values);
  test('pictures, text and everything else', () => {
    expect(attachment('a.png', 'image/png', bytes(1, 2, 3))).toEqual({
      kind: 'block',
      block: { type: 'image', mimeType: 'image/png', data: 'AQID' },
    });
    expect(attachment('a b.ts', '', new TextEncoder().encode('const ä = 1;'))).toEqual({
      kind: 'block',
      block: {
        type: 'resource',
        resource: { uri: 'attachment:///a%20b.ts', text: 'const ä = 1;' },
      },
    });
    expect(attachment('a.bin', 'application/x', bytes(255, 254, 0))).toMatchObject({
      block: { resource: { blob: '//4A', mimeType: 'application/x' } },
    });
    // An SVG can carry a document: it goes as the text that it is, never as a picture.
    expect(attachment('a.svg', 'image/svg+xml', new TextEncoder().encode('<svg/>'))).toMatchObject({
      block: { type: 'resource' },
    });
  });
  test('too large is refused with words', () => {
    expect(attachment('big.bin', '', new Uint8Array(fileBytesMax + 1))).toEqual({
      kind: 'refused',
      words: 'big.bin is larger than 5 MB.',
    });
  });
  test('what does not fit beside the rest is named, what fits goes in', () => {
    const image = (bytes: number) => ({
      type: 'image' as const,
      mimeType: 'image/png',
      data: 'A'.repeat((bytes * 4) / 3),
    });
    const [five, six] = [image(5_000_001), image(6_000_000)];
    expect(fitting([five], [five])).toEqual({ blocks: [five], refused: null });
    expect(fitting([five], [five, six])).toEqual({
      blocks: [five],
      refused: 'Image (png) does not fit: a message holds 14 MB.',
    });
    const link = { type: 'resource_link' as const, uri: 'file:///a', name: 'a' };
    expect(keepable({ text: 'words', blocks: [five, link] })).toEqual({
      text: 'words',
      blocks: [link],
    });
  });
  test('their names can be read', () => {
    const result = attachment('a b.ts', '', bytes(65));
    expect(result.kind === 'block' && blockName(result.block)).toBe('a b.ts');
  });
  test('base64 of more than one piece', () => {
    const large = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256);
    expect(Uint8Array.from(atob(toBase64(large)), (char) => char.charCodeAt(0))).toEqual(large);
  });
});

test('what stands in place of the composer, the most important first', () => {
  const base = { status: 'idle', holder: 'chat' };
  const held = (session: object, state: string = 'connected', canWrite = true) =>
    heldBy({
      session: { ...base, ...session },
      hello: { canWrite },
      connection: { state },
    } as never);
  expect(held({})).toBeNull();
  expect(held({ status: 'failed' }, 'signedOut')).toBe('signed-out');
  expect(held({ archivedAt: 'x', holder: 'terminal' })).toBe('archived');
  expect(held({ holder: 'terminal' })).toBe('terminal');
  expect(held({ status: 'lost' })).toBe('lost');
  expect(held({}, 'connected', false)).toBe('read-only');
  expect(held({}, 'waiting')).toBeNull();
  expect(replacesComposer(held({ status: 'suspended' }))).toBe(false);
});
