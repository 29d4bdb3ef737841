import type { ToolKind } from '@berth/contract';
import type { ToolEntry } from './entries.ts';
import { inWorkspace } from './format.ts';

interface Look {
  icon: string;
  /** Waiting to …, doing, did. */
  verbs: readonly [string, string, string];
}
const looks: Record<ToolKind, Look> = {
  read: { icon: 'file', verbs: ['Waiting to read', 'Reading', 'Read'] },
  edit: { icon: 'edit', verbs: ['Waiting to edit', 'Editing', 'Edited'] },
  delete: { icon: 'trash', verbs: ['Waiting to delete', 'Deleting', 'Deleted'] },
  move: { icon: 'arrow-swap', verbs: ['Waiting to move', 'Moving', 'Moved'] },
  search: { icon: 'search', verbs: ['Waiting to search', 'Searching', 'Searched'] },
  execute: { icon: 'terminal', verbs: ['Waiting to run', 'Running', 'Ran'] },
  think: { icon: 'thinking', verbs: ['Waiting to think', 'Thinking', 'Thought'] },
  fetch: { icon: 'globe', verbs: ['Waiting to fetch', 'Fetching', 'Fetched'] },
  switch_mode: { icon: 'settings', verbs: ['Waiting to switch', 'Switching', 'Switched'] },
  other: { icon: 'tools', verbs: ['Waiting to use', 'Using', 'Used'] },
};

export interface ToolLook {
  readonly icon: string;
  readonly tone: 'running' | 'error' | 'off';
  readonly verb: string;
  readonly object: string;
  readonly spins: boolean;
}

const inputOf = (tool: ToolEntry): Record<string, unknown> =>
  typeof tool.rawInput === 'object' && tool.rawInput !== null
    ? (tool.rawInput as Record<string, unknown>)
    : {};
const word = (value: unknown): string | null =>
  typeof value === 'string' && value !== ''
    ? value
    : Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string')
      ? value.join(' ')
      : null;

/** What the tool works on: the command, the file, the pattern; else the agent's own title, without its verb. */
export function toolObject(tool: ToolEntry): string {
  const input = inputOf(tool);
  if (tool.tool === 'execute') {
    const command = word(input['command']) ?? word(input['cmd']);
    if (command) return command;
  }
  if (tool.tool === 'search') {
    const pattern = word(input['pattern']) ?? word(input['query']);
    if (pattern) return pattern;
  }
  if (tool.tool === 'fetch') {
    const url = word(input['url']);
    if (url) return url;
  }
  const path = tool.diff[0]?.path ?? tool.locations[0]?.path;
  if (path && tool.tool !== 'execute' && tool.tool !== 'other') return inWorkspace(path);
  const [, doing, did] = looks[tool.tool].verbs;
  const title = tool.title.replace(/^`(.*)`$/s, '$1');
  const verb = new RegExp(`^(${doing}|${did}|run|read|write|edit|search|fetch)\\s+`, 'i');
  return inWorkspace(title.replace(verb, '').replace(/^`(.*)`$/s, '$1')) || tool.toolCallId;
}

export function toolLook(tool: ToolEntry, connected: boolean): ToolLook {
  const { icon, verbs } = looks[tool.tool];
  const object = toolObject(tool);
  switch (tool.status) {
    case 'pending':
      return { icon: 'circle-large', tone: 'off', verb: verbs[0], object, spins: false };
    case 'running':
      return connected
        ? { icon: 'loading', tone: 'running', verb: verbs[1], object, spins: true }
        : {
            icon: 'circle-large',
            tone: 'off',
            verb: `Was ${verbs[1].toLowerCase()}`,
            object,
            spins: false,
          };
    case 'completed':
      return failedExit(tool)
        ? { icon: 'error', tone: 'error', verb: verbs[2], object, spins: false }
        : { icon, tone: 'off', verb: verbs[2], object, spins: false };
    case 'failed': {
      const verb =
        tool.tool === 'edit'
          ? 'Edit failed'
          : tool.tool === 'execute'
            ? 'Ran'
            : `${titleOf(tool.tool)} failed`;
      return { icon: 'error', tone: 'error', verb, object, spins: false };
    }
    case 'interrupted':
      return { icon: 'circle-slash', tone: 'off', verb: 'Interrupted', object, spins: false };
  }
}
export const failedExit = (tool: ToolEntry): boolean =>
  tool.exitCode !== undefined && tool.exitCode !== 0;
export const isFailed = (tool: ToolEntry): boolean => tool.status === 'failed' || failedExit(tool);

function titleOf(kind: ToolKind): string {
  const names: Partial<Record<ToolKind, string>> = { other: 'Tool', switch_mode: 'Mode switch' };
  return names[kind] ?? kind.charAt(0).toUpperCase() + kind.slice(1);
}
