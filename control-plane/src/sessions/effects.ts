import { eventPayloads, isKnownKind, type EventKind, type Payload } from '@berth/contract';
import type { SourceItem } from '@berth/contract/link';
import * as z from 'zod/mini';
import {
  insertApproval,
  resolutionHasEvent,
  resolveApproval,
  supersedeOfTurn,
} from './approvals.store.ts';
import type { Core } from './core.ts';
import { endIsTold } from './ends.ts';
import { approvalSuperseded, entryOf, turnEnded, userMessage } from './entries.ts';
import {
  countUsage,
  endTerminal,
  readAgentOf,
  readState,
  replaceSandbox,
  writeFields,
  writePhase,
} from './facts.store.ts';
import { base, nothing, refusal, type Effect } from './item-entries.ts';
import type { Entry } from './log/entry.ts';
import type { Owned } from './owner.ts';
import { withOutputAside } from './tool-output.ts';
import { moveOwned } from './move-owned.ts';
import { readTurn, toldEnds, turnHasEvent } from './turns.store.ts';

const messageEnd = z.object({ messageId: z.string() });
/** `holder`: while the agent's own terminal has the conversation, the chat waits. */
const agentSession = z.object({
  agentSessionId: z.optional(z.string().check(z.maxLength(1024))),
  holder: z.optional(z.enum(['chat', 'terminal'])),
});
const outdated = z.object({ generation: z.int(), detail: z.string().check(z.maxLength(1000)) });
const changesItem = z.object({ files: z.int(), added: z.int(), deleted: z.int() });

/** Everything but deltas. */
export async function effectOf(core: Core, owned: Owned, item: SourceItem): Promise<Effect> {
  const at = core.clock.now();
  const { kind } = item;
  switch (kind) {
    case 'message.end':
    case 'thought.end': {
      const payload = z.safeParse(messageEnd, item.payload);
      if (!payload.success) return { entries: [refusal(item, 'no messageId', at)] };
      const text = kind === 'message.end' ? 'message' : 'thought';
      const closed = owned.log.close(text, payload.data.messageId, at);
      return { entries: closed === null ? [] : [withRaw(closed, item)] };
    }
    case 'agent.session': {
      const payload = z.safeParse(agentSession, item.payload);
      if (!payload.success) return { entries: [refusal(item, 'not an agent’s session', at)] };
      await writeFields(core.pool, owned.sessionId, payload.data);
      return { entries: [], advance: 'session' };
    }
    case 'sandbox.outdated': {
      const payload = z.safeParse(outdated, item.payload);
      if (!payload.success) return { entries: [refusal(item, 'no generation', at)] };
      await replaceSandbox(core.pool, owned.sessionId, payload.data.generation);
      const text = payload.data.detail;
      return {
        entries: [
          { ...base(item, at), ...entryOf('notice', { code: 'sandbox-outdated', text }, at) },
        ],
        committed: async () => core.sandboxes.hint(owned.sessionId),
      };
    }
    case 'changes': {
      const payload = z.safeParse(changesItem, item.payload);
      if (!payload.success) return { entries: [refusal(item, 'not a count of changes', at)] };
      await writeFields(core.pool, owned.sessionId, { changes: payload.data });
      return { entries: [], advance: 'session' };
    }
    default: {
      // Kinds that this build does not know pass untouched: readers ignore them.
      if (!isKnownKind(kind))
        return { entries: [{ ...base(item, at), kind, payload: JSON.stringify(item.payload) }] };
      const payload = z.safeParse(eventPayloads[kind], item.payload);
      if (!payload.success)
        // The runner does not know the revision; it is ours to give.
        return kind === 'approval.requested'
          ? known(core, owned, item, kind, at)
          : { entries: [refusal(item, z.prettifyError(payload.error), at)] };
      return known(core, owned, item, kind, at);
    }
  }
}

const withRaw = (entry: Entry, item: SourceItem): Entry =>
  item.raw === undefined ? entry : { ...entry, raw: item.raw };

