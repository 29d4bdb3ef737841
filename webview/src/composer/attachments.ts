import type { ContentBlock } from '@berth/contract';

/** The server takes 20 MiB a message, base64 counted; this leaves room for the text. */
export const fileBytesMax = 5 * 1024 * 1024;
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
