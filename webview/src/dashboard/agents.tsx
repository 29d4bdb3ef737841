import type { JSX } from 'preact';
import { Button } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { writeAddress, type Place } from './address.ts';
import type { DeskState } from './desk.ts';

export function Agents(props: {
  state: DeskState;
  go: (place: Place, replace?: boolean) => void;
}): JSX.Element {
  const { state, go } = props;
  const create = () => go({ screen: 'agent', id: null });
  const running = (agentId: string) =>
    [...state.sessions.values()].filter((session) => session.agentId === agentId).length;
  return (
    <>
      <div class="bar">
        <h1>Agents</h1>
        <span class="grow" />
        <Button primary icon="add" onPress={create}>
          New agent
        </Button>
      </div>
      {state.agents.length === 0 ? (
        <div class="blank">
          <h2>No agents yet</h2>
          <p>An agent is a saved configuration: harness, model, instructions, repository.</p>
        </div>
      ) : (
        <div class="scroll0" tabIndex={0} role="region" aria-label="Agents">
          <table class="tbl">
            <caption class="sr">Agents of this team</caption>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Harness</th>
                <th scope="col">Model</th>
                <th scope="col">Mode</th>
                <th scope="col" class="r">
                  Sessions
                </th>
                <th scope="col" class="r">
                  <span class="sr">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {state.agents.map((agent) => (
                <tr key={agent.id}>
                  <td>
                    <span class="st">
                      <Icon name={agent.harness === 'rehearsal' ? 'beaker' : 'robot'} />
                      <a href={writeAddress({ screen: 'agent', id: agent.id })}>{agent.name}</a>
                    </span>
                  </td>
                  <td class="muted">
                    {state.harnesses.find(({ id }) => id === agent.harness)?.title ?? agent.harness}
                  </td>
                  <td class="muted">{agent.model ?? ''}</td>
                  <td class="muted">{agent.mode === 'ask' ? 'Ask first' : 'Auto'}</td>
                  <td class="r">{running(agent.id)}</td>
                  <td class="r">
                    <a
                      class="link"
                      href={writeAddress({ screen: 'new-session', agentId: agent.id })}
                    >
                      New session<span class="sr">{` with ${agent.name}`}</span>
                    </a>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