async function known(
  core: Core,
  owned: Owned,
  item: SourceItem,
  kind: EventKind,
  at: number,
): Promise<Effect> {
  /** Checked by the caller against the schema of this very kind. */
  const as = <K extends EventKind>(_kind: K) => item.payload as unknown as Payload<K>;
  const asIs: Entry = { ...base(item, at), kind, payload: JSON.stringify(item.payload) };
  switch (kind) {
    case 'turn.started':
      return turnStarted(core, owned, item, as(kind).turnId, at);
    case 'turn.ended':
      return turnEndedBy(core, owned, item, as(kind), at);
    case 'approval.requested':
      return approvalRequested(core, owned, item, at);
    case 'approval.resolved':
      return approvalResolvedBy(core, owned, as(kind), asIs, at);
    case 'sandbox.phase':
      return phase(core, owned, as(kind), asIs, at);
    case 'message':
    case 'thought': {
      const range = owned.log.takeRange(kind, as(kind).messageId);
      if (range === null) return { entries: [asIs] };
      return {
        entries: [{ ...asIs, payload: JSON.stringify({ ...item.payload, supersedes: range }) }],
      };
    }
    case 'tool':
      return { entries: [await withOutputAside(core, owned, item, as(kind), asIs)] };
    case 'mode':
      await writeFields(core.pool, owned.sessionId, { mode: as(kind).current });
      return { entries: [asIs], advance: 'session' };
    case 'terminal.closed':
      await endTerminal(core.pool, owned.sessionId, as(kind), new Date(at));
      return { entries: [asIs] };
    case 'usage':
      return { entries: [asIs], committed: () => used(core, owned) };
    case 'message.user':
      return typedInTerminal(core, owned, item, as(kind), asIs);
    // These are the control plane's own to say.
    case 'session.status':
    case 'turn.queued':
      return { entries: [refusal(item, 'not a runner’s to say', at)] };
    case 'message.delta':
    case 'thought.delta':
    case 'plan':
    case 'commands':
    case 'terminal.opened':
    case 'notice':
    case 'error':
      return { entries: [asIs] };
  }
}

/** The messages of turns are the control plane's to say; what was typed in the agent's own terminal is the runner's. */
async function typedInTerminal(
  core: Core,
  owned: Owned,
  item: SourceItem,
  { turnId, via, by }: Payload<'message.user'>,
  asIs: Entry,
): Promise<Effect> {
  const own =
    via === 'terminal' &&
    by === undefined &&
    item.turnId === turnId &&
    (await readTurn(core.pool, owned.sessionId, turnId)) === null;
  return { entries: [own ? asIs : refusal(item, 'not a runner’s to say', asIs.at)] };
}

async function turnStarted(
  core: Core,
  owned: Owned,
  item: SourceItem,
  turnId: string,
  at: number,
): Promise<Effect> {
  const { pool } = core;
  const { sessionId } = owned;
  const moved = await moveOwned(core, owned, turnId, { kind: 'started' }, 'running', new Date(at));
  const turn = moved ?? (await readTurn(pool, sessionId, turnId));
  if (turn === null) return { entries: [refusal(item, 'no such turn', at)] };
  // Not moved, or sent a second time: the row cannot tell whether the log has its prompt already.
  const again = moved === null || turn.resends > 0;
  const told = again && (await turnHasEvent(pool, sessionId, turnId, 'message.user'));
  if (moved === null && told) return nothing;
  await writeFields(pool, sessionId, { currentTurnId: turnId });
  const started = { ...base(item, at), ...entryOf('turn.started', { turnId }, at, turnId) };
  return {
    entries: told ? [started] : [userMessage(turn, turn.prompt, at), started],
    advance: 'session',
  };
}

