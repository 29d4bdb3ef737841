/** Who may be reached. Pure. Default deny: what no entry of the agent's list covers is refused. */
export interface EgressPolicy {
  readonly sessionId: string;
  readonly teamId: string;
  /** SHA-256 of the session's egress token, base64. */
  readonly tokenHash: string;
  /** `host` or `*.host`, as `contract` has checked them. */
  readonly allow: readonly string[];
}

/**
 * The one spelling that hosts are compared in: lower case, ASCII (punycode), no dot at the end.
 * Null: not a host name. IP literals are not names: an allow list of names cannot cover them.
 */
export function normaliseHost(text: string): string | null {
  const bare = text.endsWith('.') ? text.slice(0, -1) : text;
  if (bare.length === 0 || bare.length > 253 || /[\s/@\\?#%:[\]]/.test(bare)) return null;
  let name: string;
  try {
    name = new URL(`https://${bare}/`).hostname;
  } catch {
    return null;
  }
  // The URL parser turns every spelling of an IPv4 address (decimal, octal, hex) into dotted form.
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return null;
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) ? name : null;
}

export function covers(entry: string, host: string): boolean {
  const wanted = entry.toLowerCase().replace(/\.$/, '');
  if (!wanted.startsWith('*.')) return wanted === host;
  // `*.example.com` covers sub-domains at any depth, not `example.com` itself.
  return host.endsWith(wanted.slice(1)) && host.length > wanted.length - 1;
}

export type Verdict =
  | { kind: 'allowed'; host: string; port: number }
  | { kind: 'denied'; host: string; port: number; reason: string };

/** `authority` is the target of a CONNECT: `host:port`. `ports`: which an operator opened besides 443. */
export function judge(
  policy: EgressPolicy,
  authority: string,
  ports: ReadonlySet<number>,
): Verdict {
  const split = /^(.*):(\d{1,5})$/.exec(authority);
  const port = Number(split?.[2] ?? 0);
  const host = normaliseHost(split?.[1] ?? '');
  const shown = host ?? (split?.[1] ?? authority).slice(0, 253);
  const denied = (reason: string): Verdict => ({ kind: 'denied', host: shown, port, reason });
  if (host === null) return denied('not a host name');
  if (!policy.allow.some((entry) => covers(entry, host)))
    return denied(`${host} is not on the egress list`);
  if (port !== 443 && !ports.has(port)) return denied(`port ${String(port)} is not open`);
  return { kind: 'allowed', host, port };
}
