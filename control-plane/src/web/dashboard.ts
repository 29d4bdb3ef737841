import { randomBytes } from 'node:crypto';
import type { Express, Request, Response } from 'express';
import express from 'express';
import type { Identity } from '../identity/index.ts';
import type { Auth } from './auth.ts';
import { cookieName } from './auth.ts';
import { contextOf } from './context.ts';
import type { Hosts } from './hosts.ts';
import { Problem } from '@berth/contract';

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#3794ff" stroke-width="2"><path d="M3 4v12a4 4 0 0 0 4 4h10a4 4 0 0 0 4-4V4"/><rect x="8.5" y="8" width="7" height="7" rx="1"/></svg>';

const page = (title: string, head: string, body: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(icon)}">
${head}
</head>
${body}
</html>
`;
const app = (nonce: string) =>
  page(
    'Berth',
    `<link rel="stylesheet" href="/assets/theme.css">
<link rel="stylesheet" href="/assets/app.css">`,
    `<body data-berth-host="browser">
<div id="app"></div>
<script type="module" nonce="${nonce}" src="/assets/app.js"></script>
</body>`,
  );
const plain = (nonce: string, title: string, text: string) =>
  page(
    `Berth: ${title}`,
    `<style nonce="${nonce}">
body { font: 15px/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 34rem; padding: 0 1rem; color-scheme: light dark; }
code { font: 13px ui-monospace, monospace; }
</style>`,
    `<body>
<h1>${title}</h1>
${text}
</body>`,
  );
const howToSignIn = `<p>This browser signs in by a link that works once. Get one on the machine where Berth runs:</p>
<p><code>berth open</code></p>
<p>or from VS Code by the command <em>Berth: Open in Browser</em>. <code>npm start</code> prints one, too.</p>`;

/** The component library puts an empty style element into the page, to ask the browser what it can: exactly that one is allowed. */
const emptyStyle = 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';

function send(response: Response, status: number, html: (nonce: string) => string): void {
  const nonce = randomBytes(16).toString('base64');
  const host = response.req.headers.host ?? '';
  response.setHeader(
    'Content-Security-Policy',
    [
      `default-src 'none'`,
      `script-src 'nonce-${nonce}'`,
      `style-src 'self' 'nonce-${nonce}' '${emptyStyle}'`,
      // The terminal draws true colours as style attributes; they cannot load or run anything here.
      `style-src-attr 'unsafe-inline'`,
      `img-src 'self' data: blob:`,
      `font-src 'self' data:`,
      // Older Safari does not take 'self' for sockets. The host was found to be ours.
      `connect-src 'self' ws://${host} wss://${host}`,
      `base-uri 'none'`,
      `form-action 'none'`,
      `frame-ancestors 'none'`,
    ].join('; '),
  );
  response.setHeader('Cache-Control', 'no-store');
  response.status(status).type('html').send(html(nonce));
}

/** The same webview as in the editor, for a browser. These pages are no part of the API. */
export function mountDashboard(
  server: Express,
  {
    auth,
    identity,
    hosts,
    webviewDir,
  }: { auth: Auth; identity: Identity; hosts: Hosts; webviewDir: string },
): void {
  const pages = {
    '/': async (request: Request, response: Response) => {
      contextOf(request).route = '/';
      if ((await auth.browser(request)) !== null) send(response, 200, app);
      else send(response, 401, (nonce) => plain(nonce, 'Not signed in', howToSignIn));
    },
    '/sign-in/:secret': async (request: Request, response: Response) => {
      contextOf(request).route = '/sign-in/{secret}';
      const { secret } = request.params;
      const session = typeof secret === 'string' ? await identity.signIn(secret) : null;
      if (session === null) {
        try {
          await auth.failed(request, 'This link was used, or is too old.');
        } catch (error) {
          if (!(error instanceof Problem) || error.code !== 'not-signed-in') throw error;
        }
        send(response, 401, (nonce) => plain(nonce, 'This link no longer works', howToSignIn));
        return;
      }
      const secure = new URL(hosts.baseUrl(request.headers.host)).protocol === 'https:';
      response.cookie(cookieName, session.cookie, {
        httpOnly: true,
        sameSite: 'lax',
        path: '/',
        maxAge: session.lifeMs,
        secure,
      });
      response.setHeader('Cache-Control', 'no-store');
      response.redirect(303, session.path);
    },
    // Addresses that people type or shorten; the dashboard keeps its own behind `#`.
    ...Object.fromEntries(
      ['/sessions', '/sessions/:id', '/approvals', '/agents', '/agents/:id'].map((path) => [
        path,
        (request: Request, response: Response) => {
          contextOf(request).route = path;
          response.redirect(303, `/#${request.path}`);
        },
      ]),
    ),
  };
  for (const [path, handler] of Object.entries(pages)) server.get(path, handler);

  const files = express.static(webviewDir, { index: false, redirect: false, etag: true });
  server.use('/assets', (request, response, next) => {
    contextOf(request).route = '/assets';
    response.setHeader('Cache-Control', 'no-cache');
    files(request, response, next);
  });
}
