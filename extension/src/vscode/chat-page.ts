import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';

const escape = (text: string) => text.replaceAll(/[&<>"]/g, (c) => `&#${c.codePointAt(0) ?? 0};`);

/** The page of a chat: nothing from anywhere but the extension's own folder, and no connection to anywhere. */
export function chatPage(webview: vscode.Webview, folder: vscode.Uri, sessionId: string): string {
  const nonce = randomBytes(16).toString('base64');
  const file = (name: string) => webview.asWebviewUri(vscode.Uri.joinPath(folder, name)).toString();
  const policy = [
    `default-src 'none'`,
    `script-src 'nonce-${nonce}' ${webview.cspSource}`,
    // The component library writes its styles into the page.
    `style-src ${webview.cspSource} 'unsafe-inline'`,
    `font-src ${webview.cspSource}`,
    `img-src ${webview.cspSource} data: blob:`,
  ].join('; ');
  return `<!doctype html>
<html lang="${escape(vscode.env.language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${escape(policy)}">
<title>Berth</title>
<link rel="stylesheet" href="${file('app.css')}">
</head>
<body data-berth-host="vscode" data-session-id="${escape(sessionId)}">
<div id="app"></div>
<script type="module" nonce="${nonce}" src="${file('app.js')}"></script>
</body>
</html>`;
}
