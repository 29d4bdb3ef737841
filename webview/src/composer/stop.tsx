import { isDeliveryUnknown, isStopping, isTurnRunning } from '@berth/client/status';
import type { Session } from '@berth/contract';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useChat } from '../chat/context.ts';
import { IconButton } from '../ui/icon.tsx';

/** A message in question runs nowhere: it is answered, not stopped. */
const runs = (session: Session): boolean => isTurnRunning(session) && !isDeliveryUnknown(session);

/** How long the first Escape waits for the second. */
const armedMs = 2000;

/** Stops the running turn: by the button at once, by the keyboard with Escape twice, because one Escape is pressed for many reasons. */
export function useStop(
  session: Session,
  connected: boolean,
): { canStop: boolean; armed: boolean; stop: () => void; escape: () => boolean } {
  const { chat } = useChat();
  const [armed, setArmed] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const canStop = connected && runs(session) && !isStopping(session);
  const disarm = (): void => {
    clearTimeout(timer.current);
    setArmed(false);
  };
  useEffect(() => {
    if (!canStop) disarm();
  }, [canStop]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const stop = (): void => {
    disarm();
    chat
      .attempt(chat.host.cancel({ sessionId: session.id }))
      .catch((error: unknown) => console.error(error));
  };
  return {
    canStop,
    armed: armed && canStop,
    stop,
    escape: () => {
      if (!canStop) return false;
      if (armed) stop();
      else {
        setArmed(true);
        timer.current = setTimeout(() => setArmed(false), armedMs);
      }
      return true;
    },
  };
}

export function StopButton(props: {
  session: Session;
  canStop: boolean;
  onStop: () => void;
}): JSX.Element | null {
  const { session, canStop, onStop } = props;
  if (!runs(session)) return null;
  return isStopping(session) ? (
    <IconButton icon="loading" label="Stopping this turn" disabled onPress={() => undefined} />
  ) : (
    <IconButton
      icon="debug-stop"
      label="Stop this turn"
      title="Stop this turn (Esc twice)"
      disabled={!canStop}
      onPress={onStop}
    />
  );
}
