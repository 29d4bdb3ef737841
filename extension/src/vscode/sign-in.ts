import { createClient, explain, type Fetch } from '@berth/client';
import * as vscode from 'vscode';
import { isPlainHttp, readServerUrl } from '../common/addresses.ts';
import type { Hub, Target } from '../common/hub.ts';
import { findServer } from '../node/find-server.ts';
import { settings } from './settings.ts';

const chosenKey = 'berth.server';
const tokenKey = (url: string) => `berth.token:${url}`;

export interface SignIn {
  readonly find: () => Promise<Target | null>;
  /** Asks which server and, where this machine does not know it, for a token. False: called off. */
  connect(suggested?: string): Promise<boolean>;
  /** A token for the server that is in use. */
  signIn(): Promise<boolean>;
  /** Forgets the server that was chosen and the token of it. */
  disconnect(): Promise<void>;
}

/** Server and token: the settings, what was chosen here, what this machine knows. Tokens live in the secret store, one key a server. */
export function createSignIn(options: {
  context: vscode.ExtensionContext;
  fetch: Fetch;
  hub: () => Hub;
  beforeDialog: () => Promise<void>;
}): SignIn {
  const { context } = options;
  const { secrets, globalState, subscriptions } = context;
  const tokenOf = async (url: string) => secrets.get(tokenKey(url));
  const chosen = (): string | null => {
    const configured = readServerUrl(settings.serverUrl());
    return configured ?? globalState.get<string>(chosenKey) ?? null;
  };
  // Another window signed in or out.
  subscriptions.push(
    secrets.onDidChange(({ key }) => {
      if (key.startsWith('berth.token:')) options.hub().look();
    }),
  );

  const find = () => findServer({ url: chosen(), tokenOf, env: process.env });

  /** Null: it is accepted; else what is wrong, for the person. */
  async function check(url: string, token: string): Promise<string | null> {
    const client = createClient({ url, token: () => token, fetch: options.fetch });
    try {
      await client.me({ signal: AbortSignal.timeout(10_000) });
      return null;
    } catch (error) {
      return explain(error);
    }
  }

  async function askToken(url: string): Promise<boolean> {
    await options.beforeDialog();
    const token = await vscode.window.showInputBox({
      title: vscode.l10n.t('Sign In to {0}', new URL(url).host),
      prompt: vscode.l10n.t(
        'A token of this server. Make one there with `berth login`, or in its dashboard.',
      ),
      placeHolder: 'berth_…',
      password: true,
      ignoreFocusOut: true,
      validateInput: (text) =>
        text === '' || /^berth_[A-Za-z0-9-]+_[A-Za-z0-9_-]+$/.test(text.trim())
          ? null
          : vscode.l10n.t('A token begins with berth_ and has no spaces.'),
    });
    if (token === undefined || token.trim() === '') return false;
    const refused = await check(url, token.trim());
    if (refused !== null) {
      const again = vscode.l10n.t('Try Again');
      const answer = await vscode.window.showErrorMessage(refused, again);
      return answer === again ? askToken(url) : false;
    }
    await secrets.store(tokenKey(url), token.trim());
    return true;
  }

  async function connect(suggested?: string): Promise<boolean> {
    await options.beforeDialog();
    const typed = await vscode.window.showInputBox({
      title: vscode.l10n.t('Connect to a Berth Server'),
      prompt: vscode.l10n.t('Its address, such as berth.example.com'),
      value: suggested ?? chosen() ?? 'http://127.0.0.1:3000',
      ignoreFocusOut: true,
      validateInput: (text) =>
        readServerUrl(text) === null
          ? vscode.l10n.t('Only the address: berth.example.com or http://127.0.0.1:3000')
          : null,
    });
    const url = readServerUrl(typed ?? '');
    if (url === null) return false;
    if (isPlainHttp(url)) {
      const go = vscode.l10n.t('Connect Anyway');
      const answer = await vscode.window.showWarningMessage(
        vscode.l10n.t('{0} is not encrypted.', url),
        {
          modal: true,
          detail: vscode.l10n.t('Everybody between here and there can read your token and use it.'),
        },
        go,
      );
      if (answer !== go) return false;
    }
    const known = await findServer({ url, tokenOf, env: process.env });
    if (known?.token === undefined && !(await askToken(url))) return false;
    await globalState.update(chosenKey, url);
    options.hub().look();
    return true;
  }

  return {
    find,
    connect,
    async signIn() {
      const { server } = options.hub().state.get();
      if (!('url' in server) || server.url === null) return connect();
      const signedIn = await askToken(server.url);
      if (signedIn) options.hub().look();
      return signedIn;
    },
    async disconnect() {
      const { server } = options.hub().state.get();
      if ('url' in server && server.url !== null) await secrets.delete(tokenKey(server.url));
      await globalState.update(chosenKey, undefined);
      options.hub().disconnect();
    },
  };
}
