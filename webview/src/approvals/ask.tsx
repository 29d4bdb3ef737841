import type { ApprovalOption } from '@berth/contract';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useChat, useOpen } from '../chat/context.ts';
import { countsOf, DiffView } from '../transcript/tool-row.tsx';
import { Refused } from '../ipc/index.ts';
import type { AskEntry, EndEntry, ToolEntry } from '../store/entries.ts';
import { clockTime } from '@berth/client/words';
import { inWorkspace } from '../store/format.ts';
import { toolObject } from '../store/tool-words.ts';
import { Button } from '../ui/button.tsx';
import { Icon, LineCounts, LinkButton } from '../ui/icon.tsx';
import { Line } from '../ui/line.tsx';
import { settleChoices } from '@berth/contract';
import { deliveryTitle, deliveryWords, whyUnknown } from './delivery.ts';
import {
  askCommand,
  askTitle,
  decidedTitle,
  isRejection,
  lateTitle,
  newFacts,
  inOrder,
  optionWords,
  primaryOption,
} from './words.ts';

/** A person aims at what was there: what appears under the hand takes no input yet. */
export const graceMs = 400;
export function useGrace(of: unknown): boolean {
  const [ready, setReady] = useState(false);
  useEffect(() => {
    setReady(false);
    const timer = setTimeout(() => setReady(true), graceMs);
    return () => clearTimeout(timer);
  }, [of]);
  return ready;
}

/** The only thing in the transcript with a coloured border: a person must answer. */
export function AskCard(props: {
  id: string;
  icon: string;
  title: string;
  at: number;
  children?: ComponentChildren;
  actions: ComponentChildren;
}): JSX.Element {
  const { id, icon, title, at, children, actions } = props;
  return (
    <div class="ask">
      <div class="ask__head">
        <Icon name={icon} tone="waiting" />
        <h2 id={`title-${id}`} class="grow">
          {title}
        </h2>
        <span class="muted num wide">{clockTime(at)}</span>
      </div>
      {children ? <div class="ask__body">{children}</div> : null}
      <div class="ask__acts">{actions}</div>
    </div>
  );
}

export function OptionButtons(props: {
  options: readonly ApprovalOption[];
  revision: unknown;
  canDecide: boolean;
  /** Berth asks, not the agent: its own words, and no answer before the others. */
  ofDelivery?: boolean;
  onDecide: (optionId: string) => Promise<unknown>;
}): JSX.Element {
  const { options, revision, canDecide, onDecide, ofDelivery = false } = props;
  const ready = useGrace(revision);
  const [pressed, setPressed] = useState<string | null>(null);
  const primary = ofDelivery ? null : primaryOption(options);
  return (
    <>
      {(ofDelivery ? options : inOrder(options)).map((option) => (
        <Button
          key={option.optionId}
          primary={option.optionId === primary}
          disabled={pressed !== null || !canDecide}
          busy={pressed === option.optionId}
          onPress={async () => {
            if (!ready) return;
            setPressed(option.optionId);
            await onDecide(option.optionId);
            setPressed(null);
          }}
        >
          {ofDelivery ? option.name : optionWords(option, options)}
        </Button>
      ))}
    </>
  );
}

function FilesAsked(props: { tool: ToolEntry }): JSX.Element {
  const { diff } = props.tool;
  const [open, setOpen] = useState(diff.length === 1);
  return (
    <>
      {diff.length > 1 ? (
        <ul class="mono">
          {diff.map((file) => (
            <li key={file.path}>
              {inWorkspace(file.path)} <LineCounts {...countsOf([file])} />
            </li>
          ))}
        </ul>
      ) : null}
      {open ? (
        diff.map((file) => <DiffView key={file.path} diff={file} />)
      ) : (
        <LinkButton onPress={() => setOpen(true)}>Show the changes</LinkButton>
      )}
    </>
  );
}

