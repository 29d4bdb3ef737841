import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { systemClock, type Clock } from '../clock.ts';
import { nextRegion } from '../chat/regions.ts';
import { useObservable } from '../store/observable.ts';
import { Icon, LinkButton } from '../ui/icon.tsx';
import { AgentForm } from './agent-form.tsx';
import { Agents } from './agents.tsx';
import { noFilter, readAddress, writeAddress, type Place } from './address.ts';
import type { Desk, DeskState } from './desk.ts';
import { Inbox } from './inbox.tsx';
import { NewSession } from './new-session.tsx';
import { SessionPage } from './session.tsx';
import { Sessions } from './sessions.tsx';

const entries: { title: string; icon: string; to: Place; screens: Place['screen'][] }[] = [
  {
    title: 'Sessions',
    icon: 'comment-discussion',
    to: { screen: 'sessions', filter: noFilter },
    screens: ['sessions', 'session', 'new-session'],
  },
  {
    title: 'Approvals',
    icon: 'inbox',
    to: { screen: 'approvals', show: 'waiting' },
    screens: ['approvals'],
  },
  { title: 'Agents', icon: 'robot', to: { screen: 'agents' }, screens: ['agents', 'agent'] },
];

export function Dashboard(props: { desk: Desk; clock?: Clock }): JSX.Element {
  const { desk, clock = systemClock } = props;
  const state = useObservable(desk.state);
  const [place, setPlace] = useState<Place>(() => readAddress(location.hash));
  const [now, setNow] = useState(() => clock.now());
  useEffect(() => {
    const read = () => setPlace(readAddress(location.hash));
    const tick = setInterval(() => setNow(clock.now()), 5000);
    window.addEventListener('hashchange', read);
    return () => {
      clearInterval(tick);
      window.removeEventListener('hashchange', read);
    };
  }, [clock]);
  const go = (to: Place, replace = false): void => {
    const hash = writeAddress(to);
    // A filter is no step that Back should undo; another screen is.
    if (replace) {
      history.replaceState(null, '', hash);
      setPlace(to);
    } else location.hash = hash;
  };
  const waiting = [...state.approvals.values()].filter(({ state: of }) => of === 'waiting').length;
  useEffect(() => {
    document.title = waiting > 0 ? `(${waiting}) Berth` : 'Berth';
  }, [waiting]);
  const role = state.me.roles[0];
  return (
    <div
      class="app"
      onKeyDown={(event) => {
        if (event.key !== 'F6' || event.defaultPrevented) return;
        if (nextRegion(event.currentTarget, event.shiftKey)) event.preventDefault();
      }}
    >
      <nav class="nav" aria-label="Main" data-region="nav">
        <div class="brand">
          <Anchor />
          <span class="nav__text">Berth</span>
        </div>
        {entries.map(({ title, icon, to, screens }) => (
          <a
            key={title}
            href={writeAddress(to)}
            title={title}
            {...(screens.includes(place.screen) ? { 'aria-current': 'page' as const } : {})}
          >
            <Icon name={icon} />
            <span class="grow nav__text">{title}</span>
            {to.screen === 'approvals' && waiting > 0 ? (
              <span class="badge">
                <span aria-hidden="true">{waiting}</span>
                <span class="sr">{`${waiting} waiting`}</span>
              </span>
            ) : null}
          </a>
        ))}
        <div class="nav__foot">
          <div class="cut">{state.me.team.name}</div>
          <div class="cut">{role ? `${state.me.name}, ${role}` : state.me.name}</div>
          <div class="cut">{`Berth ${state.meta.version}, ${state.meta.drivers.join(', ')}`}</div>
        </div>
      </nav>
      <main class="main">
        {place.screen === 'session' ? null : <Notice state={state} desk={desk} />}
        <Screen desk={desk} state={state} place={place} now={now} go={go} />
      </main>
    </div>
  );
}

function Screen(props: {
  desk: Desk;
  state: DeskState;
  place: Place;
  now: number;
  go: (place: Place, replace?: boolean) => void;
}): JSX.Element | null {
  const { desk, state, place, now, go } = props;
  switch (place.screen) {
    case 'sessions':
      return <Sessions desk={desk} state={state} filter={place.filter} now={now} go={go} />;
    case 'session':
      return <SessionPage key={place.id} desk={desk} id={place.id} />;
    case 'new-session':
      return <NewSession desk={desk} state={state} agentId={place.agentId} go={go} />;
    case 'approvals':
      return <Inbox desk={desk} state={state} show={place.show} now={now} go={go} />;
    case 'agents':
      return <Agents state={state} go={go} />;
    case 'agent':
      return <AgentForm key={place.id ?? 'new'} desk={desk} state={state} id={place.id} go={go} />;
  }
}

/** One line over every list: no isolation, or no connection. A chat has its own. */
function Notice(props: { state: DeskState; desk: Desk }): JSX.Element | null {
  const { state, desk } = props;
  if (!state.meta.isolation.isolated)
    return (
      <div class="strip" role="note">
        <Icon name="unlock" tone="error" />
        <span class="grow">
          <b class="bad">No isolation.</b> This server runs agents without a sandbox.
        </span>
      </div>
    );
  if (state.connection.state === 'connected') return null;
  if (state.connection.state === 'signedOut')
    return (
      <div class="strip" role="alert">
        <Icon name="sign-in" />
        <span class="grow">You are signed out. Your draft is kept on this computer.</span>
        <LinkButton onPress={() => location.reload()}>Sign in</LinkButton>
      </div>
    );
  return (
    <div class="strip" role="status">
      <Icon name="debug-disconnect" tone="waiting" />
      <span class="grow">
        {state.complete
          ? 'Connection lost. Agents go on without this page; what you see is from before.'
          : 'Connecting.'}
      </span>
      <LinkButton onPress={() => desk.reconnect()}>Try now</LinkButton>
    </div>
  );
}

function Anchor(): JSX.Element {
  return (
    <svg
      width="20"
      height="20"
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      aria-hidden="true"
    >
      <path d="M4 5v11a3 3 0 0 0 3 3h10a3 3 0 0 0 3-3V5" />
      <rect x="8.75" y="8.75" width="6.5" height="6.5" rx="1" />
    </svg>
  );
}
