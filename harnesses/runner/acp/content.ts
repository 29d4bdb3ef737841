import type { ContentBlock as AcpBlock } from '@agentclientprotocol/sdk';
import type { ContentBlock } from '@berth/contract';
import { limits } from '../limits.ts';

/** Postgres keeps no U+0000 in text; the raw line has what the agent wrote. */
export const storable = (text: string): string => text.replaceAll('\u0000', '\ufffd');

/** Cut in the middle, where output says least. */
export function cut(text: string, limit: number = limits.toolText): string {
  if (text.length <= limit) return storable(text);
  const half = Math.floor(limit / 2);
  const missing = text.length - 2 * half;
  return storable(
    `${text.slice(0, half)}\n… ${String(missing)} characters left out …\n${text.slice(-half)}`,
  );
}

/** Pieces of at most `limit` UTF-16 units that never split a character. */
export function pieces(text: string, limit: number = limits.textPiece): string[] {
  const out: string[] = [];
  for (let at = 0; at < text.length;) {
    let end = Math.min(text.length, at + limit);
    const unit = text.charCodeAt(end - 1);
    if (end < text.length && unit >= 0xd800 && unit <= 0xdbff && end - 1 > at) end--;
    out.push(text.slice(at, end));
    at = end;
  }
  return out;
}

/** An ACP block as the contract has it: without fields that no reader knows. */
export function toBlock(block: AcpBlock): ContentBlock {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: cut(block.text) };
    case 'image':
      return /^image\/[a-z0-9.+-]+$/.test(block.mimeType) &&
        /^[A-Za-z0-9+/]*={0,2}$/.test(block.data)
        ? { type: 'image', mimeType: block.mimeType, data: block.data }
        : { type: 'text', text: '[image]' };
    case 'audio':
      return { type: 'text', text: '[audio]' };
    case 'resource_link':
      return {
        type: 'resource_link',
        uri: storable(block.uri).slice(0, 4096),
        name: storable(block.name).slice(0, 1024),
      };
    case 'resource': {
      const { resource } = block;
      const { uri, mimeType } = resource;
      return {
        type: 'resource',
        resource: {
          uri: storable(uri).slice(0, 4096),
          ...(typeof mimeType === 'string' ? { mimeType: storable(mimeType).slice(0, 255) } : {}),
          ...('text' in resource ? { text: cut(resource.text) } : { blob: resource.blob }),
        },
      };
    }
  }
}

/** A prompt's block as ACP has it. */
export function toAcp(block: ContentBlock): AcpBlock {
  if (block.type !== 'resource') return block;
  const { uri, mimeType, text, blob } = block.resource;
  const about = { uri, ...(mimeType === undefined ? {} : { mimeType }) };
  return {
    type: 'resource',
    resource: blob === undefined ? { ...about, text: text ?? '' } : { ...about, blob },
  };
}
