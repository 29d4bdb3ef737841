import { codeOf, explain } from '@berth/client';
import type { Agent, Session } from '@berth/contract';
import * as vscode from 'vscode';
import type { Hub, Link } from '../common/hub.ts';
import {
  agentChoices,
  codeChoices,
  repositoryName,
  type CodeChoice,
} from '../common/new-session.ts';
import { byteSize, count } from '@berth/client/words';
import { git, isRepository } from '../node/git.ts';
import { listFolder, packBytesMax, packFolder, type Folder } from '../node/pack.ts';
import { newAgent } from './new-agent-flow.ts';
import { settings } from './settings.ts';
import { inputStep, pickStep } from './steps.ts';

const uploadRetryMs = 500;
const uploadAttemptsMax = 240;

interface Choice {
  agent: Agent | null;
  code: CodeChoice | null;
  folder: Folder | null;
  message: string;
}

/** Agent, code, first message: three steps with a way back. Null: called off. */
export async function newSession(options: {
  hub: Hub;
  link: Link;
  agentId: string | undefined;
  message: string;
  onError: (what: string, error: unknown) => void;
}): Promise<Session | null> {
  const { hub, link } = options;
  // Agents are made in the browser and by the command line too.
  await hub.refresh().catch((error: unknown) => options.onError('agents', error));
  const state = hub.state.get();
  const title = vscode.l10n.t('New Session');
  const known = state.agents.find(({ id }) => id === options.agentId) ?? null;
  const choice: Choice = { agent: known, code: null, folder: null, message: options.message };
  const first = known ? 2 : 1;
  for (let step = first; step <= 3;) {
    const common = { title, step: step - first + 1, totalSteps: 4 - first };
    if (step === 1) {
      const answer = await pickStep({
        ...common,
        title: vscode.l10n.t('{0}: Agent', title),
        placeholder: vscode.l10n.t('Which agent should do it?'),
        items: agentItems(hub),
      });
      if (answer.kind !== 'value') return null;
      choice.agent = answer.value.agent ?? (await newAgent({ hub, link }));
      if (!choice.agent) return null;
    } else if (step === 2 && choice.agent) {
      const answer = await pickStep({
        ...common,
        title: vscode.l10n.t('{0}: Code', title),
        placeholder: vscode.l10n.t('Which code should it work on?'),
        items: await codeItems(choice.agent),
      });
      if (answer.kind === 'cancelled') return null;
      if (answer.kind === 'back') {
        step -= 1;
        continue;
      }
      choice.code = answer.value.code;
      if (choice.code === 'folder') {
        choice.folder = await readFolder();
        if (choice.folder === null) continue;
      }
    } else {
      const answer = await inputStep({
        ...common,
        title: vscode.l10n.t('{0}: First Message', title),
        placeholder: vscode.l10n.t('What should the agent do?'),
        prompt: vscode.l10n.t('Without a message the chat just opens.'),
        value: choice.message,
      });
      if (answer.kind === 'cancelled') return null;
      if (answer.kind === 'back') {
        step -= 1;
        continue;
      }
      choice.message = answer.value;
    }
    step += 1;
  }
  if (!choice.agent) return null;
  const text = choice.message.trim();
  const session = await link.client.sessions.create({
    agentId: choice.agent.id,
    ...(text === ''
      ? {}
      : { prompt: [{ type: 'text' as const, text }], turnId: link.client.newId() }),
    ...(choice.folder ? { awaitArchive: true } : {}),
  });
  if (choice.folder)
    upload(link, session, choice.folder).catch((error: unknown) =>
      options.onError('upload', error),
    );
  return session;
}

function agentItems(hub: Hub): (vscode.QuickPickItem & { agent: Agent | null })[] {
  const { agents, harnesses, sessions } = hub.state.get();
  const choices = agentChoices({
    agents,
    harnesses,
    sessions: sessions.values(),
    defaultAgent: settings.defaultAgent(),
  });
  const items = choices.map(({ agent, icon, description, detail }) => ({
    agent,
    label: agent.name,
    iconPath: new vscode.ThemeIcon(icon),
    description,
    detail,
  }));
  const used = choices.filter(({ usedLast }) => usedLast).length;
  const line = (label: string) => ({
    agent: null,
    label,
    kind: vscode.QuickPickItemKind.Separator,
  });
  return [
    ...(used > 0 ? [line(vscode.l10n.t('used last'))] : []),
    ...items.slice(0, used),
    ...(used > 0 && used < items.length ? [line(vscode.l10n.t('all agents'))] : []),
    ...items.slice(used),
    line(''),
    { agent: null, label: vscode.l10n.t('New agent…'), iconPath: new vscode.ThemeIcon('add') },
  ];
}

