import type { RequestPermissionRequest } from '@agentclientprotocol/sdk';
import { optionKinds, type ApprovalOption } from '@berth/contract';
import { cut, storable } from './content.ts';
import { isFields } from './tool.ts';

type Fact = { label: string; value: string };
const filesMax = 20;

/** Pure. What a person must know to answer an agent's question. */
export function approvalOf(request: RequestPermissionRequest): {
  toolCallId: string;
  title: string;
  facts: Fact[];
  options: ApprovalOption[];
} {
  const { toolCall } = request;
  const facts: Fact[] = [];
  const input = isFields(toolCall.rawInput) ? toolCall.rawInput : {};
  const command = input['command'] ?? input['cmd'];
  const commandText = Array.isArray(command) ? command.map(String).join(' ') : command;
  if (typeof commandText === 'string' && commandText !== '')
    facts.push({ label: 'command', value: cut(commandText, 8000) });
  const folder = input['cwd'] ?? input['workdir'] ?? input['directory'];
  if (typeof folder === 'string' && folder !== '')
    facts.push({ label: 'folder', value: cut(folder, 1000) });
  const files = new Set<string>();
  for (const { path } of toolCall.locations ?? []) files.add(path);
  for (const part of toolCall.content ?? []) if (part.type === 'diff') files.add(part.path);
  const listed = [...files].slice(0, filesMax);
  if (listed.length > 0)
    facts.push({
      label: listed.length === 1 ? 'file' : 'files',
      value: cut(listed.join('\n'), 8000),
    });
  return {
    toolCallId: toolCall.toolCallId,
    title: cut(toolCall.title ?? toolCall.name ?? toolCall.kind ?? 'The agent asks', 1000),
    facts,
    options: request.options.map(({ optionId, name, kind }) => ({
      optionId,
      name: storable(name),
      kind: optionKinds.find((one) => one === kind) ?? 'reject_once',
    })),
  };
}
