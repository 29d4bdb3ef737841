import type { Session } from '@berth/contract';
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { millis } from '../clock.ts';
import { money } from '@berth/client/words';
import { lately } from '../store/format.ts';
import { statusLook } from '../store/status.ts';
import { Button } from '../ui/button.tsx';
import { Checkbox, Dropdown, TextField } from '../ui/form.tsx';
import { Icon, LineCounts } from '../ui/icon.tsx';
import { groups, noFilter, writeAddress, type Place, type SessionFilter } from './address.ts';
import type { Desk, DeskState } from './desk.ts';
import { fits, groupSessions } from './filter.ts';

const names = {
  all: 'All',
  'needs-you': 'Needs you',
  running: 'Running',
  failed: 'Failed',
  idle: 'Idle',
};

export function Sessions(props: {
  desk: Desk;
  state: DeskState;
  filter: SessionFilter;
  now: number;
  go: (place: Place, replace?: boolean) => void;
}): JSX.Element {
  const { desk, state, filter, now, go } = props;
  const [archived, setArchived] = useState<readonly Session[] | null>(null);
  useEffect(() => {
    if (!filter.archived) return;
    desk.archived().then(setArchived, () => setArchived([]));
  }, [filter.archived, desk]);
  const live = [...state.sessions.values()].filter(({ archivedAt }) => archivedAt === undefined);
  const all = filter.archived ? (archived ?? []) : live;
  const me = state.me.id;
  const shown = all.filter((session) => fits(session, filter, me, now));
  const counted = (group: SessionFilter['group']) =>
    all.filter((session) => fits(session, { ...filter, group }, me, now)).length;
  const change = (part: Partial<SessionFilter>) =>
    go({ screen: 'sessions', filter: { ...filter, ...part } }, true);
  const start = () => go({ screen: 'new-session', agentId: null });

  if (state.complete && live.length === 0 && !filter.archived)
    return (
      <div class="page">
        <h1 class="sr">Sessions</h1>
        <div class="blank">
          <h2>No sessions yet</h2>
          <p>A session is one conversation with an agent, in its own sandbox.</p>
          {state.meta.gateway.configured ? null : (
            <p>
              No model is connected. Set LITELLM_GATEWAY_URL on the server to use models. The
              rehearsal agent works without one.
            </p>
          )}
          <div class="acts">
            <Button primary onPress={start}>
              New session
            </Button>
          </div>
        </div>
      </div>
    );
  return (
    <>
      <div class="bar">
        <h1>Sessions</h1>
        <div class="bar__search">
          <TextField
            label="Search title"
            placeholder="Search title"
            value={filter.search}
            onChange={(search) => change({ search })}
          />
        </div>
        <div class="seg" role="group" aria-label="Status">
          {groups.map((group) => (
            <button
              key={group}
              type="button"
              aria-pressed={filter.group === group}
              onClick={() => change({ group })}
            >
              {`${names[group]} ${counted(group)}`}
            </button>
          ))}
        </div>
        <Dropdown
          label="Agent"
          value={filter.agentId ?? ''}
          options={[
            { value: '', label: 'All agents' },
            ...state.agents.map(({ id, name }) => ({ value: id, label: name })),
          ]}
          onChange={(id) => change({ agentId: id === '' ? null : id })}
        />
        <Checkbox checked={filter.mine} onChange={(mine) => change({ mine })}>
          Mine
        </Checkbox>
        <Checkbox checked={filter.archived} onChange={(next) => change({ archived: next })}>
          Archived
        </Checkbox>
        <span class="grow" />
        <Button primary icon="add" onPress={start}>
          New session
        </Button>
      </div>
      {shown.length === 0 ? (
        state.complete ? (
          <div class="blank">
            <h2>No session fits</h2>
            <p>{`${all.length} ${all.length === 1 ? 'session is' : 'sessions are'} hidden by the filter.`}</p>
            <div class="acts">
              <Button onPress={() => go({ screen: 'sessions', filter: noFilter }, true)}>
                Clear filter
              </Button>
            </div>
          </div>
        ) : (
          <p class="sr" role="status">
            Loading the sessions
          </p>
        )
      ) : (
        <Table sessions={shown} now={now} />
      )}
    </>
  );
}

function Table(props: { sessions: readonly Session[]; now: number }): JSX.Element {
  const { sessions, now } = props;
  return (
    <div class="scroll0" tabIndex={0} role="region" aria-label="Sessions">
      <table class="tbl">
        <caption class="sr">Sessions, kept up to date</caption>
        <colgroup>
          <col class="c-status" />
          <col />
          <col class="c-agent" />
          <col class="c-owner" />
          <col class="c-changes" />
          <col class="c-cost" />
          <col class="c-active" />
        </colgroup>
        <thead>
          <tr>
            <th scope="col">Status</th>
            <th scope="col">Title</th>
            <th scope="col" class="c-agent">
              Agent
            </th>
            <th scope="col" class="c-owner">
              Owner
            </th>
            <th scope="col" class="r c-changes">
              Changes
            </th>
            <th scope="col" class="r c-cost">
              Cost
            </th>
            <th scope="col" class="r" aria-sort="descending">
              Active <Icon name="arrow-down" class="sm" />
            </th>
          </tr>
        </thead>
        {groupSessions(sessions, now).map(({ group, items }) => (
          <tbody key={group}>
            <tr class="grp">
              <th colSpan={7} scope="rowgroup">
                {names[group]} <span class="num">{items.length}</span>
              </th>
            </tr>
            {items.map((session) => (
              <SessionRow key={session.id} session={session} now={now} />
            ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function SessionRow(props: { session: Session; now: number }): JSX.Element {
  const { session, now } = props;
  const look = statusLook(session, now);
  const { changes } = session;
  return (
    <tr>
      <td>
        <span class="st">
          <Icon name={look.icon} tone={look.tone} />
          <span class="cut" title={look.words}>
            {look.words}
          </span>
        </span>
      </td>
      <td>
        <a href={writeAddress({ screen: 'session', id: session.id })} title={session.title}>
          {session.title}
        </a>
      </td>
      <td class="muted c-agent">{session.agentName}</td>
      <td class="muted c-owner">{session.createdBy.name}</td>
      <td class="r c-changes">
        {changes && changes.files > 0 ? (
          <LineCounts added={changes.added} deleted={changes.deleted} />
        ) : null}
      </td>
      <td class="r c-cost">{money(session.usage.costUsd)}</td>
      <td class="r muted">{lately(millis(session.lastActivityAt), now)}</td>
    </tr>
  );
}
