import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ContentBlock, SessionUpdate } from '@agentclientprotocol/sdk';
import { script, text } from './content.ts';
import { isPlain, parseScript } from './script.ts';
import { joined, type Moment } from './replay.ts';

/**
 * What the rehearsal agent keeps under `~/.rehearsal/`, as append-only files of JSON lines that a kill at any moment leaves readable:
 *
 *   diary.jsonl           every prompt received, over all lives, whole. One line is the only trace of a prompt's arrival, so
 *                         a prompt either arrived or did not; there is nothing in between.
 *   conversations/<id>    what happened to the conversation, prompts by their number in the diary.
 *
 * A line is written at once and fsynced where something acts on it: after a prompt, before a tool, at the end of a turn.
 */
export type Mode = 'ask' | 'auto';

interface DiaryLine {
  n: number;
  at: string;
  pid: number;
  sha256: string;
  text: string;
  conversation: string;
  content: ContentBlock[];
}
export type DiaryEntry = Pick<DiaryLine, 'n' | 'at' | 'pid' | 'sha256' | 'text'>;

type Line =
  | { t: 'session'; cwd: string; at: string }
  | { t: 'mode'; mode: Mode }
  | { t: 'prompt'; n: number }
  | { t: 'line'; line: number }
  | { t: 'update'; update: SessionUpdate }
  | { t: 'end'; outcome: string };

/** A turn without an end: the process died in it, `line` being the last that was begun. */
export interface Unfinished {
  content: ContentBlock[];
  line: number;
}

export interface Conversation {
  readonly id: string;
  readonly cwd: string;
  mode(): Mode;
  setMode(mode: Mode): void;
  moments(): Moment[];
  unfinished(): Unfinished | null;
  /** On disk before it returns. */
  prompt(content: ContentBlock[]): void;
  line(line: number): void;
  update(update: SessionUpdate): void;
  sync(): void;
  end(outcome: string): void;
}

export interface Store {
  create(id: string, cwd: string): Conversation;
  open(id: string): Conversation | null;
  list(): { id: string; cwd: string; at: string }[];
  diary(): DiaryEntry[];
  /** The script that was given as the agent's instructions; empty when none was. */
  startScript(): string;
}

/** Cuts a torn last line off, so that the next one does not grow out of it. */
function openAppend(path: string): number {
  const fd = openSync(path, 'a+', 0o600);
  const size = fstatSync(fd).size;
  if (size > 0) {
    const last = Buffer.alloc(1);
    readSync(fd, last, 0, 1, size - 1);
    if (last[0] !== 0x0a) ftruncateSync(fd, readFileSync(path).lastIndexOf(0x0a) + 1);
  }
  return fd;
}

