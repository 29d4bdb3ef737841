import type { JSX } from 'preact';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Composer } from '../composer/composer.tsx';
import { heldBy, replacesComposer } from '../composer/held-by.ts';
import { historyOf } from '../composer/history.ts';
import { HeldLine } from '../composer/held.tsx';
import { Header } from '../header/header.tsx';
import { Plan } from '../plan/plan.tsx';
import { Queue } from '../queue/queue.tsx';
import type { Chat } from '../store/chat.ts';
import { useObservable } from '../store/observable.ts';
import { goesAtOnce, queueOf, whyWaiting, type Waiting } from '../store/queue.ts';
import { Strip } from '../strip/strip.tsx';
import { Transcript } from '../transcript/transcript.tsx';
import { Icon, LinkButton } from '../ui/icon.tsx';
import { ChatProvider, createDisclosure } from './context.ts';
import { LiveRegions } from './live-regions.tsx';
import { nextRegion } from './regions.ts';

/** Where the styles turn to the shape for a side bar. */
const narrowPx = 560;

export function ChatView(props: { chat: Chat; newId: () => string; main: boolean }): JSX.Element {
  const { chat, newId, main } = props;
  const state = useObservable(chat.state);
  const { session, transcript, hello } = state;
  const disclosure = useMemo(createDisclosure, [state.sessionId]);
  const context = useMemo(() => ({ chat, disclosure }), [chat, disclosure]);
  const textRef = useRef<HTMLTextAreaElement>(null);
  const root = useRef<HTMLElement>(null);
  const [editing, setEditing] = useState<Waiting | null>(null);
  const [wide, setWide] = useState(false);
  useLayoutEffect(() => {
    const element = root.current;
    if (!element) return;
    const measure = () => setWide(element.clientWidth > narrowPx && element.clientHeight > 640);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const focusComposer = () => textRef.current?.focus();
  const opened = transcript !== null;

  useEffect(() => chat.onFocusComposer(focusComposer), [chat]);
  // Opening a session puts the person where they write.
  useEffect(() => {
    if (opened) focusComposer();
  }, [state.sessionId, opened]);
  // What is on the screen has been seen.
  const lastSeq = transcript?.to ?? 0;
  useEffect(() => {
    const { sessionId } = state;
    if (!sessionId || !session || lastSeq <= session.unreadSeq || document.hidden) return;
    const timer = setTimeout(() => {
      // Not worth words on the screen: the next one will go through.
      chat.host
        .markRead({ sessionId, seq: lastSeq })
        .catch((error: unknown) => console.error(error));
    }, 1000);
    return () => clearTimeout(timer);
  }, [lastSeq, session?.unreadSeq, state.sessionId]);

  const queue = useMemo(
    () =>
      transcript ? queueOf(transcript.queue, transcript.view, state.turns, state.outgoing) : [],
    [transcript, state.turns, state.outgoing],
  );
  // What the agent gets at once stands in the conversation; the queue is what waits for another turn.
  const goesNext =
    session !== null && goesAtOnce(session) && !hasOpenTurn(transcript?.view.turns)
      ? (queue[0] ?? null)
      : null;
  const waiting = goesNext ? queue.slice(1) : queue;

  const me = hello?.me.id ?? null;
  const history = useCallback(() => historyOf(chat.state.get().rows.entries, me), [chat, me]);
  const connected = state.connection.state === 'connected';
  const held = heldBy(state);
  const Root = main ? 'main' : 'section';
  return (
    <ChatProvider value={context}>
      <Root
        ref={root}
        class="chat"
        {...(main ? {} : { 'aria-label': 'Chat' })}
        onKeyDown={(event: KeyboardEvent) => {
          if (event.key === 'F6' && root.current && nextRegion(root.current, event.shiftKey))
            event.preventDefault();
        }}
      >
        {session ? (
          <Header session={session} connected={connected} lastHeardAt={state.lastHeardAt} />
        ) : (
          <div />
        )}
        <Strip state={state} />
        {state.missing ? (
          <div class="blank">
            <h2>
              {state.missing.code === 'not-found'
                ? 'This session is not here'
                : 'The session could not be opened'}
            </h2>
            <p>
              {state.missing.code === 'not-found'
                ? 'It was deleted, or it belongs to a team that you are not in.'
                : state.missing.detail}
            </p>
          </div>
        ) : transcript && session ? (
          state.rows.rows.length === 0 && !goesNext ? (
            <Empty />
          ) : (
            <Transcript
              key={state.sessionId}
              state={state}
              next={goesNext}
              connected={connected}
              onEscape={focusComposer}
            />
          )
        ) : (
          <Opening asked={state.sessionId !== null} />
        )}
        {session && transcript && hello ? (
          <div class="dock">
            <div class="dock__in">
              <Plan entries={transcript.view.plan} roomy={wide && waiting.length === 0} />
              <Queue
                waiting={waiting}
                offset={goesNext ? 1 : 0}
                why={whyWaiting(session, hasUnknownTurn(transcript.view.turns))}
                me={hello.me.id}
                onEdit={setEditing}
              />
              {state.refusal ? (
                <div class="note" role="alert">
                  <Icon name="error" tone="error" />
                  <p class="grow">{state.refusal}</p>
                </div>
              ) : null}
              {held && held !== 'read-only' ? (
                <HeldLine held={held} session={session} view={transcript.view} me={hello.me} />
              ) : null}
              {replacesComposer(held) ? null : (
                <Composer
                  key={state.sessionId}
                  session={session}
                  view={transcript.view}
                  hello={hello}
                  connected={connected}
                  models={state.models}
                  history={history}
                  waiting={waiting}
                  editing={editing}
                  editingGone={editing !== null && !queue.some(isSame(editing))}
                  onEdit={setEditing}
                  newId={newId}
                  textRef={textRef}
                />
              )}
            </div>
          </div>
        ) : (
          <div />
        )}
        <LiveRegions state={state} />
      </Root>
    </ChatProvider>
  );
}

const isSame =
  ({ turnId }: Waiting) =>
  (other: Waiting): boolean =>
    other.turnId === turnId;

const hasUnknownTurn = (turns: ReadonlyMap<string, { state: string }>): boolean =>
  [...turns.values()].some(({ state }) => state === 'unknown');

function hasOpenTurn(turns: ReadonlyMap<string, { state: string }> | undefined): boolean {
  for (const turn of turns?.values() ?? [])
    if (turn.state === 'running' || turn.state === 'unknown') return true;
  return false;
}

function Empty(): JSX.Element {
  return (
    <div class="blank">
      <p>
        Write what the agent should do. In the mode “Ask first” it asks before it writes or runs
        something.
      </p>
    </div>
  );
}

const patienceMs = 10_000;
/** Ten seconds are long for an answer from a server that works: say so, with a way on, instead of turning for ever. */
function Opening(props: { asked: boolean }): JSX.Element {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), patienceMs);
    return () => clearTimeout(timer);
  }, []);
  if (!props.asked)
    return (
      <div class="blank">
        <h2>No session is open</h2>
        <p>Choose a session, or start a new one.</p>
      </div>
    );
  return (
    <div class="blank" role="status">
      {late ? (
        <>
          <h2>The server does not answer</h2>
          <p>Agents go on without this page.</p>
          <LinkButton onPress={() => location.reload()}>Try again</LinkButton>
        </>
      ) : (
        <p class="sr">Opening the session</p>
      )}
    </div>
  );
}
