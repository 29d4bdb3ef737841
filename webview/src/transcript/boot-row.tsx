import type { JSX } from 'preact';
import { useChat, useOpen } from '../chat/context.ts';
import type { BootEntry } from '../store/entries.ts';
import { progressWords } from '../store/format.ts';
import { duration } from '@berth/client/words';
import { Icon, LinkButton } from '../ui/icon.tsx';
import { Line } from '../ui/line.tsx';
import { Elapsed } from './tool-row.tsx';

const phaseWords: Record<string, string> = {
  requested: 'Requested',
  installing: 'Installing the agent',
  creating: 'Creating the sandbox',
  starting: 'Starting the sandbox',
  'agent-starting': 'Starting the agent',
  waking: 'Waking up',
};

export function BootRow(props: { entry: BootEntry; connected: boolean }): JSX.Element {
  const { entry, connected } = props;
  const { chat } = useChat();
  const [open, setOpen] = useOpen(entry.id, entry.state !== 'ready');
  const starting = entry.state === 'starting';
  const words = {
    starting: entry.waking ? 'Waking the sandbox' : 'Starting the sandbox',
    ready: entry.waking ? 'Sandbox awake' : 'Sandbox ready',
    failed: 'The sandbox did not start',
  }[entry.state];
  const sessionId = chat.state.get().sessionId;
  const bodyId = `body-${entry.id}`;
  const ends = entry.phases.map((_, index) => entry.phases[index + 1]?.at ?? entry.endedAt ?? null);
  const spins = starting && connected;
  return (
    <>
      <Line
        icon={entry.state === 'failed' ? 'error' : spins ? 'loading' : 'vm'}
        tone={entry.state === 'failed' ? 'error' : spins ? 'running' : undefined}
        what={words}
        meta={
          entry.endedAt !== undefined ? (
            duration(entry.endedAt - entry.at)
          ) : connected ? (
            <Elapsed since={entry.at} />
          ) : null
        }
        open={open}
        onToggle={setOpen}
        bodyId={bodyId}
      />
      {open ? (
        <div class="tool__body" id={bodyId}>
          <ol class="phases">
            {entry.phases.map((phase, index) => {
              const end = ends[index] ?? null;
              const last = index === entry.phases.length - 1;
              const done = end !== null && !(last && entry.state === 'failed');
              const { progress } = phase;
              return (
                <li key={phase.phase} class="line">
                  <Icon
                    name={
                      done
                        ? 'check'
                        : entry.state === 'failed'
                          ? 'error'
                          : spins
                            ? 'loading'
                            : 'circle-large'
                    }
                    tone={done ? 'off' : entry.state === 'failed' ? 'error' : 'running'}
                  />
                  <span class="what cut" title={phase.detail}>
                    {phase.detail ?? phaseWords[phase.phase] ?? phase.phase}
                  </span>
                  <span class="meta pushed">
                    {progress && !done ? (
                      progressWords(progress)
                    ) : end !== null ? (
                      duration(end - phase.at)
                    ) : connected ? (
                      <Elapsed since={phase.at} />
                    ) : null}
                  </span>
                </li>
              );
            })}
          </ol>
          {entry.state === 'failed' && entry.detail ? <p>{entry.detail}</p> : null}
          {entry.state === 'failed' && entry.logs.length > 0 ? (
            <div class="out">
              <div class="more">
                <span class="grow">
                  {entry.logs.length === 1
                    ? 'Last line of the log'
                    : `Last ${entry.logs.length} lines of the log`}
                </span>
                {sessionId ? (
                  <LinkButton onPress={() => chat.attempt(chat.host.showLog({ sessionId }))}>
                    Show log
                  </LinkButton>
                ) : null}
              </div>
              <pre tabIndex={0} role="region" aria-label="Log">
                {entry.logs.join('\n')}
              </pre>
            </div>
          ) : null}
        </div>
      ) : null}
    </>
  );
}
