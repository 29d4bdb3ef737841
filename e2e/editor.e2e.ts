import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { codeServerRunsHere } from '../scripts/code-server.mjs';
import { dist, startBerth, until, type Berth } from './support/berth.ts';
import {
  launchBrowser,
  startCodeServer,
  workbench,
  type Browser,
  type CodeServer,
  type Workbench,
} from './support/code-server.ts';
import { idle, rehearsal, text, waiting } from './support/talk.ts';

/** Pictures of the real thing, for people to look at. */
const shots = process.env['BERTH_SCREENSHOTS'] ?? join(tmpdir(), 'berth-screenshots');

describe.runIf(codeServerRunsHere())('the extension in a real editor', () => {
  let berth: Berth;
  let server: CodeServer;
  let browser: Browser;
  let editor: Workbench;
  let folder: string;
  const foreign: string[] = [];

  beforeAll(async () => {
    await mkdir(shots, { recursive: true });
    folder = await mkdtemp(join(tmpdir(), 'berth-folder-'));
    await writeFile(join(folder, 'hello.txt'), 'hello\n');
    const git = (...args: string[]) => execFileSync('git', args, { cwd: folder });
    git('init', '-q', '-b', 'main');
    git(
      '-c',
      'user.name=e2e',
      '-c',
      'user.email=e2e@localhost',
      'commit',
      '-q',
      '--allow-empty',
      '-m',
      'start',
    );
    berth = await startBerth();
    server = await startCodeServer({
      folder,
      vsix: [dist('berth.vsix')],
      env: { BERTH_DATA_DIR: berth.dataDir },
      settings: {
        'berth.notifications.needsInput': 'always',
        'workbench.colorTheme': 'Default Dark Modern',
      },
    });
    browser = await launchBrowser();
    editor = workbench(browser.page);
    browser.page.on('request', (request) => {
      const url = new URL(request.url());
      const own = ['data:', 'blob:'].includes(url.protocol) || url.hostname === '127.0.0.1';
      // The workbench's name for an extension's own files: its service worker answers, nothing leaves.
      const resource = url.hostname.endsWith('.vscode-resource.vscode-cdn.net');
      if (!own && !resource) foreign.push(url.href);
    });
    await editor.open(server, folder);
  });
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await berth[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await shot(`failed-${task.name.replaceAll(/\W+/g, '-')}`);
  });
  const shot = (name: string) => browser.page.screenshot({ path: join(shots, `${name}.png`) });
  const latest = async () => {
    const { items } = await berth.client.sessions.list({ limit: 1 });
    const session = items[0];
    if (session === undefined) throw new Error('no session');
    return session;
  };
  const send = async (message: string) => {
    const composer = editor.chat().getByRole('textbox').last();
    await composer.click();
    await composer.fill(message);
    await composer.press('Enter');
  };

  test('signs in by itself and shows the ready-made agent', async () => {
    await editor.openBerth();
    await editor.page.getByText('No sessions yet.').waitFor();
    await editor.page.getByRole('button', { name: 'New Session' }).waitFor();
    await editor.row('Rehearsal').waitFor();
    await shot('empty');
  });

  test('three steps start a session; it boots, streams, asks, and goes on when answered in the chat', async () => {
    await editor.run('Berth: New Session');
    await editor.step('New Session: Agent');
    await editor.step('New Session: Code');
    await editor.step('New Session: First Message', 'Show me what you can do');
    const chat = editor.chat();
    await chat.getByText('Sandbox ready').waitFor({ timeout: 30_000 });
    await chat.getByText('rehearsal agent').first().waitFor();
    const ask = chat.getByRole('button', { name: 'Allow once' });
    await ask.waitFor();
    await editor.row('needs you').waitFor();
    await shot('asking');
    const session = await latest();
    await until(
      async () => {
        if ((await ask.count()) > 0) await ask.click({ timeout: 1000 }).catch(() => undefined);
        return (await berth.client.sessions.get(session.id)).status === 'idle';
      },
      60_000,
      'the end of the tour',
    );
    await chat.getByText(/^Done in/).waitFor();
    await editor.row(/done \d\d:\d\d/).waitFor();
    await shot('done');
  });

  test('a shell in the sandbox opens beside the chat', async () => {
    await editor.run('Berth: Open a Shell in the Sandbox');
    await editor.terminalSays(/[$#] *$/m);
    await editor.typeInTerminal('echo real-$((6*7)); pwd\n');
    await editor.terminalSays(/^real-42\s+\/workspace/m);
    await shot('terminal');
  });

  test('loaded again in mid-stream: nothing of the chat is lost, and the terminal shows the same screen', async () => {
    await send('/stream 300 20');
    await editor
      .chat()
      .getByText(/\bw20\b/)
      .first()
      .waitFor();
    await editor.page.reload();
    await editor
      .chat()
      .getByText(/\bw300\b/)
      .first()
      .waitFor({ timeout: 60_000 });
    const session = await latest();
    await idle(berth, session.id);
    const spoken = await editor
      .chat()
      .getByText(/\bw1 w2\b/)
      .last()
      .innerText();
    expect(spoken.match(/\bw\d+\b/g)).toEqual(Array.from({ length: 300 }, (_, i) => `w${i + 1}`));
    await editor.terminalSays(/^real-42\s+\/workspace/m, 30_000);
    // The same shell, not another one.
    const open = (await berth.client.terminals.list(session.id)).filter(
      (one) => one.state === 'open',
    );
    expect(open).toHaveLength(1);
    await editor.typeInTerminal('echo again-$((40+2))\n');
    await editor.terminalSays(/^again-42/m);
    await shot('reloaded');
  });

  test('what is written and not sent is there after a reload', async () => {
    const composer = () => editor.chat().getByRole('textbox').last();
    await composer().fill('half a thought');
    await editor.page.waitForTimeout(1000); // the composer saves what rested for 300 ms
    await editor.page.reload();
    await composer().waitFor({ timeout: 60_000 });
    await expect.poll(() => composer().inputValue(), { timeout: 20_000 }).toBe('half a thought');
    await composer().fill('');
  });

  test('the changes open as diffs, and are taken over into the folder', async () => {
    const session = await latest();
    const { files } = await berth.client.changes.list(session.id);
    const name = files[0]?.path.split('/').at(-1) ?? '';
    expect(name).not.toBe('');
    await editor.openBerth();
    await editor.row('Show me what you can do').first().click();
    await editor.row(name).first().waitFor();
    await editor.run('Berth: Open Changes');
    await editor.page.locator('.multiDiffEditor, .multi-diff-editor').first().waitFor();
    await editor.page.locator('.editor-instance').filter({ hasText: name }).first().waitFor();
    await editor.page.waitForTimeout(1000);
    await shot('changes');
    await editor.run('Berth: Apply Changes to the Folder');
    await editor.page.getByRole('button', { name: 'Apply', exact: true }).click();
    await until(
      async () =>
        (await readFile(join(folder, files[0]?.path ?? ''), 'utf8').catch(() => '')) !== '',
      10_000,
      'the file in the folder',
    );
    const inSandbox = await (
      await berth.client.files.read(session.id, files[0]?.path ?? '')
    ).text();
    expect(await readFile(join(folder, files[0]?.path ?? ''), 'utf8')).toBe(inSandbox);
  });

  test('a session that nobody looks at says that it waits, and the notification answers it', async () => {
    const agent = await rehearsal(berth);
    const session = await berth.client.sessions.create({
      agentId: agent.id,
      title: 'In the background',
    });
    const turnId = randomUUID();
    await berth.client.turns.create(session.id, {
      id: turnId,
      prompt: text('/write note.txt hi\n/say written'),
    });
    await waiting(berth, session.id);
    const toast = editor.page
      .locator('.notification-toast')
      .filter({ hasText: 'In the background' });
    await toast.waitFor();
    await shot('notification');
    await toast.getByRole('button', { name: 'Allow Once' }).click();
    const turn = await berth.client.turns.get(session.id, turnId, { waitSeconds: 20 });
    expect(turn.state).toBe('done');
  });

  test('the agent’s own terminal takes the conversation: everybody sees it, messages wait, and it is taken back', async () => {
    await editor.openBerth();
    await editor.row('Show me what you can do').first().click();
    const { items } = await berth.client.sessions.list({ limit: 50 });
    const session = items.find(({ title }) => title === 'Show me what you can do');
    await editor.run('Berth: Attach to the Agent');
    await editor.terminalSays(/rehearsal · ask · Ctrl-D leaves/);
    await editor.row('in a terminal').waitFor();
    const chat = editor.chat();
    await chat.getByText('You have this conversation open in a terminal.').waitFor();
    await send('/say from the queue');
    await chat.getByText('Sent when the conversation is back in the chat').waitFor();
    await editor.row('in a terminal, 1 waiting').waitFor();
    await editor.typeInTerminal('/say from the terminal\n');
    await editor.terminalSays(/^ *from the terminal *$/m);
    await shot('hand-over');
    await editor.run('Berth: Take the Conversation Back');
    await chat.getByText('The conversation is back in the chat.').last().waitFor();
    await chat.getByText('from the queue', { exact: true }).last().waitFor();
    await editor.row('in a terminal').waitFor({ state: 'detached' });
    const after = await berth.client.sessions.get(session?.id ?? '');
    expect(after).toMatchObject({ holder: 'chat', queued: 0 });
  });

  test('all that waits stands in one list, and a row of it answers', async () => {
    const agent = await rehearsal(berth);
    const made = await Promise.all(
      ['First that waits', 'Second that waits'].map(async (title) => {
        const session = await berth.client.sessions.create({ agentId: agent.id, title });
        const turnId = randomUUID();
        const prompt = text('/write note.txt hi\n/say written');
        await berth.client.turns.create(session.id, { id: turnId, prompt });
        await waiting(berth, session.id);
        return { id: session.id, turnId };
      }),
    );
    await editor.page.getByText('2 need you').waitFor();
    await editor.run('Berth: Show What Needs You');
    const rows = editor.page.locator('.quick-input-list .monaco-list-row');
    const second = rows.filter({ hasText: 'Second that waits' });
    await rows.filter({ hasText: 'First that waits' }).waitFor();
    await shot('inbox');
    await second.hover();
    await second.locator('[aria-label="Allow Once"], .codicon-check').first().click();
    await second.waitFor({ state: 'detached' });
    const [first, answered] = made;
    const turn = await berth.client.turns.get(answered?.id ?? '', answered?.turnId ?? '', {
      waitSeconds: 20,
    });
    expect(turn.state).toBe('done');
    await editor.page.keyboard.press('Escape');
    const approval = await waiting(berth, first?.id ?? '');
    const deny = approval.options.find(({ kind }) => kind === 'reject_once');
    await berth.client.approvals.decide(approval.id, {
      optionId: deny?.optionId ?? '',
      revision: approval.revision,
    });
    await editor.page.getByText('1 needs you').waitFor({ state: 'detached' });
  });

  test('an agent is made in three steps, and its first session is open in the tree', async () => {
    await editor.run('Berth: New Agent');
    await editor.step('New Agent: Harness', 'Rehearsal');
    await editor.step('New Agent: Name', 'painter');
    await editor.step('New Session: Code', 'Nothing');
    await editor.step('New Session: First Message', '/say painted');
    await editor.chat().getByText('painted', { exact: true }).last().waitFor();
    await editor.row('/say painted').first().waitFor();
    const session = await latest();
    expect(session.agentName).toBe('painter');
    // What turns in a tab takes its title with it.
    const turning = editor.page.locator('.tabs-container .codicon-loading');
    expect(await turning.count()).toBe(0);
  });

  test('an agent that was made elsewhere can be chosen', async () => {
    const harness = 'rehearsal';
    await berth.client.agents.create({ name: 'from-elsewhere', harness, mode: 'ask' });
    await editor.run('Berth: New Session');
    await editor.quickInput.filter({ hasText: 'New Session: Agent' }).waitFor();
    await editor.row('from-elsewhere').first().waitFor();
    await editor.page.keyboard.press('Escape');
  });

  test('the pages of the server open in the browser, past the editor’s own path', async () => {
    const opened = browser.context.waitForEvent('page');
    await editor.run('Berth: Manage Agents in the Browser');
    // The editor asks before it follows a link to somewhere else.
    await editor.page
      .locator('.monaco-dialog-box')
      .getByRole('button', { name: 'Open', exact: true })
      .click();
    const page = await opened;
    await page.getByText('from-elsewhere').first().waitFor();
    expect(new URL(page.url()).origin).toBe(berth.url);
    await page.close();
  });

  test('this folder goes into the sandbox', async () => {
    await editor.run('Berth: New Session');
    await editor.step('New Session: Agent');
    await editor.quickInput.filter({ hasText: 'This folder' }).waitFor();
    await editor.step('New Session: Code', 'This folder');
    await editor.step('New Session: First Message', '/read hello.txt');
    await until(async () => (await latest()).title.includes('hello.txt'), 15_000, 'the session');
    const session = await latest();
    await idle(berth, session.id);
    expect(await (await berth.client.files.read(session.id, 'hello.txt')).text()).toBe('hello\n');
    await editor
      .chat()
      .getByText(/^Done in/)
      .last()
      .waitFor();
  });

  test('the connection is lost and comes back without anybody doing anything', async () => {
    await berth.stop();
    await editor.page.getByText('Berth: connection lost').waitFor();
    await shot('offline');
    await berth.start();
    await editor.page
      .getByText('Berth: connection lost')
      .waitFor({ state: 'hidden', timeout: 30_000 });
    const session = await latest();
    await editor.row(session.title.slice(0, 12)).first().click();
    await send('/say back again');
    await editor.chat().getByText('back again', { exact: true }).last().waitFor();
  });

  test('looks right in every kind of theme, and asks nobody outside', async () => {
    for (const [name, theme, kind] of [
      ['light', 'Light Modern', 'vs'],
      ['hc', 'Dark High Contrast', 'hc-black'],
      ['hc-light', 'Light High Contrast', 'hc-light'],
      ['dark', 'Dark Modern', 'vs-dark'],
    ] as const) {
      await editor.run('Preferences: Color Theme');
      const input = editor.quickInput.locator('input').first();
      await input.fill(theme);
      await editor.page
        .locator('.quick-input-list .monaco-list-row.focused')
        .filter({ hasText: theme })
        .waitFor();
      await input.press('Enter');
      await editor.page.locator(`.monaco-workbench.${kind}`).waitFor();
      await editor.page.waitForTimeout(500);
      await shot(`theme-${name}`);
    }
    expect(foreign).toEqual([]);
  });
});
