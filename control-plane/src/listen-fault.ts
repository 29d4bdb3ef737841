import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Why this server cannot listen: one sentence that names the variable to change. What is no fault of the place comes back as it is. */
export function listenFault(
  error: unknown,
  { port, host }: { port: number; host: string },
  holderOf: (port: number) => string | undefined = portHolder,
): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const say = (text: string): Error => new Error(text, { cause: error });
  switch (code) {
    case 'EADDRINUSE': {
      const holder = holderOf(port);
      return say(
        `PORT: ${String(port)} on ${host} is in use${holder === undefined ? '' : ` by ${holder}`}: stop that, or set PORT (0 picks a free one)`,
      );
    }
    case 'EACCES':
      return say(
        `PORT: this user may not listen on ${String(port)}: set PORT to one from 1024 on, or 0`,
      );
    case 'EADDRNOTAVAIL':
      return say(`HOST: ${host} is no address of this machine`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return say(`HOST: the name ${host} is not known here`);
    default:
      return error;
  }
}

/** The sockets' inodes, from the text of /proc/net/tcp or tcp6, that listen on this port. */
export function listeningInodes(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    return state === '0A' && local.endsWith(`:${wanted}`) ? [inode] : [];
  });
}

/** The program that listens there, where this system tells: Linux, and processes that we may look at. */
function portHolder(port: number): string | undefined {
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listeningInodes(quietly(file), port)),
  );
  if (inodes.size === 0) return undefined;
  for (const pid of names('/proc').filter((name) => /^\d+$/.test(name)))
    for (const descriptor of names(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(target(`/proc/${pid}/fd/${descriptor}`))?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      const command = quietly(`/proc/${pid}/comm`).trim();
      return `${command === '' ? 'another program' : command} (process ${pid})`;
    }
  return undefined;
}

// Processes end while we look, and those of others are closed to us.
function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
const quietly = (file: string): string => attempt(() => readFileSync(file, 'utf8'), '');
const names = (folder: string): string[] => attempt(() => readdirSync(folder), []);
const target = (link: string): string => attempt(() => readlinkSync(link), '');
