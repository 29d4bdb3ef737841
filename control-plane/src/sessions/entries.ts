import type { ContentBlock, EventKind, Payload } from '@berth/contract';
import type { Entry } from './log/entry.ts';
import type { ApprovalRow } from './approvals.store.ts';
import type { TurnRow } from './turns.store.ts';

/** An event that the control plane itself writes: its payload is checked by the compiler. */
export function entryOf<K extends EventKind>(
  kind: K,
  payload: Payload<K>,
  at: number,
  turnId?: string | null,
): Entry {
  const entry: Entry = { kind, payload: JSON.stringify(payload), at };
  return turnId === undefined || turnId === null ? entry : { ...entry, turnId };
}

const person = (turn: TurnRow) => ({ id: turn.by_id, name: turn.by_name });

export const turnQueued = (turn: TurnRow, at: number): Entry =>
  entryOf(
    'turn.queued',
    {
      turnId: turn.id,
      prompt: turn.prompt,
      by: person(turn),
      ...(turn.position === null ? {} : { position: turn.position }),
    },
    at,
    turn.id,
  );

export const userMessage = (turn: TurnRow, content: ContentBlock[], at: number): Entry =>
  entryOf(
    'message.user',
    { messageId: turn.id, turnId: turn.id, content, by: person(turn) },
    at,
    turn.id,
  );

export const turnEnded = (turn: TurnRow, at: number): Entry =>
  entryOf(
    'turn.ended',
    {
      turnId: turn.id,
      state: turn.state,
      ...(turn.stop_reason === null ? {} : { stopReason: turn.stop_reason }),
      ...(turn.error === null ? {} : { error: turn.error }),
      ...(turn.usage === null ? {} : { usage: turn.usage }),
    },
    at,
    turn.id,
  );

export const approvalSuperseded = (approvalId: string, turnId: string, at: number): Entry =>
  entryOf('approval.resolved', { approvalId, state: 'superseded' }, at, turnId);

/** Null while it waits. */
export function approvalResolved(approval: ApprovalRow, at: number): Entry | null {
  if (approval.state === 'waiting') return null;
  return entryOf(
    'approval.resolved',
    {
      approvalId: approval.id,
      state: approval.state,
      ...(approval.option_id === null ? {} : { optionId: approval.option_id }),
      ...(approval.note === null ? {} : { note: approval.note }),
      ...(approval.decided_by_id === null || approval.decided_by_name === null
        ? {}
        : { by: { id: approval.decided_by_id, name: approval.decided_by_name } }),
    },
    at,
    approval.turn_id,
  );
}