async function codeItems(agent: Agent): Promise<(vscode.QuickPickItem & { code: CodeChoice })[]> {
  const folder = vscode.workspace.workspaceFolders?.find(({ uri }) => uri.scheme === 'file');
  return Promise.all(
    codeChoices(agent, folder !== undefined).map(async (code) => {
      switch (code) {
        case 'repository':
          return {
            code,
            label: repositoryName(agent) ?? '',
            description: agent.repository?.ref ?? '',
            detail: vscode.l10n.t('A fresh clone in the sandbox'),
            iconPath: new vscode.ThemeIcon('repo'),
          };
        case 'folder':
          return {
            code,
            label: vscode.l10n.t('This folder: {0}', folder?.name ?? ''),
            description: folder ? await branchOf(folder.uri.fsPath) : '',
            detail: vscode.l10n.t('A copy goes in; your folder stays as it is'),
            iconPath: new vscode.ThemeIcon('folder-active'),
          };
        case 'empty':
          return {
            code,
            label: vscode.l10n.t('Nothing'),
            description: '',
            detail: vscode.l10n.t('Start with an empty folder'),
            iconPath: new vscode.ThemeIcon('circle-slash'),
          };
      }
    }),
  );
}

async function branchOf(path: string): Promise<string> {
  if (!(await isRepository(path))) return '';
  const branch = (await git(path, ['branch', '--show-current']))?.stdout.toString().trim() ?? '';
  const status = (await git(path, ['status', '--porcelain']))?.stdout.toString() ?? '';
  const changed = status.split('\n').filter((line) => line !== '').length;
  const uncommitted = changed > 0 ? count(changed, 'uncommitted file') : '';
  return [branch, uncommitted].filter((part) => part !== '').join(', ');
}

/** Null: it cannot go in, and the person was told why. */
async function readFolder(): Promise<Folder | null> {
  const folder = vscode.workspace.workspaceFolders?.find(({ uri }) => uri.scheme === 'file');
  if (!folder) return null;
  const found = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Reading {0}', folder.name) },
    () => listFolder(folder.uri.fsPath, AbortSignal.timeout(60_000)),
  );
  if (found.sizeBytes <= packBytesMax) return found;
  await vscode.window.showErrorMessage(
    vscode.l10n.t(
      'This folder is {0} without its ignored files. The limit is {1}.',
      byteSize(found.sizeBytes),
      byteSize(packBytesMax),
    ),
  );
  return null;
}

/** The sandbox may still be starting: the copy waits for it, with an end. */
async function upload(link: Link, session: Session, folder: Folder): Promise<void> {
  await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t(
        'Copying {0} into the sandbox when it is there',
        byteSize(folder.sizeBytes),
      ),
      cancellable: true,
    },
    async (progress, cancel) => {
      const abort = new AbortController();
      cancel.onCancellationRequested(() => abort.abort());
      const { signal } = abort;
      let told = 0;
      const onBytes = (done: number): void => {
        const percent = Math.floor((done / Math.max(folder.sizeBytes, 1)) * 100);
        if (percent > told) progress.report({ increment: percent - told });
        told = Math.max(told, percent);
      };
      try {
        for (let attempt = 0; ; attempt += 1) {
          try {
            const bytes = packFolder(folder, { signal, onBytes });
            await link.client.files.archive(session.id, bytes, { signal });
            return;
          } catch (error) {
            const code = codeOf(error);
            const early = code === 'sandbox-not-ready' || code === 'runner-unreachable';
            if (!early || signal.aborted) throw error;
            // An agent that is fetched at its first use takes as long as the line does: while that goes on, so does the wait.
            const { status } = await link.client.sessions.get(session.id, { signal });
            if (status !== 'starting' && attempt >= uploadAttemptsMax) throw error;
            await new Promise((resolve) => setTimeout(resolve, uploadRetryMs));
          }
        }
      } catch (error) {
        await notCopied(link, session, folder, signal.aborted ? null : explain(error));
      }
    },
  );
}

/** The agent waits for its code: the person says how it goes on. */
async function notCopied(
  link: Link,
  session: Session,
  folder: Folder,
  why: string | null,
): Promise<void> {
  const again = vscode.l10n.t('Try Again');
  const remove = vscode.l10n.t('Delete the Session');
  const answer = await vscode.window.showErrorMessage(
    why === null
      ? vscode.l10n.t('The folder was not copied. The agent waits for it.')
      : vscode.l10n.t('The folder was not copied: {0}', why),
    again,
    remove,
  );
  if (answer === again) await upload(link, session, folder);
  else if (answer === remove) await link.client.sessions.remove(session.id);
}
