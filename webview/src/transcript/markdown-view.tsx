import type { JSX } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import { useChat } from '../chat/context.ts';
import { IconButton } from '../ui/icon.tsx';
import { highlight, languageTitle } from './highlight.ts';
import { createGrowingMarkdown, type Block } from './markdown.ts';

const colour = { keyword: 'k', string: 's', number: 'n', comment: 'c' } as const;

export function CodeBlock(props: { language: string; text: string }): JSX.Element {
  const { language, text } = props;
  const { chat } = useChat();
  const title = languageTitle(language);
  const pieces = useMemo(() => highlight(text, language), [text, language]);
  const editor = chat.state.get().hello?.editor === true;
  return (
    <figure class="code">
      <div class="code__head">
        <span class="grow">{title}</span>
        <IconButton
          icon="copy"
          label="Copy"
          onPress={() => chat.attempt(chat.host.copy({ text }))}
        />
        {editor ? (
          <IconButton
            icon="insert"
            label="Insert at cursor"
            onPress={() => chat.attempt(chat.host.insertAtCursor({ text }))}
          />
        ) : null}
      </div>
      <pre tabIndex={0} role="region" aria-label={`Code, ${title}`}>
        {pieces.map((piece, index) =>
          piece.kind ? (
            <span key={index} class={colour[piece.kind]}>
              {piece.text}
            </span>
          ) : (
            piece.text
          ),
        )}
      </pre>
    </figure>
  );
}

/** Block by block: a block whose HTML is the same keeps its nodes, and with them the reader's selection. */
export function Markdown(props: { text: string }): JSX.Element {
  const { chat } = useChat();
  const growing = useRef(createGrowingMarkdown());
  const blocks = useMemo<readonly Block[]>(() => growing.current.update(props.text), [props.text]);
  const follow = (event: MouseEvent): void => {
    const link = (event.target as Element | null)?.closest('a');
    const href = link?.getAttribute('href');
    if (!href) return;
    event.preventDefault();
    const sessionId = chat.state.get().sessionId;
    if (/^(https?:|mailto:)/i.test(href))
      chat.attempt(chat.host.openLink({ url: href })).catch(report);
    else if (sessionId && !href.startsWith('#')) {
      const [, path = href, line] = /^(.*?)(?:(?::|#L)(\d+))?$/.exec(href) ?? [];
      chat
        .attempt(chat.host.openFile({ sessionId, path, ...(line ? { line: Number(line) } : {}) }))
        .catch(report);
    }
  };
  return (
    <div class="md" onClick={follow}>
      {blocks.map((block, index) =>
        block.kind === 'code' ? (
          <CodeBlock key={index} language={block.language} text={block.text} />
        ) : (
          <div key={index} dangerouslySetInnerHTML={{ __html: block.html }} />
        ),
      )}
    </div>
  );
}
/** `attempt` never rejects: what goes wrong becomes words on the screen. */
const report = (error: unknown): void => console.error(error);