function Facts(props: { facts: AskEntry['facts'] }): JSX.Element | null {
  if (props.facts.length === 0) return null;
  return (
    <dl class="facts">
      {props.facts.map((fact) => (
        <>
          <dt>{fact.label.charAt(0).toUpperCase() + fact.label.slice(1)}</dt>
          <dd class={/^\//.test(fact.value) ? 'mono' : ''}>{fact.value}</dd>
        </>
      ))}
    </dl>
  );
}

export function AskRow(props: {
  ask: AskEntry;
  tool: ToolEntry | null;
  me: string | null;
  canDecide: boolean;
}): JSX.Element {
  const { ask, tool, me, canDecide } = props;
  const { chat } = useChat();
  const [open, setOpen] = useOpen(ask.id, false);
  const [note, setNote] = useState<string | null>(null);
  /** This person pressed a button, and somebody else had been faster. */
  const [late, setLate] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const row = useRef<HTMLButtonElement>(null);
  const hadFocus = useRef(false);
  const waiting = ask.state === 'waiting';
  // After a decision the focus goes to the row that replaced the question.
  useLayoutEffect(() => {
    if (!waiting && hadFocus.current) row.current?.focus();
    hadFocus.current = false;
  }, [waiting]);

  const command = askCommand(tool);
  const body = (
    <>
      {command ? <div class="ask__cmd">{command}</div> : null}
      {tool && tool.diff.length > 0 ? <FilesAsked tool={tool} /> : null}
      <Facts facts={newFacts(ask, tool)} />
    </>
  );
  if (!waiting) {
    const option = ask.options.find(({ optionId }) => optionId === ask.optionId);
    const denied = isRejection(option) || ask.state !== 'decided';
    const who = ask.by ? (ask.by.id === me ? 'You' : ask.by.name) : null;
    const bodyId = `body-${ask.id}`;
    return (
      <>
        <Line
          icon={ask.state === 'expired' ? 'clockface' : denied ? 'circle-slash' : 'pass'}
          tone={denied ? 'off' : 'ok'}
          what={late ? lateTitle(ask) : decidedTitle(ask)}
          object={tool ? toolObject(tool) : ask.title}
          meta={[who, clockTime(ask.resolvedAt ?? ask.at)].filter(Boolean).join(', ')}
          open={open}
          onToggle={setOpen}
          bodyId={bodyId}
          buttonRef={row}
        />
        {open ? (
          <div class="tool__body ask__was" id={bodyId}>
            <p>{askTitle(ask, tool)}</p>
            {body}
            {ask.note ? <p class="muted">{ask.note}</p> : null}
          </div>
        ) : null}
      </>
    );
  }
  return (
    <div ref={root}>
      <AskCard
        id={ask.id}
        icon="report"
        title={askTitle(ask, tool)}
        at={ask.at}
        actions={
          <>
            <OptionButtons
              options={ask.options}
              revision={`${ask.approvalId}/${ask.revision}`}
              canDecide={canDecide}
              onDecide={(optionId) => {
                hadFocus.current = root.current?.contains(document.activeElement) === true;
                const decision = chat.host.decide({
                  approvalId: ask.approvalId,
                  optionId,
                  revision: ask.revision,
                  ...(note?.trim() ? { note: note.trim() } : {}),
                });
                decision.catch((error: unknown) => {
                  if (error instanceof Refused && error.refusal.code === 'already-decided')
                    setLate(true);
                });
                return chat.attempt(decision);
              }}
            />
            <span class="grow" />
            {note === null ? (
              <LinkButton class="wide" onPress={() => setNote('')}>
                Add a note
              </LinkButton>
            ) : null}
          </>
        }
      >
        {body}
        {note === null ? null : (
          <textarea
            class="field"
            rows={2}
            aria-label="Note to the agent"
            placeholder="A note that goes with your answer"
            value={note}
            onInput={(event) => setNote(event.currentTarget.value)}
          />
        )}
      </AskCard>
    </div>
  );
}

/** Where nobody can know whether a message arrived, no answer is the safe one: no primary. */
export function UnknownRow(props: { entry: EndEntry; canDecide: boolean }): JSX.Element {
  const { entry, canDecide } = props;
  const { chat } = useChat();
  const ready = useGrace(entry.id);
  const [pressed, setPressed] = useState<string | null>(null);
  const sessionId = chat.state.get().sessionId;
  return (
    <AskCard
      id={entry.id}
      icon="question"
      title={deliveryTitle}
      at={entry.at}
      actions={
        <>
          {settleChoices.map(({ answer, words }) => (
            <Button
              key={answer}
              disabled={pressed !== null || !canDecide}
              busy={pressed === answer}
              onPress={async () => {
                if (!ready || !sessionId) return;
                setPressed(answer);
                await chat.attempt(chat.host.settle({ sessionId, turnId: entry.turnId, answer }));
                setPressed(null);
              }}
            >
              {words}
            </Button>
          ))}
          <span class="grow" />
          {sessionId ? (
            <LinkButton
              class="wide"
              onPress={() => chat.attempt(chat.host.openTerminal({ sessionId, kind: 'shell' }))}
            >
              Open terminal
            </LinkButton>
          ) : null}
        </>
      }
    >
      <p>{`${whyUnknown(entry)} ${deliveryWords}`}</p>
    </AskCard>
  );
}
