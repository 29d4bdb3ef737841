import { appendFile, readFile } from 'node:fs/promises';
import { limits } from '../limits.ts';

/** The conversation in plain words, for an agent that has lost it. Kept beside the journal, which forgets what is in the log. */
export interface Transcript {
  add(role: 'user' | 'agent', text: string, turnId?: string): void;
  /** Its end, ready to be told; empty when there was nothing. The open turn's own prompt is left out: it is sent after it. */
  tell(openTurnId?: string): Promise<string>;
}
interface Entry {
  role: 'user' | 'agent';
  text: string;
  turnId?: string;
}

export function createTranscript(path: string, failed: (error: unknown) => void): Transcript {
  let queue: Promise<void> = Promise.resolve();
  return {
    add(role, text, turnId) {
      if (text.trim() === '') return;
      const entry: Entry = { role, text, ...(turnId === undefined ? {} : { turnId }) };
      const line = `${JSON.stringify(entry)}\n`;
      queue = queue.then(() => appendFile(path, line, { mode: 0o600 })).catch(failed);
    },
    async tell(openTurnId) {
      await queue;
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
        throw error;
      }
      return seedText(parse(text), openTurnId);
    },
  };
}

function parse(text: string): Entry[] {
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as Entry];
    } catch {
      return []; // torn by a crash
    }
  });
}

/** Pure. The latest entries that fit. */
export function seedText(entries: readonly Entry[], openTurnId?: string): string {
  const told: string[] = [];
  let room: number = limits.seedChars;
  for (const { role, text, turnId } of [...entries].reverse()) {
    if (role === 'user' && turnId !== undefined && turnId === openTurnId) continue;
    const part = `${role === 'user' ? 'User' : 'You'}: ${text}`;
    if (part.length > room) break;
    room -= part.length;
    told.push(part);
  }
  if (told.length === 0) return '';
  return [
    'This continues an earlier conversation of which you have no memory. The files in the workspace are as you left them. What was said:',
    ...told.reverse(),
    'End of the earlier conversation. What follows is new.',
  ].join('\n\n');
}
