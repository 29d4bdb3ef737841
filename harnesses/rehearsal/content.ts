import type { ContentBlock } from '@agentclientprotocol/sdk';

/** The words of a prompt. What is not text counts by its name, so that two prompts with different files differ. */
export const text = (content: readonly ContentBlock[]): string =>
  content
    .map((block) => {
      switch (block.type) {
        case 'text':
          return block.text;
        case 'resource_link':
          return `@${block.name}`;
        case 'resource':
          return 'text' in block.resource ? block.resource.text : `@${block.resource.uri}`;
        case 'image':
          return '[image]';
        case 'audio':
          return '[audio]';
      }
    })
    .join('');

/** The part of a prompt that is a script: attached files are not obeyed. */
export const script = (content: readonly ContentBlock[]): string =>
  content.map((block) => (block.type === 'text' ? block.text : '\n')).join('');
