import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { announce, announceConnection } from '../store/announce.ts';
import type { ChatState } from '../store/chat.ts';

const pauseMs = 2000;

/** One region that waits for a pause, at most once in two seconds; one that does not wait. */
export function LiveRegions(props: { state: ChatState }): JSX.Element {
  const { state } = props;
  const before = useRef(state);
  const [polite, setPolite] = useState('');
  const [urgent, setUrgent] = useState('');
  const next = useRef<string | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);

  useEffect(() => {
    const was = before.current;
    before.current = state;
    if (was.sessionId !== state.sessionId || !was.transcript) return;
    // An older page is no news.
    if (was.transcript.after !== state.transcript?.after) return;
    const said = announce(was.rows.entries, state.rows.entries);
    const words = announceConnection(was.connection, state.connection) ?? said.polite;
    if (said.urgent) setUrgent(said.urgent);
    if (state.connection.state === 'signedOut' && was.connection.state !== 'signedOut')
      setUrgent('You are signed out. Your draft is kept.');
    if (!words) return;
    next.current = words;
    if (timer.current !== null) return;
    const say = () => {
      timer.current = null;
      if (next.current === null) return;
      setPolite(next.current);
      next.current = null;
      timer.current = setTimeout(say, pauseMs);
    };
    say();
  }, [state]);
  useEffect(
    () => () => {
      if (timer.current !== null) clearTimeout(timer.current);
    },
    [],
  );
  return (
    <>
      <div class="sr" role="status" aria-live="polite">
        {polite}
      </div>
      <div class="sr" role="alert" aria-live="assertive">
        {urgent}
      </div>
    </>
  );
}
