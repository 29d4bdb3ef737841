import type { ContentBlock } from '@berth/contract';

/** The server takes 20 MiB a message, base64 counted, which makes four bytes of three; this leaves room for the text. */
export const fileBytesMax = 5 * 1024 * 1024;
export const messageBytesMax = 14 * 1024 * 1024;
export const limitWords = 'up to 5 MB each, 14 MB a message';
const pictures = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

export type Attached = { kind: 'block'; block: ContentBlock } | { kind: 'refused'; words: string };

export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000)
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** Text goes as text, pictures as pictures, everything else as the bytes that it is. */
export function attachment(name: string, type: string, bytes: Uint8Array): Attached {
  if (bytes.length > fileBytesMax)
    return { kind: 'refused', words: `${name} is larger than 5 MB.` };
  if (pictures.has(type))
    return { kind: 'block', block: { type: 'image', mimeType: type, data: toBase64(bytes) } };
  const uri = `attachment:///${encodeURIComponent(name)}`;
  const mimeType = type === '' ? {} : { mimeType: type };
  let text: string | null;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    text = null; // not UTF-8, so it is no text: an outcome, handled below
  }
  return {
    kind: 'block',
    block: {
      type: 'resource',
      resource:
        text !== null && !text.includes('\0')
          ? { uri, ...mimeType, text }
          : { uri, ...mimeType, blob: toBase64(bytes) },
    },
  };
}

/** The bytes that a block was made of, roughly: enough to say no before the server does. */
export function blockBytes(block: ContentBlock): number {
  switch (block.type) {
    case 'text':
      return block.text.length;
    case 'resource_link':
      return 0;
    case 'resource':
      return block.resource.text?.length ?? ((block.resource.blob?.length ?? 0) * 3) / 4;
    case 'image':
      return (block.data.length * 3) / 4;
  }
}

/** The blocks that still fit beside those that are there; `refused` names the first one that does not. */
export function fitting(
  before: readonly ContentBlock[],
  added: readonly ContentBlock[],
): { blocks: ContentBlock[]; refused: string | null } {
  let bytes = before.reduce((sum, block) => sum + blockBytes(block), 0);
  const blocks: ContentBlock[] = [];
  for (const block of added) {
    bytes += blockBytes(block);
    if (bytes > messageBytesMax)
      return { blocks, refused: `${blockName(block)} does not fit: a message holds 14 MB.` };
    blocks.push(block);
  }
  return { blocks, refused: null };
}

export function blockName(block: ContentBlock): string {
  switch (block.type) {
    case 'text':
      return block.text;
    case 'resource_link':
      return block.name;
    case 'resource':
      return decodeURIComponent(block.resource.uri.replace(/^.*\//, ''));
    case 'image':
      return `Image (${block.mimeType.replace('image/', '')})`;
  }
}
export const blockIcon = (block: ContentBlock): string =>
  block.type === 'image' ? 'file-media' : block.type === 'resource_link' ? 'file-code' : 'file';
