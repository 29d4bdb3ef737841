import type { PlanEntry } from '@berth/contract';
import type { JSX } from 'preact';
import { useOpen } from '../chat/context.ts';
import { Icon } from '../ui/icon.tsx';
import { Line } from '../ui/line.tsx';

const look = {
  completed: { icon: 'check', tone: 'off', said: 'Done: ' },
  in_progress: { icon: 'arrow-right', tone: 'running', said: 'Now: ' },
  pending: { icon: 'circle-large', tone: 'off', said: 'To do: ' },
} as const;

export function Plan(props: { entries: readonly PlanEntry[]; roomy: boolean }): JSX.Element | null {
  const { entries } = props;
  const [open, setOpen] = useOpen('dock:plan', props.roomy);
  if (entries.length === 0) return null;
  const done = entries.filter((entry) => entry.status === 'completed').length;
  const now =
    entries.find((entry) => entry.status === 'in_progress') ??
    entries.find((entry) => entry.status === 'pending');
  return (
    <section class="plan" aria-label="Plan" data-region="plan">
      <Line
        icon="tasklist"
        what={`Plan, ${done} of ${entries.length} done`}
        aside={open || !now ? null : <span class="cut muted">{now.content}</span>}
        open={open}
        onToggle={setOpen}
        bodyId="plan-entries"
      />
      {open ? (
        <ol id="plan-entries" aria-label="Plan" tabIndex={0}>
          {entries.map((entry, index) => {
            const { icon, tone, said } = look[entry.status];
            return (
              <li
                key={index}
                class={entry.status}
                {...(entry.status === 'in_progress' ? { 'aria-current': 'step' as const } : {})}
              >
                <Icon name={icon} tone={tone} />
                <span class="cut" title={entry.content}>
                  <span class="sr">{said}</span>
                  {entry.content}
                </span>
              </li>
            );
          })}
        </ol>
      ) : null}
    </section>
  );
}
