import { isTurnRunning } from '@berth/client/status';
import { plainText, type ContentBlock, type Session } from '@berth/contract';
import type { JSX, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useChat } from '../chat/context.ts';
import type { Draft, Hello } from '../ipc/index.ts';
import { goesAtOnce, type Waiting } from '../store/queue.ts';
import type { View } from '../store/view.ts';
import { Icon, IconButton, LinkButton } from '../ui/icon.tsx';
import { Attached } from './attached.tsx';
import { limitWords } from './attachments.ts';
import { atDraft, recall } from './history.ts';
import { Pickers } from './pickers.tsx';
import { StopButton, useStop } from './stop.tsx';
import { SuggestionList, useSuggestions, type Suggestion } from './suggestions.tsx';
import { triggerAt } from './trigger.ts';
import { useAttach } from './use-attach.ts';
import { emptyDraft, useDraft } from './use-draft.ts';

const heightMax = 10 * 20 + 12;
const draftOf = (prompt: readonly ContentBlock[]): Draft => ({
  text: plainText(prompt.filter((block) => block.type === 'text')),
  blocks: prompt.filter((block) => block.type !== 'text'),
});

export function Composer(props: {
  session: Session;
  view: View;
  hello: Hello;
  models: readonly string[];
  connected: boolean;
  /** The messages that this person sent before, newest first. */
  history: () => readonly string[];
  waiting: readonly Waiting[];
  editing: Waiting | null;
  /** It is no longer in the queue: the agent has it, or somebody withdrew it. */
  editingGone: boolean;
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
  const put = (next: (now: Draft) => Draft) => (editing ? setEdited(next) : change(next));
  const { refused, setRefused, attachFrom } = useAttach(shown, put);
  const stopping = useStop(session, connected);
  const [cursor, setCursor] = useState(0);
  const [closed, setClosed] = useState(false);
  const [active, setActive] = useState(0);
  const [over, setOver] = useState(false);
  const recalled = useRef(atDraft);
  const files = useRef<HTMLInputElement>(null);
  const trigger = closed ? null : triggerAt(shown.text, cursor);
  const suggestions = useSuggestions(trigger, view.commands);
  const { items } = suggestions;
  const empty = shown.text.trim() === '' && shown.blocks.length === 0;

  useEffect(() => {
    if (!editing) return;
    setEdited(draftOf(editing.prompt));
    textRef.current?.focus();
  }, [editing?.turnId]);
  /** What was changed in a message that can no longer be changed is not lost: it stands there as the next one. */
  const keepEdited = (): void => {
    if (!editing) return;
    const was = draftOf(editing.prompt);
    if (edited.text !== was.text || edited.blocks.length !== was.blocks.length) {
      change((now) => ({
        text: [edited.text, now.text].filter(Boolean).join('\n'),
        blocks: edited.blocks.concat(now.blocks),
      }));
      setRefused('That message no longer waits. What you wrote stands here as a new one.');
    }
    onEdit(null);
  };
  useEffect(() => {
    if (props.editingGone) keepEdited();
  }, [props.editingGone]);
  useLayoutEffect(() => {
    const element = textRef.current;
    if (!element) return;
    element.style.height = '0';
    element.style.height = `${Math.min(heightMax, Math.max(52, element.scrollHeight))}px`;
  }, [shown.text]);
  useEffect(() => setActive(0), [trigger?.query, trigger?.kind]);

  const write = (text: string): void => {
    put((now) => ({ ...now, text }));
    setCursor(text.length);
  };
  const take = (item: Suggestion): void => {
    if (!trigger) return;
    const before = shown.text.slice(0, trigger.from);
    const after = shown.text.slice(trigger.to);
    textRef.current?.focus();
    // A folder is a step on the way to a file.
    if (item.uri !== null && item.label.endsWith('/')) {
      write(`${before}@${item.label}${after}`);
      setCursor(before.length + 1 + item.label.length);
      return;
    }
    setClosed(true);
    if (item.uri === null) write(`/${item.id} ${after.trimStart()}`);
    else {
      const block = { type: 'resource_link' as const, uri: item.uri, name: item.label };
      put((now) => ({ text: `${before}${after}`, blocks: [...now.blocks, block] }));
    }
  };

  const send = async (): Promise<void> => {
    if (empty || !connected) return;
    setRefused(null);
    recalled.current = atDraft;
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
  const submit = (): void => {
    send().catch((error: unknown) => setRefused(String(error)));
  };

  const onSuggestionKey = (event: KeyboardEvent): boolean => {
    const item = items[active];
    // A command that is spelled out already is sent, not completed to itself.
    const spelled = trigger?.kind === 'command' && item?.id === trigger.query;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === 'Escape' && (items.length > 0 || suggestions.note !== null)) setClosed(true);
    else if (step && item) setActive((active + step + items.length) % items.length);
    else if (event.key === 'Enter' && spelled) return false;
    else if ((event.key === 'Enter' || event.key === 'Tab') && item && !event.shiftKey) take(item);
    else return false;
    return true;
  };
  const onArrow = (key: 'ArrowUp' | 'ArrowDown'): boolean => {
    if (editing) return false;
    const last = waiting.findLast((message) => !message.leaving);
    if (key === 'ArrowUp' && shown.text === '' && recalled.current.at < 0 && last) {
      onEdit(last);
      return true;
    }
    const step = recall(props.history(), recalled.current, shown.text, key);
    if (step === null) return false;
    recalled.current = step.recall;
    write(step.text);
    return true;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    const control = event.ctrlKey || event.metaKey;
    const sends = hello.sendKey === 'ctrlEnter' ? control : !event.shiftKey && !control;
    if (onSuggestionKey(event)) event.preventDefault();
    else if (event.key === 'Enter' && sends) {
      event.preventDefault();
      submit();
    } else if (event.key === 'Escape' && editing) {
      event.preventDefault();
      onEdit(null);
    } else if (event.key === 'Escape') {
      if (stopping.escape()) event.preventDefault();
    } else if ((event.key === 'ArrowUp' || event.key === 'ArrowDown') && !event.altKey) {
      if (onArrow(event.key)) event.preventDefault();
    }
  };

  const queues = isTurnRunning(session) || !goesAtOnce(session);
  const verb = editing ? 'save' : queues ? 'queue' : 'send';
  const key = hello.sendKey === 'ctrlEnter' ? 'Ctrl+Enter' : 'Enter';
  const hint = stopping.armed
    ? 'Press Esc again to stop this turn'
    : connected
      ? `${key} to ${verb}`
      : 'Kept here until the connection is back';
  const label = editing ? 'Save message' : queues ? 'Queue message' : 'Send';
  return (
    <form
      class={`composer${over ? ' composer--over' : ''}`}
      aria-label="Message"
      data-region="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      onDragOver={(event) => {
        if (!event.dataTransfer?.types.includes('Files')) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        setOver(false);
        if (attachFrom(event.dataTransfer?.files)) event.preventDefault();
      }}
    >
      <SuggestionList id="suggest" suggestions={suggestions} active={active} onTake={take} />
      {editing ? (
        <div class="composer__note">
          <span class="grow">Editing a waiting message</span>
          <LinkButton onPress={() => onEdit(null)}>Cancel</LinkButton>
        </div>
      ) : null}
      <Attached
        blocks={shown.blocks}
        onRemove={(index) =>
          put((now) => ({ ...now, blocks: now.blocks.filter((_, at) => at !== index) }))
        }
      />
      <textarea
        ref={textRef}
        aria-label="Message to the agent"
        placeholder={
          over
            ? `Drop to attach, ${limitWords}.`
            : 'Message the agent. @ adds a file, / lists commands.'
        }
        value={shown.text}
        {...(items.length > 0
          ? { 'aria-controls': 'suggest', 'aria-activedescendant': `suggest-${active}` }
          : {})}
        onInput={(event) => {
          const { value, selectionStart } = event.currentTarget;
          setClosed(false);
          setCursor(selectionStart);
          put((now) => ({ ...now, text: value }));
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
        <IconButton
          icon="attach"
          label="Attach files or pictures"
          title={`Attach files or pictures, ${limitWords}`}
          onPress={() => files.current?.click()}
        />
        <IconButton
          icon="mention"
          label="Mention a file"
          onPress={() => {
            const gap = shown.text === '' || /\s$/.test(shown.text) ? '' : ' ';
            setClosed(false);
            write(`${shown.text}${gap}@`);
            textRef.current?.focus();
          }}
        />
        <Pickers session={session} view={view} models={props.models} connected={connected} />
        <span class="grow" />
        <span class={stopping.armed ? 'hint' : 'hint wide'}>{hint}</span>
        <span class="sr" role="status">
          {stopping.armed ? hint : ''}
        </span>
        <StopButton session={session} canStop={stopping.canStop} onStop={stopping.stop} />
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
