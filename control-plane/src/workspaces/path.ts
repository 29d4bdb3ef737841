import { Problem } from '@berth/contract';

const root = '/workspace';

/**
 * Pure. The absolute path inside the sandbox. Takes what is relative to the workspace, or starts with it. agentd checks again with links resolved; this keeps
 * out what is wrong by its text alone.
 */
export function workspacePath(path: string): string {
  if (path.includes('\0')) throw outside('A path holds no NUL.');
  const inside = path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : path;
  // Any other absolute path names something outside, whatever it is.
  if (inside.startsWith('/') && inside === path && path !== '/')
    throw outside('The path is not in /workspace.');
  const parts = inside.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw outside('A path does not hold "..".');
  return [root, ...parts].join('/');
}

const outside = (detail: string): Problem => new Problem('outside-workspace', detail);
