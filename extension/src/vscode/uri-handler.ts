import * as vscode from 'vscode';
import { readLink } from '../common/addresses.ts';
import type { Log } from './log.ts';

/** Links from outside: they can show a session or suggest a server, and do nothing by themselves. */
export function registerLinks(log: Log): vscode.Disposable {
  return vscode.window.registerUriHandler({
    async handleUri(uri) {
      const link = readLink(uri);
      // The path only: what stands behind it may be somebody's secret.
      log.info(`link ${uri.path}${link === null ? ' is not known' : ''}`);
      if (link?.kind === 'session')
        await vscode.commands.executeCommand('berth.openSession', link.sessionId);
      else if (link?.kind === 'connect')
        await vscode.commands.executeCommand('berth.connect', link.url);
    },
  });
}