async function turnEndedBy(
  core: Core,
  owned: Owned,
  item: SourceItem,
  payload: Payload<'turn.ended'>,
  at: number,
): Promise<Effect> {
  const { pool } = core;
  const { sessionId } = owned;
  const { turnId, state, stopReason, error, usage } = payload;
  if (state !== 'done' && state !== 'cancelled' && state !== 'failed' && state !== 'unknown')
    return { entries: [refusal(item, `a turn does not end as ${state}`, at)] };
  const moved = await moveOwned(
    core,
    owned,
    turnId,
    { kind: 'ended', state },
    state,
    new Date(at),
    {
      ...(stopReason === undefined ? {} : { stopReason }),
      ...(error === undefined ? {} : { error }),
      ...(usage === undefined ? {} : { usage }),
    },
  );
  const turn = moved ?? (await readTurn(pool, sessionId, turnId));
  // Ended before in another way (a person settled it meanwhile): the log has that end already.
  if (turn?.state !== state) return nothing;
  const { resends } = turn;
  const told = moved === null ? await toldEnds(pool, sessionId, turnId) : [];
  if (endIsTold({ state, resends, told })) return nothing;
  await writeFields(pool, sessionId, { currentTurnId: null });
  const moot =
    state === 'unknown' ? [] : await supersedeOfTurn(pool, sessionId, turnId, new Date(at));
  for (const id of moot) owned.resolved.add(id);
  // What went through the gateway is counted there; an agent without a model says itself what it used.
  const agent = usage === undefined ? null : await readAgentOf(pool, sessionId);
  const own =
    usage !== undefined &&
    agent !== null &&
    core.harnesses.record(agent.harness).protocol === 'none'
      ? usage
      : null;
  return {
    entries: [
      ...owned.log.closeAll(at),
      ...(own === null ? [] : [entryOf('usage', own, at, turnId)]),
      ...moot.map((approvalId) => approvalSuperseded(approvalId, turnId, at)),
      { ...base(item, at), ...turnEnded(turn, at) },
    ],
    advance: moot.length > 0 ? 'approvals' : 'session',
    ...(own === null ? {} : { committed: () => used(core, owned) }),
  };
}

async function approvalResolvedBy(
  core: Core,
  owned: Owned,
  { approvalId, state }: Payload<'approval.resolved'>,
  asIs: Entry,
  at: number,
): Promise<Effect> {
  const { pool } = core;
  const { sessionId } = owned;
  // A decision is the control plane's to tell, and it did.
  if (state === 'decided') return nothing;
  const after = await resolveApproval(pool, sessionId, approvalId, state, new Date(at));
  if (after?.state !== state) return nothing;
  const told =
    !after.moved &&
    (owned.resolved.has(approvalId) || (await resolutionHasEvent(pool, sessionId, approvalId)));
  if (told) return nothing;
  owned.resolved.add(approvalId);
  return { entries: [asIs], advance: 'approvals' };
}

const requested = z.omit(eventPayloads['approval.requested'], { revision: true });

async function approvalRequested(
  core: Core,
  owned: Owned,
  item: SourceItem,
  at: number,
): Promise<Effect> {
  const payload = z.safeParse(requested, item.payload);
  if (!payload.success) return { entries: [refusal(item, z.prettifyError(payload.error), at)] };
  const turnId = payload.data.turnId ?? item.turnId ?? null;
  const revision = await insertApproval(
    core.pool,
    { teamId: owned.teamId, sessionId: owned.sessionId, turnId, createdAt: new Date(at) },
    payload.data,
  );
  if (revision === null)
    return { entries: [refusal(item, 'this approval is another session’s', at)] };
  // The event asks for revision 1 even when the answer came before this repeat: the answer's event follows it.
  const text = JSON.stringify({ ...item.payload, revision: 1 });
  return {
    entries: [{ ...base(item, at), kind: 'approval.requested', payload: text }],
    advance: 'approvals',
  };
}

async function phase(
  core: Core,
  owned: Owned,
  payload: Payload<'sandbox.phase'>,
  asIs: Entry,
  at: number,
): Promise<Effect> {
  const state = await readState(core.pool, owned.sessionId);
  // An item from before the sandbox was put to sleep says nothing about now.
  if (state === null || ['suspending', 'suspended', 'removed'].includes(state.phase))
    return nothing;
  await writePhase(core.pool, owned.sessionId, {
    phase: payload.phase,
    detail: payload.detail ?? null,
  });
  // A text that streamed when its agent died is complete as far as it goes.
  const closed = payload.phase === 'ready' ? [] : owned.log.closeAll(at);
  return { entries: [...closed, asIs], advance: 'session' };
}

async function used(core: Core, owned: Owned): Promise<void> {
  await countUsage(core.pool, owned.sessionId);
  core.changes.tell({ teamId: owned.teamId, sessionId: owned.sessionId, approvals: false });
}
