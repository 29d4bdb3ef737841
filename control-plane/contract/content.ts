import * as z from 'zod/mini';
import { text } from './scalars.ts';

const base64 = z.string().check(z.regex(/^[A-Za-z0-9+/]*={0,2}$/, 'not base64'));

/** ACP's content blocks, as far as every agent that we run understands them. */
export const contentBlock = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: text(6_000_000) }),
  z.strictObject({ type: z.literal('resource_link'), uri: text(4096), name: text(1024) }),
  z.strictObject({
    type: z.literal('resource'),
    resource: z.strictObject({
      uri: text(4096),
      mimeType: z.optional(text(255)),
      text: z.optional(text(6_000_000)),
      blob: z.optional(base64),
    }),
  }),
  z.strictObject({
    type: z.literal('image'),
    mimeType: z.string().check(z.regex(/^image\/[a-z0-9.+-]+$/)),
    data: base64,
  }),
]);
export type ContentBlock = z.infer<typeof contentBlock>;

export const prompt = z
  .array(contentBlock)
  .check(z.minLength(1, 'must not be empty'), z.maxLength(100));

/** The plain text of content, for titles, hashes and screens without images. */
export function plainText(content: readonly ContentBlock[]): string {
  return content
    .map((block) => {
      switch (block.type) {
        case 'text':
          return block.text;
        case 'resource_link':
          return `@${block.name}`;
        case 'resource':
          return block.resource.text ?? `@${block.resource.uri}`;
        case 'image':
          return '[image]';
      }
    })
    .join('');
}
