import type { ContentBlock, PlanEntry } from '@agentclientprotocol/sdk';
import { script, text } from './content.ts';
import { harbour } from './png.ts';
import { parseScript, type Command } from './script.ts';
import { Cancelled, Failed, pause, type Stage } from './stage.ts';
import * as tools from './tools.ts';
import { expand } from './tour.ts';

/** Entries get done as later lines run, so that the last one is done with the last line. Pure. */
export function planEntries(
  entries: readonly string[],
  linesDone: number,
  linesAll: number,
): PlanEntry[] {
  const done =
    linesAll === 0 ? entries.length : Math.floor((linesDone * entries.length) / linesAll);
  return entries.map((content, index) => ({
    content,
    priority: 'medium',
    status: index < done ? 'completed' : index === done ? 'in_progress' : 'pending',
  }));
}

/** The kind of an option is guessed from its words: buttons are coloured by it. */
const optionKind = (name: string): 'allow_once' | 'reject_once' =>
  /^(no|not|don['’]?t|never|deny|reject|cancel|stop|abort)\b/i.test(name)
    ? 'reject_once'
    : 'allow_once';

async function say(stage: Stage, text: string, thought = false): Promise<void> {
  await stage.update({
    sessionUpdate: thought ? 'agent_thought_chunk' : 'agent_message_chunk',
    messageId: stage.newId(),
    content: { type: 'text', text },
  });
}

async function stream(stage: Stage, pieces: Iterable<string>, everyMs: number): Promise<void> {
  const messageId = stage.newId();
  for (const text of pieces) {
    await stage.update({
      sessionUpdate: 'agent_message_chunk',
      messageId,
      content: { type: 'text', text },
    });
    if (everyMs > 0) await pause(everyMs, stage.signal);
  }
}

function* numbered(count: number): Generator<string> {
  for (let n = 1; n <= count; n++) yield n === count ? `w${n}` : `w${n} `;
}

async function ask(stage: Stage, question: string, names: readonly string[]): Promise<void> {
  stage.sync();
  const chosen = await stage.ask(
    { toolCallId: stage.newId(), title: question, kind: 'other', status: 'pending' },
    names.map((name, index) => ({ optionId: `option-${index + 1}`, name, kind: optionKind(name) })),
  );
  if (chosen === null) throw new Cancelled();
  const name = names[Number(chosen.replace('option-', '')) - 1];
  await say(
    stage,
    name === undefined ? `You chose something else: ${chosen}` : `You chose: ${name}`,
  );
}

interface Tour {
  kind: 'tour';
}

/** The tokens that `/usage` reported. */
export function usageOf(update: { _meta?: Record<string, unknown> | null }): {
  inputTokens: number;
  outputTokens: number;
} {
  const { inputTokens, outputTokens } = Object(update._meta?.['usage']) as Record<string, unknown>;
  return { inputTokens: Number(inputTokens ?? 0), outputTokens: Number(outputTokens ?? 0) };
}

/** One command. The plan belongs to the whole script: see `perform`. */
async function act(
  stage: Stage,
  command: Exclude<Command, Tour | { kind: 'plan' }>,
): Promise<void> {
  switch (command.kind) {
    case 'say':
    case 'think':
      return say(stage, command.text, command.kind === 'think');
    case 'type':
      return stream(stage, command.text.match(/\s*\S+/g) ?? [], command.everyMs);
    case 'stream':
      return stream(stage, numbered(command.count), command.everyMs);
    case 'write':
      return tools.write(stage, command.path, command.text);
    case 'read':
      return tools.read(stage, command.path);
    case 'run':
      return tools.run(stage, command.command);
    case 'ask':
      return ask(stage, command.question, command.options);
    case 'image':
      return stage.update({
        sessionUpdate: 'agent_message_chunk',
        messageId: stage.newId(),
        content: { type: 'image', mimeType: 'image/png', data: harbour().toString('base64') },
      });
    case 'usage': {
      const { input, output } = command;
      return stage.update({
        sessionUpdate: 'usage_update',
        used: input + output,
        size: Math.max(200_000, input + output),
        // ACP knows only how full the context is; who counts tokens finds them here.
        _meta: { usage: { inputTokens: input, outputTokens: output } },
      });
    }
    case 'sleep':
      return pause(command.ms, stage.signal);
    case 'hang':
      return pause(2 ** 31 - 1, stage.signal);
    case 'fail':
      throw new Failed(command.text);
    case 'exit':
      stage.sync();
      stage.exit(command.code);
      return;
    case 'diary': {
      const lines = stage.diary().map((entry) => JSON.stringify(entry));
      return say(stage, lines.length === 0 ? '(nothing yet)' : lines.join('\n'));
    }
    case 'wrong':
      return say(stage, command.text);
  }
}

/** The commands of a prompt. */
export const commandsOf = (content: readonly ContentBlock[]): Exclude<Command, Tour>[] =>
  expand(parseScript(script(content)), text(content));

export interface Progress {
  /** Begins with this line: those before it were done in an earlier life. */
  from?: number;
  /** Told before a line begins. */
  begins?: (line: number) => void;
}

export async function perform(
  stage: Stage,
  commands: readonly Exclude<Command, Tour>[],
  { from = 0, begins }: Progress = {},
): Promise<void> {
  let plan: { entries: string[]; at: number } | null = null;
  for (const [index, command] of commands.entries()) {
    if (command.kind === 'plan') plan = { entries: command.entries, at: index + 1 };
    if (index < from) continue;
    if (stage.signal.aborted) throw new Cancelled();
    begins?.(index);
    if (command.kind !== 'plan') await act(stage, command);
    if (plan === null) continue;
    const entries = planEntries(plan.entries, index + 1 - plan.at, commands.length - plan.at);
    await stage.update({ sessionUpdate: 'plan', entries });
  }
}
