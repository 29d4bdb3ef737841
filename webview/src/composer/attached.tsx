import type { ContentBlock } from '@berth/contract';
import type { JSX } from 'preact';
import { Icon } from '../ui/icon.tsx';
import { blockIcon, blockName } from './attachments.ts';

/** What goes with the message: files by their names, pictures as themselves. */
export function Attached(props: {
  blocks: readonly ContentBlock[];
  onRemove: (index: number) => void;
}): JSX.Element | null {
  const { blocks, onRemove } = props;
  if (blocks.length === 0) return null;
  return (
    <ul class="chips" aria-label="Attached">
      {blocks.map((block, index) => (
        <li key={index} class="chip">
          {block.type === 'image' ? (
            <img class="chip__image" src={`data:${block.mimeType};base64,${block.data}`} alt="" />
          ) : (
            <Icon name={blockIcon(block)} />
          )}
          <span class="cut" title={blockName(block)}>
            {blockName(block)}
          </span>
          <button
            type="button"
            aria-label={`Remove ${blockName(block)}`}
            title="Remove"
            onClick={() => onRemove(index)}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}
