import type { JSX } from 'preact';
import { useChat, useNow } from '../chat/context.ts';
import type { Activity } from '../store/activity.ts';
import { duration } from '@berth/client/words';
import { runningFor } from '../store/format.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';

/** A cancel is answered within a second by an agent that listens. */
const patienceMs = 2000;

/** The last line while a turn runs: what happens now and since when. After long silence, three ways out. */
export function ActivityLine(props: {
  sessionId: string;
  activity: Exclude<Activity, null>;
}): JSX.Element {
  const { sessionId, activity } = props;
  const { chat } = useChat();
  const now = useNow(1000);
  if (activity.kind === 'stopping') {
    const since = now - activity.since;
    return (
      <div class="line act">
        <Icon name="loading" tone="waiting" />
        <span class="cut">
          {since < patienceMs ? 'Stopping' : 'Stopping: no answer yet, its process is ended soon'}
        </span>
        <span class="meta">{runningFor(since)}</span>
      </div>
    );
  }
  if (activity.kind === 'doing')
    return (
      <div class="line act">
        <Icon name="loading" tone="running" />
        <span class="cut">
          {activity.words}
          {activity.object ? <span class="mono"> {activity.object}</span> : null}
        </span>
        <span class="meta">{runningFor(now - activity.since)}</span>
      </div>
    );
  return (
    <>
      <div class="line act">
        <Icon name="warning" tone="waiting" />
        <span class="what">{`Nothing heard from the agent for ${duration(now - activity.since)}.`}</span>
      </div>
      <div class="nest btns">
        <Button onPress={() => chat.attempt(chat.host.openTerminal({ sessionId, kind: 'shell' }))}>
          Open terminal
        </Button>
        <Button onPress={() => chat.attempt(chat.host.cancel({ sessionId }))}>
          Stop this turn
        </Button>
        <Button onPress={() => chat.attempt(chat.host.restartAgent({ sessionId }))}>
          Restart the agent
        </Button>
      </div>
    </>
  );
}
