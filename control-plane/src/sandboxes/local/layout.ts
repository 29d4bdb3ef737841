import { inside } from './places.ts';

/** What the layout must know of the host. */
export interface HostView {
  /** `/bin`, `/lib64`, …: where a link leads, or null for a folder of its own. Absent ones are left out. */
  roots: Readonly<Record<string, string | null>>;
  /** Files below /proc that exist here and tell of the host. */
  masks: readonly string[];
  /** `--disable-userns` is offered. */
  disableUserns: boolean;
}
export const rootFolders = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'] as const;
export const maskedFiles = [
  '/proc/cmdline',
  '/proc/version',
  '/proc/keys',
  '/proc/key-users',
  '/proc/kallsyms',
  '/proc/timer_list',
  '/proc/kcore',
  '/proc/sysrq-trigger',
] as const;

export interface Layout {
  workspace: string;
  home: string;
  run: string;
  node: string;
  agentd: string;
  agents: readonly { name: string; hostPath: string }[];
  env: Readonly<Record<string, string>>;
  tmpBytes: number;
  machineId: string;
}
/** An argument of bwrap; `data` becomes a descriptor from which it is read. */
export type Argument = string | { data: string };

/** Of /etc only this exists: no shadow, no ssh, no gitconfig, no apt, nothing that names the host. */
const etcFiles = [
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'alternatives',
  'ssl/certs',
  'ssl/openssl.cnf',
  'ca-certificates.conf',
  'pki/tls/certs',
  'pki/ca-trust/extracted',
  'localtime',
  'timezone',
  'nsswitch.conf',
  'protocols',
  'services',
  'mime.types',
  'inputrc',
  'bash.bashrc',
  'profile',
  'terminfo',
  'gai.conf',
  'host.conf',
  'debian_version',
  'os-release',
  'perl',
  'manpath.config',
];
const passwd = `root:x:0:0:root:/root:/usr/sbin/nologin
agent:x:1000:1000:agent:${inside.home}:/bin/bash
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`;
const group = `root:x:0:
tty:x:5:
agent:x:1000:
nogroup:x:65534:
`;
const hosts = '127.0.0.1 localhost berth\n::1 localhost berth\n';
const sizes = { shm: 256 * 2 ** 20, run: 16 * 2 ** 20 } as const;

/** Pure. `--perms` and `--size` hold for the next option only. */
function tmpfs(at: string, sizeBytes: number, perms: string): string[] {
  return ['--size', String(sizeBytes), '--perms', perms, '--tmpfs', at];
}

/** Pure. The arguments of bwrap: an allow list of what exists, from nothing. */
export function bwrapArguments(layout: Layout, host: HostView): Argument[] {
  const args: Argument[] = [
    '--unshare-user',
    '--unshare-ipc',
    '--unshare-pid',
    '--unshare-net',
    '--unshare-uts',
    '--unshare-cgroup-try',
    '--cap-drop',
    'ALL',
    '--uid',
    '1000',
    '--gid',
    '1000',
    '--hostname',
    'berth',
    '--clearenv',
  ];
  if (host.disableUserns) args.push('--disable-userns');
  args.push('--ro-bind', '/usr', '/usr');
  for (const [folder, target] of Object.entries(host.roots))
    if (target === null) args.push('--ro-bind', folder, folder);
    else args.push('--symlink', target, folder);
  args.push('--perms', '0755', '--dir', '/etc');
  for (const file of etcFiles) args.push('--ro-bind-try', `/etc/${file}`, `/etc/${file}`);
  const made = {
    passwd,
    group,
    hosts,
    hostname: 'berth\n',
    'resolv.conf': '',
    'machine-id': `${layout.machineId}\n`,
  };
  for (const [name, text] of Object.entries(made))
    args.push('--perms', '0644', '--ro-bind-data', { data: text }, `/etc/${name}`);
  // Sysctl files look at the global uid, not at capabilities: read-only, whoever runs us.
  args.push('--proc', '/proc', '--ro-bind', '/proc/sys', '/proc/sys');
  for (const file of host.masks) args.push('--ro-bind', '/dev/null', file);
  args.push(
    '--dev',
    '/dev',
    ...tmpfs('/dev/shm', sizes.shm, '1777'),
    ...tmpfs('/tmp', layout.tmpBytes, '1777'),
    ...tmpfs('/run', sizes.run, '0755'),
  );
  args.push('--perms', '0755', '--dir', '/var', '--symlink', '../run', '/var/run');
  args.push('--symlink', '../tmp', '/var/tmp');
  // The folder, not the sockets: a new runner makes new ones, and a bound file would lead to the dead one for ever.
  args.push('--ro-bind', layout.run, inside.run);
  args.push('--bind', layout.workspace, inside.workspace, '--bind', layout.home, inside.home);
  args.push('--ro-bind', layout.node, inside.node, '--ro-bind', layout.agentd, inside.agentd);
  args.push('--perms', '0755', '--dir', inside.agents);
  for (const { name, hostPath } of layout.agents)
    args.push('--ro-bind', hostPath, `${inside.agents}/${name}`);
  for (const [name, value] of Object.entries(layout.env)) args.push('--setenv', name, value);
  // bwrap's /dev is a tmpfs without a limit. What is mounted in it stays as it is.
  args.push('--remount-ro', '/dev');
  args.push('--remount-ro', '/', '--chdir', inside.workspace);
  return args;
}
