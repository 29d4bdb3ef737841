import { plainText, type ContentBlock, type Session } from '@berth/contract';
import type { JSX, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useChat } from '../chat/context.ts';
import { isTurnRunning } from '@berth/client/status';
import type { Hello } from '../ipc/index.ts';
import type { Waiting } from '../store/queue.ts';
import type { View } from '../store/view.ts';
import { Icon, IconButton } from '../ui/icon.tsx';
import { attachment, blockIcon, blockName } from './attachments.ts';
import { Pickers } from './pickers.tsx';
import { SuggestionList, useSuggestions, type Suggestion } from './suggestions.tsx';
import { triggerAt } from './trigger.ts';
import { emptyDraft, useDraft } from './use-draft.ts';

const heightMax = 10 * 20 + 12;

export function Composer(props: {
  session: Session;
  view: View;
  hello: Hello;
  connected: boolean;
  waiting: readonly Waiting[];
  editing: Waiting | null;
  onEdit: (message: Waiting | null) => void;
  newId: () => string;
  textRef: RefObject<HTMLTextAreaElement | null>;
}): JSX.Element {
  const { session, view, hello, connected, waiting, editing, onEdit, newId, textRef } = props;
  const { chat } = useChat();
  const sessionId = session.id;
  const [draft, change] = useDraft(chat, sessionId);
  const [edited, setEdited] = useState(emptyDraft);
  const shown = editing ? edited : draft;
  const put = (next: typeof draft) => (editing ? setEdited(next) : change(() => next));
  const [cursor, setCursor] = useState(0);
  const [closed, setClosed] = useState(false);
  const [active, setActive] = useState(0);
  const [refused, setRefused] = useState<string | null>(null);
  const files = useRef<HTMLInputElement>(null);
  const trigger = closed ? null : triggerAt(shown.text, cursor);
  const suggestions = useSuggestions(trigger, view.commands);
  const running = isTurnRunning(session);
  const empty = shown.text.trim() === '' && shown.blocks.length === 0;

  useEffect(() => {
    if (!editing) return;
    const texts = editing.prompt.filter((block) => block.type === 'text');
    setEdited({
      text: plainText(texts),
      blocks: editing.prompt.filter((block) => block.type !== 'text'),
    });
    textRef.current?.focus();
  }, [editing?.turnId]);
  useLayoutEffect(() => {
    const element = textRef.current;
    if (!element) return;
    element.style.height = '0';
    element.style.height = `${Math.min(heightMax, Math.max(52, element.scrollHeight))}px`;
  }, [shown.text]);
  useEffect(() => setActive(0), [trigger?.query, trigger?.kind]);

  const take = (item: Suggestion): void => {
    if (!trigger) return;
    const before = shown.text.slice(0, trigger.from);
    const after = shown.text.slice(trigger.to);
    if (item.uri === null) put({ ...shown, text: `${item.label} ${after.trimStart()}` });
    else
      put({
        text: `${before}${after}`,
        blocks: [...shown.blocks, { type: 'resource_link', uri: item.uri, name: item.label }],
      });
    setClosed(true);
    textRef.current?.focus();
  };

  const send = async (): Promise<void> => {
    if (empty || !connected) return;
    const text = shown.text.trim();
    const prompt: ContentBlock[] = [
      ...(text === '' ? [] : [{ type: 'text' as const, text }]),
      ...shown.blocks,
    ];
    if (editing) {
      const { turnId } = editing;
      if (await chat.attempt(chat.host.queueEdit({ sessionId, turnId, prompt }))) onEdit(null);
      return;
    }
    const before = draft;
    change(() => emptyDraft);
    // What could not be sent goes back to where it was written, in front of what was written since.
    if (!(await chat.send(prompt, newId())))
      change((now) => ({
        text: [before.text, now.text].filter(Boolean).join('\n'),
        blocks: before.blocks.concat(now.blocks),
      }));
  };

  const attach = async (list: readonly File[]): Promise<void> => {
    setRefused(null);
    const blocks: ContentBlock[] = [];
    for (const file of list) {
      const result = attachment(file.name, file.type, new Uint8Array(await file.arrayBuffer()));
      if (result.kind === 'block') blocks.push(result.block);
      else setRefused(result.words);
    }
    if (blocks.length > 0) change((now) => ({ ...now, blocks: now.blocks.concat(blocks) }));
  };
  const attachFrom = (list: FileList | undefined | null): boolean => {
    if (!list || list.length === 0) return false;
    attach([...list]).catch((error: unknown) => setRefused(String(error)));
    return true;
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (suggestions.length > 0) {
      const item = suggestions[active];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) setActive((active + step + suggestions.length) % suggestions.length);
      else if ((event.key === 'Enter' || event.key === 'Tab') && item) take(item);
      else if (event.key === 'Escape') setClosed(true);
      else return;
      event.preventDefault();
      return;
    }
    const control = event.ctrlKey || event.metaKey;
    const sends = hello.sendKey === 'ctrlEnter' ? control : !event.shiftKey && !control;
    if (event.key === 'Enter' && sends) {
      event.preventDefault();
      send().catch((error: unknown) => setRefused(String(error)));
    } else if (event.key === 'Escape' && editing) {
      event.preventDefault();
      onEdit(null);
    } else if (event.key === 'ArrowUp' && shown.text === '' && !editing) {
      const last = waiting.findLast((message) => !message.leaving);
      if (!last) return;
      event.preventDefault();
      onEdit(last);
    }
  };

  const verb = editing ? 'save' : running ? 'queue' : 'send';
  const key = hello.sendKey === 'ctrlEnter' ? 'Ctrl+Enter' : 'Enter';
  const hint = connected ? `${key} to ${verb}` : 'Kept here until the connection is back';
  const label = editing ? 'Save message' : running ? 'Queue message' : 'Send';
  return (
    <form
      class="composer"
      aria-label="Message"
      data-region="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send().catch((error: unknown) => setRefused(String(error)));
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        if (attachFrom(event.dataTransfer?.files)) event.preventDefault();
      }}
    >
      {suggestions.length > 0 ? (
        <SuggestionList id="suggest" items={suggestions} active={active} onTake={take} />
      ) : null}
      {editing ? (
        <div class="composer__note">
          <span class="grow">Editing a waiting message</span>
          <button type="button" class="link" onClick={() => onEdit(null)}>
            Cancel
          </button>
        </div>
      ) : null}
      {shown.blocks.length > 0 ? (
        <div class="chips">
          {shown.blocks.map((block, index) => (
            <span key={index} class="chip">
              <Icon name={blockIcon(block)} />
              <span class="cut" title={blockName(block)}>
                {blockName(block)}
              </span>
              <button
                type="button"
                aria-label={`Remove ${blockName(block)}`}
                onClick={() =>
                  put({ ...shown, blocks: shown.blocks.filter((_, at) => at !== index) })
                }
              >
                <Icon name="close" />
              </button>
            </span>
          ))}
        </div>
      ) : null}
      <textarea
        ref={textRef}
        aria-label="Message to the agent"
        placeholder="Message the agent. @ adds a file, / lists commands."
        value={shown.text}
        {...(suggestions.length > 0
          ? { 'aria-controls': 'suggest', 'aria-activedescendant': `suggest-${active}` }
          : {})}
        onInput={(event) => {
          setClosed(false);
          setCursor(event.currentTarget.selectionStart);
          put({ ...shown, text: event.currentTarget.value });
        }}
        onSelect={(event) => setCursor(event.currentTarget.selectionStart)}
        onKeyDown={onKeyDown}
        onPaste={(event) => {
          if (attachFrom(event.clipboardData?.files)) event.preventDefault();
        }}
      />
      {refused ? (
        <p class="composer__note bad" role="alert">
          {refused}
        </p>
      ) : null}
      <div class="composer__bar">
        <input
          ref={files}
          type="file"
          multiple
          hidden
          aria-label="Attach a file"
          onChange={(event) => {
            attachFrom(event.currentTarget.files);
            event.currentTarget.value = '';
          }}
        />
        <IconButton icon="attach" label="Attach a file" onPress={() => files.current?.click()} />
        <IconButton
          icon="mention"
          label="Mention a file"
          onPress={() => {
            const gap = shown.text === '' || /\s$/.test(shown.text) ? '' : ' ';
            const text = `${shown.text}${gap}@`;
            put({ ...shown, text });
            setClosed(false);
            setCursor(text.length);
            textRef.current?.focus();
          }}
        />
        <Pickers session={session} view={view} models={hello.models} connected={connected} />
        <span class="grow" />
        <span class="hint wide">{hint}</span>
        {running ? (
          <IconButton
            icon="debug-stop"
            label="Stop this turn"
            disabled={!connected}
            onPress={() => chat.attempt(chat.host.cancel({ sessionId }))}
          />
        ) : null}
        <button
          type="submit"
          class="ib"
          aria-label={connected ? label : `${label}, not connected`}
          title={connected ? label : 'Not connected'}
          disabled={!connected || empty}
        >
          <Icon name="send" />
        </button>
      </div>
    </form>
  );
}
