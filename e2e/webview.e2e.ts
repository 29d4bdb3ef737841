/**
 * The webview in a real browser, fed from scenes: no server. What only a browser can tell: that the page is accessible, that a long
 * conversation stays small, that nothing moves under the reader.
 * `BERTH_SCREENSHOTS=<folder>` writes a picture of each scene there.
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { build } from 'esbuild';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
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
  page.on('pageerror', (error) => faults.push(`${scene}: ${error.message}`));
  page.on('console', (message) => {
    if (
      message.type() === 'error' &&
      !message.text().includes('favicon') &&
      !message.text().includes('404')
    )
      faults.push(`${scene}: ${message.text()}`);
  });
  const [name = '', hash] = scene.split('#');
  await page.goto(`${origin}/?scene=${name}&theme=${theme}${hash === undefined ? '' : `#${hash}`}`);
  await page.locator('.head, .nav').first().waitFor();
  return page;
}
/** Asks the page itself: `webview/testing/fixture.tsx` says what it knows. */
const probe = <T = unknown>(page: Page, call: string, ...args: unknown[]) =>
  page.evaluate<T>(`probe.${call}(...${JSON.stringify(args)})`);
async function violations(page: Page): Promise<string[]> {
  // Through the debugger: the page's own policy lets no foreign script in.
  await page.evaluate(await readFile(axePath, 'utf8'));
  return page.evaluate<string[]>(`axe
    .run(document, {
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
  test.each([...chats, ...pages])('%s is accessible and says no error', async (scene) => {
    const wide = scene.startsWith('dashboard');
    const page = await open(scene, theme, wide ? 1440 : 900, wide ? 900 : 1000);
    await page.waitForTimeout(500); // the terminal is fetched, and questions take input after their grace
    if (pictures) {
      await mkdir(pictures, { recursive: true });
      const name = scene.replace(/\W+/g, '-');
      await page.screenshot({ path: join(pictures, `${name}-${theme}.png`) });
      if (!wide) {
        await page.setViewportSize({ width: 420, height: 1000 });
        await page.waitForTimeout(100);
        await page.screenshot({ path: join(pictures, `${name}-${theme}-420.png`) });
        await page.setViewportSize({ width: 900, height: 1000 });
      }
    }
    expect(await violations(page)).toEqual([]);
    expect(faults.splice(0)).toEqual([]);
    await page.close();
  });
});

test('300 pixels wide, the page does not scroll sideways', async () => {
  for (const scene of chats) {
    const page = await open(scene, 'dark', 300, 800);
    expect(await probe<number>(page, 'overflow'), scene).toBeLessThanOrEqual(0);
    await page.close();
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