function readLines(path: string): unknown[] {
  if (!existsSync(path)) return [];
  const whole = readFileSync(path, 'utf8');
  return whole
    .slice(0, whole.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

/** The whole line, whatever the kernel takes at a time. */
function append(fd: number, value: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}

const reached = (turn: Unfinished | null, line: number): Unfinished | null =>
  turn === null ? null : { ...turn, line };

export function createStore(options: {
  dir: string;
  defaultMode: Mode;
  pid: number;
  now: () => string;
}): Store {
  const { dir, defaultMode, pid, now } = options;
  const conversationsDir = join(dir, 'conversations');
  const diaryPath = join(dir, 'diary.jsonl');
  mkdirSync(conversationsDir, { recursive: true, mode: 0o700 });

  const pathOf = (id: string): string => join(conversationsDir, `${id}.jsonl`);
  // These files are written by this program alone, so their lines are trusted.
  const diaryLines = (): DiaryLine[] => readLines(diaryPath) as DiaryLine[];

  function conversation(id: string, cwd: string, lines: readonly Line[]): Conversation {
    const fd = openAppend(pathOf(id));
    const moments: Moment[] = [];
    let mode = defaultMode;
    let unfinished: Unfinished | null = null;
    let lastPrompt = 0;

    const begin = (content: ContentBlock[]): void => {
      moments.push({ kind: 'prompt', content });
      // Plain words after a death mean "go on": the script that was cut off stays the one to finish.
      if (unfinished === null || !isPlain(parseScript(script(content))))
        unfinished = { content, line: -1 };
    };
    // A long stream stays one moment, or a load test would keep a million.
    const happened = (update: SessionUpdate): void => {
      const before = moments.at(-1);
      const whole = before?.kind === 'update' ? joined(before.update, update) : null;
      if (whole === null) moments.push({ kind: 'update', update });
      else moments[moments.length - 1] = { kind: 'update', update: whole };
    };
    const mine = new Map(
      diaryLines()
        .filter((entry) => entry.conversation === id)
        .map((entry) => [entry.n, entry]),
    );
    for (const line of lines) {
      if (line.t === 'mode') mode = line.mode;
      else if (line.t === 'update') happened(line.update);
      else if (line.t === 'line') unfinished = reached(unfinished, line.line);
      else if (line.t === 'end') unfinished = null;
      else if (line.t === 'prompt') {
        lastPrompt = line.n;
        const entry = mine.get(line.n);
        if (entry !== undefined) begin(entry.content);
      }
    }
    // The process died between the two files: the diary is what counts.
    for (const entry of mine.values()) {
      if (entry.n <= lastPrompt) continue;
      append(fd, { t: 'prompt', n: entry.n } satisfies Line);
      begin(entry.content);
    }

    return {
      id,
      cwd,
      mode: () => mode,
      setMode(next) {
        mode = next;
        append(fd, { t: 'mode', mode } satisfies Line);
        fsyncSync(fd);
      },
      moments: () => [...moments],
      unfinished: () => unfinished,
      prompt(content) {
        const diary = openAppend(diaryPath);
        const whole = text(content);
        const n = (diaryLines().at(-1)?.n ?? 0) + 1;
        append(diary, {
          n,
          at: now(),
          pid,
          sha256: createHash('sha256').update(whole).digest('hex'),
          text: whole.slice(0, 80),
          conversation: id,
          content,
        } satisfies DiaryLine);
        fsyncSync(diary);
        closeSync(diary);
        append(fd, { t: 'prompt', n } satisfies Line);
        begin(content);
      },
      line(line) {
        unfinished = reached(unfinished, line);
        append(fd, { t: 'line', line } satisfies Line);
      },
      update(update) {
        happened(update);
        append(fd, { t: 'update', update } satisfies Line);
      },
      sync: () => fsyncSync(fd),
      end(outcome) {
        unfinished = null;
        append(fd, { t: 'end', outcome } satisfies Line);
        fsyncSync(fd);
      },
    };
  }

  function read(id: string): { head: Line & { t: 'session' }; lines: Line[] } | null {
    const lines = readLines(pathOf(id)) as Line[];
    const head = lines[0];
    return head?.t === 'session' ? { head, lines } : null;
  }

  return {
    create(id, cwd) {
      const fd = openAppend(pathOf(id));
      const head: Line = { t: 'session', cwd, at: now() };
      append(fd, head);
      fsyncSync(fd);
      closeSync(fd);
      const folder = openSync(conversationsDir, 'r');
      fsyncSync(folder);
      closeSync(folder);
      return conversation(id, cwd, [head]);
    },
    open(id) {
      if (!/^[\w-]{1,64}$/.test(id)) return null; // an id is a file name here
      const found = read(id);
      return found === null ? null : conversation(id, found.head.cwd, found.lines);
    },
    list: () =>
      readdirSync(conversationsDir)
        .filter((name) => name.endsWith('.jsonl'))
        .flatMap((name) => {
          const id = name.slice(0, -'.jsonl'.length);
          const found = read(id);
          return found === null ? [] : [{ id, cwd: found.head.cwd, at: found.head.at }];
        }),
    diary: () =>
      diaryLines().map(({ n, at, pid: writer, sha256, text: start }) => ({
        n,
        at,
        pid: writer,
        sha256,
        text: start,
      })),
    startScript() {
      const path = join(dir, 'start.txt');
      return existsSync(path) ? readFileSync(path, 'utf8') : '';
    },
  };
}
