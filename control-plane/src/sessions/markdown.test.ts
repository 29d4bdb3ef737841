import { expect, test } from 'vitest';
import type { Session } from '@berth/contract';
import { limits } from './log/limits.ts';
import type { Stored } from './log/entry.ts';
import { exportMarkdown } from './markdown.ts';

const session = {
  id: '01a20000-0000-7000-8000-000000000001',
  title: 'Long',
  agentName: 'Ada',
  createdAt: '2026-11-22T12:00:00.000Z',
} as Session;
const stored = (seq: number, kind: string, payload: object): Stored => ({
  seq,
  kind,
  json: JSON.stringify({ sessionId: session.id, seq, at: session.createdAt, kind, payload }),
});

/** A log of so many notices, that says which pages were asked for and how many events are held at once. */
function longLog(count: number) {
  const asked: number[] = [];
  return {
    asked,
    after: async (_id: string, after: number, limit: number) => {
      asked.push(after);
      const length = Math.max(0, Math.min(limit, count - after));
      return Array.from({ length }, (_none, n) =>
        stored(after + n + 1, 'notice', { code: 'n', text: `number ${String(after + n + 1)}` }),
      );
    },
  };
}

test('page by page, the next one only when the reader has taken this', async () => {
  const log = longLog(2 * limits.pageRows + 3);
  const pieces = exportMarkdown(session, log);
  expect((await pieces.next()).value).toBe('# Long\n\nAda · 2026-11-22T12:00:00.000Z\n');
  expect(log.asked).toEqual([]);
  const first = (await pieces.next()).value ?? '';
  expect(log.asked).toEqual([0]);
  expect(first).toMatch(/^\n\*number 1\*\n\n\*number 2\*\n/);
  const rest = await Array.fromAsync(pieces);
  expect(log.asked).toEqual([0, limits.pageRows, 2 * limits.pageRows]);
  const all = first + rest.join('');
  expect(all.match(/number/g)).toHaveLength(2 * limits.pageRows + 3);
});

test('what was typed in the terminal stands under its own head', async () => {
  const turnId = '01a20000-0000-7000-8000-0000000000c1';
  const content = [{ type: 'text', text: 'hi' }];
  const log = {
    after: async () => [
      stored(1, 'message.user', { messageId: 'u', turnId, content, via: 'terminal' }),
    ],
  };
  const text = (await Array.fromAsync(exportMarkdown(session, log))).join('');
  expect(text).toContain('## In the terminal\n\nhi');
});

test('output that lies aside is named, not left out', async () => {
  const log = {
    after: async () => [
      stored(1, 'tool', {
        toolCallId: 't',
        title: 'make',
        status: 'completed',
        output: { blobId: '01a20000-0000-7000-8000-0000000000b1', bytes: 50_000 },
      }),
    ],
  };
  const text = (await Array.fromAsync(exportMarkdown(session, log))).join('');
  expect(text).toContain(
    `**make** (completed), 50000 bytes of output: \`GET /api/v1/sessions/${session.id}/blobs/01a20000-0000-7000-8000-0000000000b1\``,
  );
});
