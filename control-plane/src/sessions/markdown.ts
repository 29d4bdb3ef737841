import { parseEvent, plainText, type Event, type Session } from '@berth/contract';
import type { EventReader } from './log/replay.ts';
import { limits } from './log/limits.ts';

/** The conversation as a person reads it: who said what, what was done, what was asked. A piece for each page of the log. */
export async function* exportMarkdown(
  session: Session,
  reader: Pick<EventReader, 'after'>,
): AsyncGenerator<string, void> {
  yield `# ${session.title}\n\n${session.agentName} · ${session.createdAt}\n`;
  const tools = new Map<string, string>();
  for (let after = 0; ;) {
    const page = await reader.after(session.id, after, limits.pageRows);
    const parts: string[] = [];
    for (const { json } of page) {
      const event = parseEvent(JSON.parse(json));
      const text = event === null ? null : section(event, tools);
      if (text !== null) parts.push(`\n${text}\n`);
    }
    yield parts.join('');
    const last = page.at(-1);
    if (last === undefined || page.length < limits.pageRows) break;
    after = last.seq;
  }
}

const quoted = (text: string): string => text.replaceAll(/^/gm, '> ');
/** A fence that no run of backticks in the text can close. */
function fenced(text: string): string {
  const longest = [...text.matchAll(/`+/g)].reduce((max, [run]) => Math.max(max, run.length), 2);
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

function section(event: Event, tools: Map<string, string>): string | null {
  switch (event.kind) {
    case 'message.user': {
      const { by, via } = event.payload;
      const author = by?.name ?? (via === 'terminal' ? 'In the terminal' : 'Person');
      return `## ${author}\n\n${plainText(event.payload.content)}`;
    }
    case 'message':
      return `## Agent\n\n${plainText(event.payload.content)}`;
    case 'thought':
      return quoted(plainText(event.payload.content));
    case 'tool': {
      const { toolCallId, title, status, output } = event.payload;
      if (title !== undefined) tools.set(toolCallId, title);
      if (status !== 'completed' && status !== 'failed' && status !== 'interrupted') return null;
      const head = `**${tools.get(toolCallId) ?? 'Tool'}** (${status})`;
      if (output === undefined) return head;
      return 'text' in output
        ? `${head}\n\n${fenced(output.text)}`
        : `${head}, ${String(output.bytes)} bytes of output: \`GET /api/v1/sessions/${event.sessionId}/blobs/${output.blobId}\``;
    }
    case 'approval.requested':
      return `**Asked:** ${event.payload.title}`;
    case 'approval.resolved': {
      const { state, optionId, by } = event.payload;
      return `**Answered:** ${optionId ?? state}${by === undefined ? '' : ` (${by.name})`}`;
    }
    case 'turn.ended': {
      const { state, error } = event.payload;
      return state === 'done'
        ? null
        : `*${state}${error === undefined ? '' : `: ${error.detail}`}*`;
    }
    case 'notice':
      return `*${event.payload.text}*`;
    case 'error':
      return `*Error: ${event.payload.detail}*`;
    case 'session.status':
    case 'sandbox.phase':
    case 'turn.queued':
    case 'turn.started':
    case 'message.delta':
    case 'thought.delta':
    case 'plan':
    case 'commands':
    case 'mode':
    case 'usage':
    case 'terminal.opened':
    case 'terminal.closed':
      return null;
  }
}
