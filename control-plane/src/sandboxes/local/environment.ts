import { loopback } from './places.ts';
import type { SandboxLimits } from '../driver.ts';

const proxy = `http://127.0.0.1:${String(loopback.egress)}`;
const direct = 'localhost,127.0.0.1,::1';

/** Settings of git by environment: no file of ours in the home folder, and nothing a repository says can undo them. */
const gitSettings: readonly (readonly [string, string])[] = [
  // The workspace may belong to another uid when it was unpacked by somebody else.
  ['safe.directory', '*'],
  // Only HTTPS leaves the sandbox, by the egress proxy.
  ['url.https://github.com/.insteadOf', 'git@github.com:'],
  ['url.https://github.com/.insteadOf', 'ssh://git@github.com/'],
];

/** V8 sees the host's memory, not the limit: without this the kernel kills before garbage is collected. */
const heapShare = 0.6;

/** Pure. What every process in a sandbox starts with; the specification's own variables win. */
export function sandboxEnvironment(
  own: Readonly<Record<string, string>>,
  limits: SandboxLimits,
  home = '/home/agent',
  searchPath = '/opt/node/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
): Record<string, string> {
  const env: Record<string, string> = {
    HOME: home,
    USER: 'agent',
    LOGNAME: 'agent',
    SHELL: '/bin/bash',
    PATH: searchPath,
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    NODE_USE_ENV_PROXY: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_COUNT: String(gitSettings.length),
  };
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY']) {
    env[name] = proxy;
    env[name.toLowerCase()] = proxy;
  }
  env['NO_PROXY'] = direct;
  env['no_proxy'] = direct;
  for (const [index, [key, value]] of gitSettings.entries()) {
    env[`GIT_CONFIG_KEY_${String(index)}`] = key;
    env[`GIT_CONFIG_VALUE_${String(index)}`] = value;
  }
  if (limits.memoryBytes !== undefined)
    env['NODE_OPTIONS'] =
      `--max-old-space-size=${String(Math.max(64, Math.floor((limits.memoryBytes * heapShare) / 2 ** 20)))}`;
  return { ...env, ...own };
}
