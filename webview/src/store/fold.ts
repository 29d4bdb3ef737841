import type { Event } from '@berth/contract';
import { millis } from '../clock.ts';
import { change, type Change } from './changes.ts';
import { Draft, type View } from './view.ts';

/** Folds events, in order of `seq`, into the view. */
export function fold(view: View, events: readonly Event[]): View {
  if (events.length === 0) return view;
  const draft = new Draft(view);
  for (const event of events) (change[event.kind] as Change)(draft, event);
  const last = events.at(-1);
  if (last) draft.set({ lastAt: millis(last.at) });
  return draft.done();
}
