/** Pure: which hosts are ours, and which origins may act with a browser's cookie. */
export interface Hosts {
  ours(host: string | undefined): boolean;
  /** The address may also be ours by number: for probes, which say nothing secret. */
  probe(host: string | undefined): boolean;
  origin(origin: string | undefined, host: string | undefined): boolean;
  baseUrl(host: string | undefined): string;
}

const hostForm = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?$/;
const nameOf = (host: string | undefined): string | null =>
  hostForm.exec((host ?? '').toLowerCase())?.[1] ?? null;
const isLoopback = (name: string): boolean =>
  name === 'localhost' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);
const isAddress = (name: string): boolean =>
  name.startsWith('[') || /^\d{1,3}(\.\d{1,3}){3}$/.test(name);

export function createHosts({
  publicUrl,
  listenHost,
  replicaUrl,
}: {
  publicUrl?: string | undefined;
  listenHost?: string | undefined;
  /** Where other processes of the control plane reach this one. */
  replicaUrl?: string | undefined;
}): Hosts {
  const inside = replicaUrl === undefined ? null : new URL(replicaUrl).hostname;
  const site = publicUrl === undefined ? null : new URL(publicUrl);
  const ours = (host: string | undefined): boolean => {
    const name = nameOf(host);
    if (name === null) return false;
    return [site?.hostname, listenHost?.toLowerCase(), inside].includes(name) || isLoopback(name);
  };
  return {
    ours,
    probe(host) {
      const name = nameOf(host);
      return name !== null && (ours(host) || isAddress(name));
    },
    // Exact: a page of another port of this machine is another site.
    origin(origin, host) {
      if (origin === undefined || !ours(host)) return false;
      return origin === site?.origin || origin === `http://${(host ?? '').toLowerCase()}`;
    },
    baseUrl: (host) => site?.href ?? `http://${host ?? 'localhost'}/`,
  };
}
