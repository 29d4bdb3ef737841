import type { ContentBlock, SessionUpdate } from '@agentclientprotocol/sdk';
import { hashText } from './settle.ts';

/** A conversation as `session/load` told it: the user messages, each a list of its text chunks, and what the agent did after each of them. */
export class Replay {
  readonly messages: string[][] = [];
  /** Behind the message of the same place. */
  readonly acts: SessionUpdate[][] = [];
  /** Updates so far, of whatever kind: who waits for its end sees that it stands still. */
  taken = 0;
  #open = false;
  #messageId: string | undefined;
  readonly #ownWords: RegExp | null;
  readonly #given: ReadonlySet<string>;

  /** `ownWords`: what the agent itself puts between the messages of people; none of `given`, hashes of what it was told, is ever one. */
  constructor(ownWords?: string, given: readonly string[] = []) {
    this.#ownWords = ownWords === undefined ? null : new RegExp(ownWords);
    this.#given = new Set(given);
  }

  take(update: SessionUpdate): void {
    this.taken += 1;
    switch (update.sessionUpdate) {
      case 'user_message_chunk': {
        if (this.#isOwn(update.content)) return;
        const messageId = typeof update.messageId === 'string' ? update.messageId : undefined;
        if (!this.#open || messageId !== this.#messageId) {
          this.messages.push([]);
          this.acts.push([]);
        }
        this.#open = true;
        this.#messageId = messageId;
        if (update.content.type === 'text') this.messages.at(-1)?.push(update.content.text);
        return;
      }
      case 'agent_message_chunk':
      case 'agent_thought_chunk':
      case 'tool_call':
      case 'tool_call_update':
      case 'plan':
        this.#open = false;
        this.acts.at(-1)?.push(update);
        return;
      default:
    }
  }
  #isOwn(content: ContentBlock): boolean {
    if (content.type !== 'text' || this.#ownWords?.test(content.text) !== true) return false;
    return !this.#given.has(hashText(content.text));
  }
  hashes(): string[] {
    return this.messages.map((chunks) => hashText(chunks.join('')));
  }
}
