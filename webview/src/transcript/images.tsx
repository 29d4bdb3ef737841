import type { ContentBlock } from '@berth/contract';
import type { JSX } from 'preact';

const safe = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

/** Pictures come inside the log, never from an address; SVG could carry a document, so it is named only. */
export function Images(props: { blocks: readonly ContentBlock[] }): JSX.Element | null {
  const images = props.blocks.filter((block) => block.type === 'image');
  if (images.length === 0) return null;
  return (
    <div class="images">
      {images.map((image, index) =>
        safe.has(image.mimeType) ? (
          <img
            key={index}
            src={`data:${image.mimeType};base64,${image.data}`}
            alt={`Image ${index + 1}`}
          />
        ) : (
          <span key={index} class="muted">{`Image (${image.mimeType})`}</span>
        ),
      )}
    </div>
  );
}
