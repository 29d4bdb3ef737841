import type { Session } from '@berth/contract';
import type { JSX } from 'preact';
import { useChat, useNow } from '../chat/context.ts';
import { millis } from '../clock.ts';
import { activityOf } from '../store/activity.ts';
import { duration, runningFor } from '../store/format.ts';
import type { View } from '../store/view.ts';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';

/** The last line while a turn runs: what happens now and since when. After long silence, three ways out. */
export function ActivityLine(props: { session: Session; view: View }): JSX.Element {
  const { session, view } = props;
  const { chat } = useChat();
  const now = useNow(1000);
  const activity = activityOf(view, session, millis(session.statusSince));
  if (!activity)
    return (
      <div class="line act">
        <Icon name="report" tone="waiting" />
        <span>Waiting for your answer</span>
        <span class="meta">{runningFor(now - millis(session.statusSince))}</span>
      </div>
    );
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
  const sessionId = session.id;
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
