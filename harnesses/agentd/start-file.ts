import { readdirSync, readFileSync } from 'node:fs';
import { agentdVersion, type AgentdStart } from './protocol.ts';
import { parseRequest } from './request.ts';

/** What is to be started before anybody comes; null: nothing, as in most sandboxes. A runner that gets no process from us starts one. */
export function readStart(
  file: string,
  workspace: string,
  log: (line: string) => void,
): AgentdStart | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null; // none was left here, or it was taken away meanwhile
  }
  const why = fault(text);
  if (why !== null) log(`start file: ${why}`);
  // What the agent makes must be seen to be its own: with files here, the runner looks first.
  if (why !== null || readdirSync(workspace).length > 0) return null;
  return JSON.parse(text) as AgentdStart;
}

function fault(text: string): string | null {
  let start: Partial<AgentdStart> | null;
  try {
    start = JSON.parse(text) as Partial<AgentdStart> | null;
  } catch {
    return 'not JSON';
  }
  if (start?.version !== agentdVersion) return 'of another version';
  const { ports, files, spawn, id } = start;
  if (!Number.isSafeInteger(id)) return 'no id';
  for (const request of [
    { op: 'hello', version: agentdVersion, ports, adopt: {} },
    { op: 'put-files', files },
    { op: 'spawn', ...spawn },
  ]) {
    const parsed = parseRequest(Buffer.from(JSON.stringify(request)));
    if (parsed.kind === 'malformed') return parsed.detail;
  }
  return null;
}
