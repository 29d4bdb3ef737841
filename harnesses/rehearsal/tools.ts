import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { PermissionOption, ToolCallContent, ToolKind } from '@agentclientprotocol/sdk';
import { Cancelled, type Stage } from './stage.ts';

/** A tool's output above this is cut in the middle of nothing: its end is what people look for. */
const outputBytesMax = 1024 * 1024;
const readBytesMax = 256 * 1024;
const progressEveryMs = 200;

const choices: PermissionOption[] = [
  { optionId: 'allow', name: 'Allow', kind: 'allow_once' },
  { optionId: 'always', name: 'Always allow', kind: 'allow_always' },
  { optionId: 'reject', name: 'Reject', kind: 'reject_once' },
];
const text = (value: string): ToolCallContent => ({
  type: 'content',
  content: { type: 'text', text: value },
});
const because = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/^[A-Z]+: /, '') : String(error);

interface Call {
  title: string;
  kind: ToolKind;
  path?: string;
  content?: ToolCallContent[];
  rawInput: Record<string, unknown>;
  /** Asks a person in mode *ask*. */
  asks: boolean;
  run: (show: (content: ToolCallContent[]) => Promise<void>) => Promise<{
    content: ToolCallContent[];
    ok: boolean;
    rawOutput?: Record<string, unknown>;
  }>;
}

/** One tool call as every agent reports it: announced, allowed or not, running, ended. */
async function call(stage: Stage, tool: Call): Promise<void> {
  const toolCallId = stage.newId();
  const start = {
    toolCallId,
    title: tool.title,
    kind: tool.kind,
    rawInput: tool.rawInput,
    ...(tool.path === undefined ? {} : { locations: [{ path: tool.path }] }),
    ...(tool.content === undefined ? {} : { content: tool.content }),
  };
  const asks = tool.asks && stage.mode() === 'ask' && !stage.allowed.has(tool.kind);
  await stage.update({ sessionUpdate: 'tool_call', status: 'pending', ...start });
  if (asks) {
    const option = await stage.ask({ status: 'pending', ...start }, choices);
    if (option === null) throw new Cancelled();
    if (option === 'always') stage.allowed.add(tool.kind);
    if (option === 'reject') {
      await stage.update({
        sessionUpdate: 'tool_call_update',
        toolCallId,
        status: 'failed',
        content: [...(tool.content ?? []), text('Rejected.')],
      });
      return;
    }
  }
  await stage.update({ sessionUpdate: 'tool_call_update', toolCallId, status: 'in_progress' });
  stage.sync(); // what follows has effects outside
  const end = await tool
    .run((content) => stage.update({ sessionUpdate: 'tool_call_update', toolCallId, content }))
    .catch((error: unknown) => {
      if (error instanceof Cancelled) throw error;
      return { content: [...(tool.content ?? []), text(because(error))], ok: false };
    });
  await stage.update({
    sessionUpdate: 'tool_call_update',
    toolCallId,
    status: end.ok ? 'completed' : 'failed',
    content: end.content,
    ...('rawOutput' in end ? { rawOutput: end.rawOutput } : {}),
  });
}

export async function write(stage: Stage, path: string, newText: string): Promise<void> {
  const full = resolve(stage.cwd, path);
  const before = await readFile(full, 'utf8').catch(() => null);
  const content: ToolCallContent[] = [{ type: 'diff', path: full, oldText: before, newText }];
  await call(stage, {
    title: `Write ${path}`,
    kind: 'edit',
    path: full,
    content,
    rawInput: { path: full, text: newText },
    asks: true,
    async run() {
      await mkdir(dirname(full), { recursive: true });
      await writeFile(full, newText);
      return { content, ok: true };
    },
  });
}

export async function read(stage: Stage, path: string): Promise<void> {
  const full = resolve(stage.cwd, path);
  await call(stage, {
    title: `Read ${path}`,
    kind: 'read',
    path: full,
    rawInput: { path: full },
    asks: false,
    async run() {
      const bytes = await readFile(full);
      const cut = bytes.length > readBytesMax ? '\n… (cut)' : '';
      return { content: [text(bytes.toString('utf8', 0, readBytesMax) + cut)], ok: true };
    },
  });
}

export async function run(stage: Stage, command: string): Promise<void> {
  await call(stage, {
    title: command,
    kind: 'execute',
    rawInput: { command },
    asks: true,
    run: (show) => shell(stage, command, show),
  });
}

async function shell(
  stage: Stage,
  command: string,
  show: (content: ToolCallContent[]) => Promise<void>,
): ReturnType<Call['run']> {
  // Loaded with the first command: every start of the agent would wait for it.
  const { spawn } = await import('node:child_process');
  // A process group of its own, so that a cancel ends all that it started.
  const child = spawn('/bin/sh', ['-c', command], {
    cwd: stage.cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The group has ended meanwhile.
    }
  };
  // Joined once a megabyte, not with every piece: a gigabyte comes in some 30,000 of them.
  let pieces: Buffer[] = [];
  let held = 0;
  let shown = 0;
  let total = 0;
  const take = (chunk: Buffer): void => {
    total += chunk.length;
    held += chunk.length;
    pieces.push(chunk);
    if (held <= 2 * outputBytesMax) return;
    pieces = [Buffer.concat(pieces).subarray(-outputBytesMax)];
    held = outputBytesMax;
  };
  const output = (): string => {
    const kept = Buffer.concat(pieces).subarray(-outputBytesMax);
    const missing = total - kept.length;
    return (missing === 0 ? '' : `… (${missing} bytes before this)\n`) + kept.toString('utf8');
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const progress = setInterval(() => {
    if (shown === total) return;
    shown = total;
    // The last lines are enough while it runs; a late one after the end of the turn has nobody to tell.
    show([text(output().slice(-4096))]).catch(kill);
  }, progressEveryMs);
  stage.signal.addEventListener('abort', kill, { once: true });
  if (stage.signal.aborted) kill();
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (done, fail) => {
        child.once('error', fail);
        child.once('close', (...end) => done(end));
      },
    );
    if (stage.signal.aborted) throw new Cancelled();
    const ended = signal === null ? '' : `(ended by ${signal})`;
    return {
      content: [text([output(), ended].filter((part) => part !== '').join('\n'))],
      ok: code === 0,
      rawOutput: { exitCode: code, ...(signal === null ? {} : { signal }) },
    };
  } finally {
    clearInterval(progress);
    stage.signal.removeEventListener('abort', kill);
  }
}
