import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { codeServerPaths } from '../../scripts/code-server.mjs';

const startMs = 30_000;

/** VS Code in a browser with the packed extension, everything it keeps in one folder that is thrown away. */
export interface CodeServer extends AsyncDisposable {
  readonly url: string;
  /** Host and port, as remote addresses of the workbench name it. */
  readonly authority: string;
  readonly dir: string;
  readonly pid: number;
  log(): string;
}

const settings = {
  'workbench.startupEditor': 'none',
  // Else the rows of a terminal are pixels, and no test can read them.
  'terminal.integrated.gpuAcceleration': 'off',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'update.mode': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'window.commandCenter': false,
};

export async function startCodeServer(options: {
  folder: string;
  vsix?: readonly string[];
  settings?: Readonly<Record<string, unknown>>;
  env?: Readonly<Record<string, string>>;
  /** Needed for a payload in the address (tests inside the extension host); it hides notifications. */
  testDriver?: boolean;
}): Promise<CodeServer> {
  const { node, entry } = codeServerPaths();
  const dir = await mkdtemp(join(tmpdir(), 'berth-code-'));
  const env = {
    PATH: process.env['PATH'] ?? '',
    LANG: 'C.UTF-8',
    HOME: dir,
    SHELL: '/bin/bash',
    TERM: 'xterm-256color',
    // A closed port: no gallery is asked.
    EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: 'http://127.0.0.1:9' }),
    ...options.env,
  };
  await mkdir(join(dir, 'User'), { recursive: true });
  await writeFile(
    join(dir, 'User', 'settings.json'),
    JSON.stringify({ ...settings, ...options.settings }),
  );
  const places = ['--user-data-dir', dir, '--extensions-dir', join(dir, 'extensions')];
  for (const file of options.vsix ?? []) {
    const ran = spawnSync(node, [entry, ...places, '--install-extension', file, '--force'], {
      env,
      encoding: 'utf8',
    });
    if (ran.status !== 0) throw new Error(`${file} was not installed\n${ran.stdout}${ran.stderr}`);
  }
  const child: ChildProcess = spawn(
    node,
    [
      ...[entry, ...places, '--bind-addr', '127.0.0.1:0', '--auth', 'none'],
      ...['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'],
      ...['--disable-getting-started-override', '--reconnection-grace-time', '5'],
      ...(options.testDriver === true ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
      options.folder,
    ],
    { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let written = '';
  const url = await new Promise<string>((done, failed) => {
    const timer = setTimeout(
      () => failed(new Error(`code-server is not ready\n${written}`)),
      startMs,
    );
    const read = (chunk: Buffer) => {
      written += chunk.toString();
      const found = /HTTP server listening on (http:\/\/[\d.]+:\d+)/.exec(written)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      done(found);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => {
      clearTimeout(timer);
      failed(new Error(`code-server ended with ${String(code)}\n${written}`));
    });
  });
  return {
    url,
    authority: new URL(url).host,
    dir,
    pid: child.pid ?? 0,
    log: () => written,
    async [Symbol.asyncDispose]() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => kill(child.pid), 5000);
      await gone;
      clearTimeout(timer);
      kill(child.pid);
      await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** The process and all that it started. */
function kill(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export interface Browser extends AsyncDisposable {
  readonly context: BrowserContext;
  readonly page: Page;
}
export async function launchBrowser(size = { width: 1440, height: 900 }): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'berth-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    headless: true,
    viewport: size,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
      ...['--disable-background-networking', '--disable-component-update'],
    ],
  });
  return {
    context,
    page: context.pages()[0] ?? (await context.newPage()),
    async [Symbol.asyncDispose]() {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** The workbench, by what a person sees of it. */
export function workbench(page: Page) {
  const chat = () =>
    page.locator('iframe.webview.ready').last().contentFrame().frameLocator('iframe#active-frame');
  const terminalText = async (): Promise<string> =>
    (
      await page
        .locator('.terminal-wrapper.active .xterm-rows')
        .last()
        .innerText()
        .catch(() => '')
    ).replaceAll('\u00a0', ' ');
  const quickInput = page.locator('.quick-input-widget');
  return {
    page,
    chat,
    terminalText,
    quickInput,
    async open(server: CodeServer, folder: string) {
      await page.goto(`${server.url}/?folder=${encodeURIComponent(folder)}`);
      await page.locator('.monaco-workbench').waitFor({ timeout: 60_000 });
    },
    async openBerth() {
      const tab = page.getByRole('tab', { name: /^Berth/ });
      await tab.waitFor({ timeout: 60_000 });
      const shown = page.locator('.composite.title', { hasText: /^berth/i });
      if (!(await shown.isVisible())) await tab.click();
    },
    row: (text: string | RegExp) => page.locator('.monaco-list-row').filter({ hasText: text }),
    /** A command of the palette. A view that takes the focus meanwhile closes the palette: then again. */
    async run(title: string) {
      const start = title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
      const row = page
        .locator('.quick-input-list .monaco-list-row')
        .filter({ hasText: new RegExp(`^${start}`) })
        .first();
      for (let attempt = 1; ; attempt += 1) {
        try {
          await page.keyboard.press('F1');
          const input = quickInput.locator('input').first();
          await input.fill(`>${title}`, { timeout: 3000 });
          await row.click({ timeout: 5000 });
          return;
        } catch (error) {
          if (attempt === 5) throw error;
        }
      }
    },
    /** A step of a quick pick: waits for its title, then answers it. */
    async step(title: string | RegExp, answer?: string) {
      await quickInput.filter({ hasText: title }).waitFor();
      if (answer !== undefined) await quickInput.locator('input').first().fill(answer);
      await page.keyboard.press('Enter');
    },
    async terminalSays(what: RegExp, timeoutMs = 15_000) {
      const end = performance.now() + timeoutMs;
      for (;;) {
        const text = await terminalText();
        if (what.test(text)) return text;
        if (performance.now() > end)
          throw new Error(`the terminal does not say ${String(what)}:\n${text}`);
        await page.waitForTimeout(100);
      }
    },
    async typeInTerminal(text: string) {
      await page.locator('.terminal-wrapper.active .xterm-helper-textarea').last().focus();
      await page.keyboard.type(text);
    },
  };
}
export type Workbench = ReturnType<typeof workbench>;

/** Runs a test program inside the extension host: the workbench calls the page back with its exit code. */
export async function runInHost(options: {
  server: CodeServer;
  folder: string;
  extension: string;
  tests: string;
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
  onLog: (line: string) => void;
}): Promise<number> {
  const { server } = options;
  await using browser = await launchBrowser();
  const { page } = browser;
  const remote = (path: string) => `vscode-remote://${server.authority}${path}`;
  const exposed: Promise<unknown>[] = [];
  const ended = new Promise<number>((done) => {
    const timer = setTimeout(() => {
      options.onLog(`no end after ${String(options.timeoutMs)} ms`);
      done(1);
    }, options.timeoutMs);
    const exit = (code: number) => {
      clearTimeout(timer);
      done(code);
    };
    exposed.push(page.exposeFunction('codeAutomationExit', exit));
  });
  exposed.push(
    page.exposeFunction('codeAutomationLog', (_type: string, args: unknown[]) =>
      options.onLog(args.map(String).join(' ')),
    ),
  );
  await Promise.all(exposed);
  const payload = [
    ['extensionDevelopmentPath', remote(options.extension)],
    ['extensionTestsPath', remote(options.tests)],
    ['extensionEnvironment', JSON.stringify(options.env)],
    ['skipWelcome', 'true'],
  ];
  const query = new URLSearchParams({ folder: options.folder, payload: JSON.stringify(payload) });
  await page.goto(`${server.url}/?${query.toString().replaceAll('+', '%20')}`);
  // Awaited here: the browser closes when this function is left.
  return await ended;
}
