/** `berth://<session>/<rev>/<path>`: a file of a session, as it was when the code came in (`base`) or as it is now (`current`). */
export interface FileAddress {
  readonly sessionId: string;
  readonly rev: 'base' | 'current';
  /** Below `/workspace`, without a slash in front. */
  readonly path: string;
}
export const fileScheme = 'berth';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What a `Uri` is made of; it escapes by itself. */
export const partsOf = ({ sessionId, rev, path }: FileAddress) => ({
  scheme: fileScheme,
  authority: sessionId,
  path: `/${rev}/${path}`,
});

/** Null: no address of ours, or one that leaves its workspace. */
export function readFileAddress(uri: {
  scheme: string;
  authority: string;
  path: string;
}): FileAddress | null {
  const sessionId = uri.authority.toLowerCase();
  const [, rev, ...rest] = uri.path.split('/');
  if (uri.scheme !== fileScheme || !uuid.test(sessionId)) return null;
  if (rev !== 'base' && rev !== 'current') return null;
  if (rest.some((part) => part === '..' || part === '.')) return null;
  return { sessionId, rev, path: rest.filter((part) => part !== '').join('/') };
}

/** The agent speaks of `/workspace/src/a.ts`, of `file:///workspace/src/a.ts`, or of `src/a.ts`. Null: a place outside its workspace. */
export function inWorkspace(path: string): string | null {
  const plainPath = path.replace(/^file:\/\//, '');
  const below = plainPath.startsWith('/')
    ? /^\/workspace(\/|$)/.test(plainPath)
      ? plainPath.slice('/workspace'.length)
      : null
    : plainPath;
  if (below === null) return null;
  const parts = below.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? null : parts.join('/');
}

export type Link =
  | { readonly kind: 'session'; readonly sessionId: string }
  | { readonly kind: 'connect'; readonly url: string };

/** `vscode://berth.berth/session/<id>` and `…/connect?url=<server>`. Nothing else, and never a token. */
export function readLink(uri: { path: string; query: string }): Link | null {
  const [, first, second] = uri.path.split('/');
  if (first === 'session' && second !== undefined && uuid.test(second.toLowerCase()))
    return { kind: 'session', sessionId: second.toLowerCase() };
  if (first !== 'connect') return null;
  const url = readServerUrl(new URLSearchParams(uri.query).get('url') ?? '');
  return url === null ? null : { kind: 'connect', url };
}

/** As a person types it: `berth.example.com` means https, an address of this machine http. Null: not an address. */
export function readServerUrl(text: string): string | null {
  const typed = text.trim().replace(/\/+$/, '');
  if (typed === '' || /\s/.test(typed)) return null;
  const local = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?(\/|$)/i.test(typed);
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(typed)
    ? typed
    : `${local ? 'http' : 'https'}://${typed}`;
  if (!URL.canParse(whole)) return null;
  const url = new URL(whole);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return null;
  return url.href.replace(/\/+$/, '');
}

/** The token of a server may cross plain http only on this machine. */
export function isPlainHttp(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !isThisMachine(hostname);
}
const isThisMachine = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');

/**
 * Where a browser finds a page of the server. `seen`: how the editor would send it there. VS Code in a browser turns an address of its own machine
 * into a path of its own (`/proxy/3000/…`), below which the page's own addresses lead nowhere. Is that editor seen at an address of this machine, the
 * server is too: by another spelling, which the editor leaves alone. Else null.
 */
export function browserWay(url: string, seen: string): string | null {
  if (!/^\/(abs)?proxy\/\d+\//.test(new URL(seen).pathname)) return url;
  if (!isThisMachine(new URL(seen).hostname)) return null;
  return url.replace(/^http:\/\/(localhost|127\.0\.0\.1)(?=[:/])/, 'http://127.1');
}
