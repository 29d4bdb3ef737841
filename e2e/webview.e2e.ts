/**
 * The webview in a real browser, fed from scenes: no server. What only a browser can tell: that the page is accessible, that a long
 * conversation stays small, that nothing moves under the reader.
 * `BERTH_SCREENSHOTS=<folder>` writes a picture of each scene there.
 */
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { build } from 'esbuild';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const axeSource = readFileSync(
  createRequire(import.meta.url).resolve('axe-core/axe.min.js'),
  'utf8',
);
const mediaTypes: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.ttf': 'font/ttf',
};
let folder: string;
let server: Server;
let browser: Browser;
let origin: string;
const faults: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-webview-'));
  await build({
    entryPoints: [join(root, 'webview/testing/fixture.tsx')],
    outdir: folder,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2023',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.ttf': 'file' },
    logLevel: 'warning',
  });
  const html = await readFile(join(root, 'webview/testing/fixture.html'));
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname === '/') {
      response.writeHead(200, {
        'content-type': 'text/html',
        // As strict as the dashboard's own: what it forbids must not be needed.
        'content-security-policy':
          "default-src 'none'; script-src 'self' 'nonce-fixture'; style-src 'self'; style-src-attr 'unsafe-inline'; style-src-elem 'self' 'nonce-fixture' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; img-src 'self' data:; font-src 'self' data:",
      });
      response.end(html);
      return;
    }
    readFile(join(folder, pathname)).then(
      (bytes) => {
        response.writeHead(200, {
          'content-type': mediaTypes[extname(pathname)] ?? 'application/octet-stream',
        });
        response.end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  origin = `http://127.0.0.1:${address.port}`;
  browser = await chromium.launch({
    executablePath: process.env['BERTH_CHROMIUM'] ?? '/usr/bin/chromium',
    headless: true,
    args: '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'.split(
      ' ',
    ),
  });
});
afterAll(async () => {
  await browser.close();
  server.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(scene: string, theme = 'dark', width = 900, height = 1000): Promise<Page> {
  const page = await browser.newPage({
    viewport: { width, height },
    reducedMotion: 'reduce',
    timezoneId: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
  listen(page);
  await go(page, scene, theme);
  return page;
}
/** A page that closes with the test that opened it. */
async function opened(
  ...scene: Parameters<typeof open>
): Promise<AsyncDisposable & { page: Page }> {
  const page = await open(...scene);
  return { page, [Symbol.asyncDispose]: () => page.close() };
}
function listen(page: Page): void {
  page.on('pageerror', (error) => faults.push(`${page.url()}: ${error.message}`));
  page.on('console', (message) => {
    if (
      message.type() === 'error' &&
      !message.text().includes('favicon') &&
      !message.text().includes('404')
    )
      faults.push(`${page.url()}: ${message.text()}`);
  });
}
async function go(page: Page, scene: string, theme: string): Promise<void> {
  const [name = '', hash] = scene.split('#');
  await page.goto('about:blank');
  await page.goto(`${origin}/?scene=${name}&theme=${theme}${hash === undefined ? '' : `#${hash}`}`);
  await page.locator('.head, .nav').first().waitFor();
  if (scene.includes('sessions/')) await page.locator('.xterm-rows').waitFor();
}
/** Asks the page itself: `webview/testing/fixture.tsx` says what it knows. */
const probe = <T = unknown>(page: Page, call: string, ...args: unknown[]) =>
  page.evaluate<T>(`probe.${call}(...${JSON.stringify(args)})`);
async function violations(page: Page): Promise<string[]> {
  // Through the debugger: the page's own policy lets no foreign script in.
  await page.evaluate(axeSource);
  return page.evaluate<string[]>(`axe
    .run(document, {
      resultTypes: ['violations'],
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    })
    .then(({ violations }) => violations.map(({ id, nodes }) =>
      id + ': ' + nodes.map((node) => node.html.slice(0, 160) + ' ' + node.failureSummary.slice(0, 200)).join(' | ')))`);
}

const chats = [
  'chat-approval',
  'chat-working',
  'chat-stalled',
  'chat-reconnecting',
  'chat-unknown',
  'chat-terminal',
  'chat-stopping',
  'chat-boot',
  'chat-failed',
];
const pages = [
  'dashboard#/sessions',
  'dashboard#/sessions/x',
  'dashboard#/approvals',
  'dashboard#/approvals?show=decided',
  'dashboard#/agents',
  'dashboard#/agents/new',
  'dashboard#/new',
  'dashboard-empty#/sessions',
];
const pictures = process.env['BERTH_SCREENSHOTS'];

describe.each(['dark', 'light', 'high-contrast'])('%s', (theme) => {
  // One page for all: a new one costs more than what is looked at.
  let page: Page;
  beforeAll(async () => {
    page = await open('chat-boot', theme);
  });
  afterAll(() => page.close());

  test.each([...chats, ...pages])('%s is accessible and says no error', async (scene) => {
    const wide = scene.startsWith('dashboard');
    await page.setViewportSize(wide ? { width: 1440, height: 900 } : { width: 900, height: 1000 });
    await go(page, scene, theme);
    if (pictures) {
      await mkdir(pictures, { recursive: true });
      const name = scene.replace(/\W+/g, '-');
      await page.screenshot({ path: join(pictures, `${name}-${theme}.png`) });
      if (!wide) {
        await page.setViewportSize({ width: 420, height: 1000 });
        await page.screenshot({ path: join(pictures, `${name}-${theme}-420.png`) });
        await page.setViewportSize({ width: 900, height: 1000 });
      }
    }
    expect(await violations(page)).toEqual([]);
    expect(faults.splice(0)).toEqual([]);
  });
});

test('the fields of the agent form have the names that stand above them', async () => {
  await using held = await opened('chat-boot', 'dark', 1440, 900);
  await go(held.page, 'dashboard#/agents/new', 'dark');
  for (const name of ['Name', 'Instructions', 'Repository'])
    await held.page.getByRole('textbox', { name, exact: true }).waitFor({ timeout: 5000 });
});

test('300 pixels wide, the page does not scroll sideways', async () => {
  await using held = await opened('chat-boot', 'dark', 300, 800);
  for (const scene of chats) {
    await go(held.page, scene, 'dark');
    expect(await probe<number>(held.page, 'overflow'), scene).toBeLessThanOrEqual(0);
  }
});

const emit = (page: Page, events: { kind: string; payload: unknown }[]) =>
  probe(page, 'emit', events);
const asked = (page: Page, name: string) => probe<{ params: unknown }[]>(page, 'asked', name);
const said = (n: number) => ({
  kind: 'message',
  payload: {
    messageId: `new${n}`,
    content: [{ type: 'text', text: `New words ${n}. `.repeat(20) }],
  },
});
const uuid = (n: number) => `01936d5e-0000-7000-8000-${String(n).padStart(12, '0')}`;
const scrolled = (page: Page) => probe<{ top: number; end: number }>(page, 'scroll');

describe('ten thousand messages', () => {
  let page: Page;
  beforeAll(async () => {
    page = await open('long');
    await page.locator('.row').first().waitFor();
  });
  afterAll(() => page.close());

  test('the tail is there at once, and few nodes', async () => {
    const nodes = await probe<number>(page, 'nodes');
    const tailMs = await probe<number | null>(page, 'tailMs');
    console.error(`10,000 messages: tail after ${tailMs?.toFixed(0) ?? '?'} ms, ${nodes} nodes`);
    expect(nodes).toBeLessThan(2500);
    expect((await scrolled(page)).end).toBeLessThanOrEqual(2);
  });
  test('who stands at the end sees what is new', async () => {
    await emit(page, [said(1), said(2)]);
    await expect.poll(() => page.getByText('New words 2.').count()).toBeGreaterThan(0);
    await expect.poll(async () => (await scrolled(page)).end).toBeLessThanOrEqual(2);
  });
  test('a gesture upwards lets go: nothing moves, a pill says what is new', async () => {
    await page.locator('.scroll').hover();
    await page.mouse.wheel(0, -40);
    await page.waitForTimeout(100);
    const before = await scrolled(page);
    expect(before.end).toBeGreaterThan(2);
    await emit(page, [said(3), said(4)]);
    await page.getByRole('button', { name: 'Latest, 2 new' }).waitFor();
    expect((await scrolled(page)).top).toBeCloseTo(before.top, 0);
    await page.getByRole('button', { name: 'Latest, 2 new' }).click();
    await expect.poll(async () => (await scrolled(page)).end).toBeLessThanOrEqual(2);
  });
  test('a question below is named by the pill', async () => {
    await page.locator('.scroll').hover();
    await page.mouse.wheel(0, -600);
    await page.waitForTimeout(100);
    await emit(page, [
      {
        kind: 'approval.requested',
        payload: {
          approvalId: '01936d5e-0000-7000-8000-000000009999',
          revision: 1,
          title: 'May I?',
          options: [{ optionId: 'y', name: 'Yes', kind: 'allow_once' }],
        },
      },
    ]);
    await page.getByRole('button', { name: 'Approval waiting' }).waitFor();
  });
  test('older messages come while scrolling up, and what is being read stays', async () => {
    const pages = async () => (await asked(page, 'page')).length;
    const before = await pages();
    await page.locator('.scroll').hover();
    for (let step = 0; step < 80 && (await pages()) === before; step += 1) {
      await page.mouse.wheel(0, -1500);
      await page.waitForTimeout(16);
    }
    await expect.poll(pages).toBeGreaterThan(before);
    await page.waitForTimeout(300);
    const reading = await probe<{ text: string; y: number }>(page, 'reading');
    const more = await pages();
    await page.mouse.wheel(0, -40);
    await page.waitForTimeout(300);
    // Whatever was put in front meanwhile: it moved by the 40 pixels of the wheel, and no more.
    const y = await probe<number | null>(page, 'whereIs', reading.text);
    expect(Math.abs((y ?? Infinity) - reading.y), `${more} pages`).toBeLessThanOrEqual(48);
    expect(await probe<number>(page, 'nodes')).toBeLessThan(2500);
  });
});

describe('a question', () => {
  test('takes no input in its first 400 ms, then one, and keeps the focus', async () => {
    const page = await open('chat-approval');
    // It is replaced under the hand: another question, with the same buttons.
    const options = [{ optionId: 'force', name: 'Yes', kind: 'allow_once' }];
    const approvalId = '01936d5e-0000-7000-8000-000000000021';
    await emit(page, [
      {
        kind: 'approval.requested',
        payload: {
          approvalId,
          revision: 2,
          title: 'Push by force',
          options,
          facts: [{ label: 'Force', value: 'yes' }],
        },
      },
    ]);
    await page.getByText('Force', { exact: true }).waitFor();
    await probe(page, 'pressFirst');
    expect(await asked(page, 'decide')).toEqual([]);
    await page.waitForTimeout(450);
    await page.getByRole('button', { name: 'Allow once' }).focus();
    await page.keyboard.press('Enter');
    await expect
      .poll(() => asked(page, 'decide'))
      .toMatchObject([{ params: { optionId: 'force', revision: 2 } }]);
    await emit(page, [
      {
        kind: 'approval.resolved',
        payload: {
          approvalId: '01936d5e-0000-7000-8000-000000000021',
          state: 'decided',
          optionId: 'force',
          by: { id: 'ana', name: 'Ana Ruiz' },
        },
      },
    ]);
    const row = page.getByRole('button', { name: /Allowed once/ });
    await row.waitFor();
    await expect.poll(() => probe<string>(page, 'focused')).toContain('Allowed once');
    await page.close();
  });
});

test('from the keyboard: write, send, edit what waits, go round the page', async () => {
  const page = await open('chat-stalled');
  const text = page.getByRole('textbox', { name: 'Message to the agent' });
  await expect.poll(() => probe<string>(page, 'region')).toBe('composer');
  await expect
    .poll(() => text.inputValue())
    .toBe('If it hangs, use the cached results from Friday.');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('now');
  await page.keyboard.press('Enter');
  await expect
    .poll(() => asked(page, 'send'))
    .toMatchObject([
      {
        params: {
          prompt: [{ type: 'text', text: 'If it hangs, use the cached results from Friday.\nnow' }],
        },
      },
    ]);
  expect(await text.inputValue()).toBe('');
  await page.keyboard.type('@pol');
  await page.getByRole('option', { name: /policy\.ts/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Remove src/refunds/policy.ts' }).waitFor();
  await page.keyboard.press('F6');
  await page.keyboard.press('F6');
  await expect.poll(() => probe<string>(page, 'region')).toBe('transcript');
  await page.keyboard.press('Escape');
  await expect.poll(() => probe<string>(page, 'region')).toBe('composer');
  await page.close();
});

describe('the queue', () => {
  const waiting = (page: Page) => page.locator('.queue li');
  const positions = async (page: Page) =>
    (await asked(page, 'queueMove')).map(({ params }) => (params as { position: number }).position);
  const queued = (n: number, text: string, position: number) => ({
    kind: 'turn.queued',
    payload: { turnId: uuid(n), prompt: [{ type: 'text', text }], position },
  });

  test('is put in another order by dragging and by keys, and the focus goes along', async () => {
    await using held = await opened('chat-working');
    const { page } = held;
    await emit(page, [queued(32, 'And tell me when it is done', 2)]);
    await expect.poll(() => waiting(page).count()).toBe(3);
    await waiting(page).nth(2).dragTo(waiting(page).nth(0));
    await expect.poll(() => positions(page)).toEqual([0]);
    await emit(page, [queued(32, 'And tell me when it is done', 0)]);
    await expect.poll(() => waiting(page).first().innerText()).toContain('tell me when');
    await waiting(page).first().getByRole('button', { name: 'Withdraw' }).focus();
    await page.keyboard.press('Alt+ArrowDown');
    await expect.poll(() => positions(page)).toEqual([0, 1]);
    await emit(page, [queued(32, 'And tell me when it is done', 1)]);
    await expect.poll(() => waiting(page).nth(1).innerText()).toContain('tell me when');
    await expect.poll(() => probe<string | null>(page, 'focusedEntry')).toContain('tell me when');
    await page.keyboard.press('Delete');
    await expect
      .poll(() => asked(page, 'queueWithdraw'))
      .toMatchObject([{ params: { turnId: uuid(32) } }]);
  });

  test('what the agent has taken meanwhile: said, and no word is lost', async () => {
    await using held = await opened('chat-working');
    const { page } = held;
    const text = page.getByRole('textbox', { name: 'Message to the agent' });
    await waiting(page).first().getByRole('button', { name: 'Edit' }).click();
    await page.getByText('Editing a waiting message').waitFor();
    await text.fill('Also write two lines in CHANGELOG.md');
    await probe(page, 'refuse', 'queueEdit', { code: 'turn-already-sent', detail: 'x' });
    await page.keyboard.press('Enter');
    await page.getByText('The agent already has this message.').waitFor();
    await emit(page, [{ kind: 'turn.started', payload: { turnId: uuid(30) } }]);
    await page.getByText('What you wrote stands here as a new one.').waitFor();
    await expect.poll(() => text.inputValue()).toContain('Also write two lines in CHANGELOG.md');
    await expect.poll(() => waiting(page).count()).toBe(1);
  });
});

test('a terminal has the conversation: who, and that what is written waits; one click takes it back', async () => {
  await using held = await opened('chat-terminal');
  const { page } = held;
  await page.getByText('Mara Lindqvist has this conversation open in a terminal.').waitFor();
  await page.getByText('Sent when the conversation is back in the chat').waitFor();
  await page.getByText('In a terminal', { exact: true }).waitFor();
  await page.getByRole('textbox', { name: 'Message to the agent' }).fill('and the docs');
  await page.getByRole('button', { name: 'Queue message' }).click();
  await expect.poll(() => asked(page, 'send')).toHaveLength(1);
  await page.getByRole('button', { name: 'Take it back' }).click();
  await expect.poll(() => asked(page, 'takeBack')).toHaveLength(1);
  await probe(page, 'session', { holder: 'chat' });
  await page.getByText('has this conversation open in a terminal').waitFor({ state: 'detached' });
});

test('Escape stops a turn only when it is pressed twice; stopping is seen until it has stopped', async () => {
  await using held = await opened('chat-working');
  const { page } = held;
  const text = page.getByRole('textbox', { name: 'Message to the agent' });
  await text.press('Escape');
  await page.getByText('Press Esc again to stop this turn').first().waitFor();
  expect(await asked(page, 'cancel')).toEqual([]);
  await text.press('Escape');
  await expect.poll(() => asked(page, 'cancel')).toHaveLength(1);
  await probe(page, 'session', { cancelRequestedAt: '2026-11-22T13:13:00.000Z' });
  await page.getByRole('button', { name: 'Stopping this turn' }).waitFor();
  await page
    .getByText(/^Stopping/)
    .first()
    .waitFor();
  await text.press('Escape');
  await text.press('Escape');
  expect(await asked(page, 'cancel')).toHaveLength(1);
});

describe('a question that somebody else has answered', () => {
  test('says what was answered, and who it was', async () => {
    await using held = await opened('chat-approval');
    const { page } = held;
    await probe(page, 'refuse', 'decide', {
      code: 'already-decided',
      detail: 'Mara Lindqvist was faster.',
      by: 'Mara Lindqvist',
    });
    const allow = page.getByRole('button', { name: 'Allow once' });
    // The first 400 ms of a question take no input.
    await expect
      .poll(async () => {
        if ((await asked(page, 'decide')).length === 0) await allow.click();
        return asked(page, 'decide');
      })
      .toHaveLength(1);
    await page.getByText('Already answered by Mara Lindqvist.').waitFor();
    await emit(page, [
      {
        kind: 'approval.resolved',
        payload: {
          approvalId: uuid(21),
          state: 'decided',
          optionId: 'no',
          by: { id: 'mara', name: 'Mara Lindqvist' },
        },
      },
    ]);
    await page.getByRole('button', { name: /Already answered: denied .*git push/ }).waitFor();
    await page
      .getByText(/^Mara Lindqvist, \d\d:\d\d$/)
      .last()
      .waitFor();
  });
  test('is no longer needed when its agent has ended', async () => {
    await using held = await opened('chat-approval');
    const { page } = held;
    await emit(page, [
      { kind: 'approval.resolved', payload: { approvalId: uuid(21), state: 'superseded' } },
    ]);
    await page.getByRole('button', { name: /No longer needed/ }).waitFor();
    expect(await page.getByRole('button', { name: 'Allow once' }).count()).toBe(0);
  });
});

test('a message in question: three answers, none before the others', async () => {
  await using held = await opened('chat-unknown');
  const { page } = held;
  await page.getByText('Sent when the question above is answered').waitFor();
  expect(await page.locator('.ask vscode-button[appearance=primary]').count()).toBe(0);
  const done = page.getByRole('button', { name: 'It was done' });
  await expect
    .poll(async () => {
      if ((await asked(page, 'settle')).length === 0) await done.click();
      return asked(page, 'settle');
    })
    .toMatchObject([{ params: { answer: 'arrived' } }]);
});

test('files and pictures come by paste, drop and picker; what is too large is said', async () => {
  await using held = await opened('chat-stopping');
  const { page } = held;
  await probe(page, 'paste', 'shot.png', 'image/png', 100);
  await page.getByRole('button', { name: 'Remove Image (png)' }).waitFor();
  await probe(page, 'drop', 'trace.log', 'text/plain', 100);
  await page.getByRole('button', { name: 'Remove trace.log' }).waitFor();
  const small = { name: 'small.txt', mimeType: 'text/plain', buffer: Buffer.from('hi') };
  await page.locator('input[type=file]').setInputFiles(small);
  await page.getByRole('button', { name: 'Remove small.txt' }).waitFor();
  await probe(page, 'drop', 'big.bin', 'application/x', 6_000_000);
  await page.getByText('big.bin is larger than 5 MB.').waitFor();
  for (const n of [1, 2, 3]) {
    await probe(page, 'drop', `part${n}.bin`, 'application/x', 5_000_000);
    if (n < 3) await page.getByRole('button', { name: `Remove part${n}.bin` }).waitFor();
  }
  await page.getByText('part3.bin does not fit: a message holds 14 MB.').waitFor();
});

test('commands are completed, folders are gone into, and what was sent before comes back', async () => {
  await using held = await opened('chat-unknown');
  const { page } = held;
  const text = page.getByRole('textbox', { name: 'Message to the agent' });
  await text.fill('');
  await text.pressSequentially('/rev');
  await page.getByRole('option', { name: /\/review/ }).waitFor();
  await page.keyboard.press('Tab');
  await expect.poll(() => text.inputValue()).toBe('/review ');
  await text.fill('');
  await text.pressSequentially('see @te');
  await page.getByRole('option', { name: 'test/', exact: true }).waitFor();
  await page.keyboard.press('Enter');
  await expect.poll(() => text.inputValue()).toBe('see @test/');
  await page.getByRole('option', { name: 'test/refunds/api.test.ts' }).click();
  await expect.poll(() => text.inputValue()).toBe('see ');
  await text.fill('');
  // The last message that waits is another person's and can be edited; the history is one's own.
  await page.keyboard.press('ArrowUp');
  await page.getByText('Editing a waiting message').waitFor();
  await page.keyboard.press('Escape');
  await emit(page, [{ kind: 'turn.started', payload: { turnId: uuid(12) } }]);
  await page.getByText('1 message waiting').waitFor({ state: 'detached' });
  await text.focus();
  await page.keyboard.press('ArrowUp');
  await expect.poll(() => text.inputValue()).toContain('Run the load test against staging');
  await page.keyboard.press('ArrowUp');
  await expect.poll(() => text.inputValue()).toContain('how many days are left');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await expect.poll(() => text.inputValue()).toBe('');
});

test('who sends something sees it, wherever they were reading', async () => {
  await using held = await opened('chat-approval', 'dark', 900, 500);
  const { page } = held;
  await page.locator('.scroll').hover();
  await page.mouse.wheel(0, -600);
  await expect.poll(async () => (await scrolled(page)).end).toBeGreaterThan(100);
  await page.getByRole('textbox', { name: 'Message to the agent' }).fill('one more thing');
  await page.keyboard.press('Enter');
  await expect.poll(async () => (await scrolled(page)).end).toBeLessThanOrEqual(2);
});
