import {
  RequestError,
  type InitializeResponse,
  type NewSessionResponse,
} from '@agentclientprotocol/sdk';
import type { ReopenQuirks } from '@berth/contract/harness';
import type { SessionSpec } from '@berth/contract/link';
import { AgentFault, type Agent } from '../acp/agent.ts';
import type { NewId } from '../ids.ts';
import { currentTurn, type TurnRecord } from '../journal/ledger.ts';
import type { Journal } from '../journal/journal.ts';
import { limits } from '../limits.ts';
import { lostCodes } from './lost.ts';
import type { Conversation } from './ports.ts';
import { Replay } from './replay.ts';
import { look, settlement, type Verdict } from './settle.ts';
import type { Transcript } from './transcript.ts';
import { takeTyped, typedThere } from './typed-items.ts';

/** The conversation's title is Berth's affair; to the agent it has one. */
const untitled = 'Berth';

type Opened = Pick<NewSessionResponse, 'modes' | 'configOptions'>;
type OpenTurn = Extract<TurnRecord, { state: 'open' }>;

/**
 * From a fresh process to a conversation that can go on: initialize, the old conversation where there is one, an open turn settled by looking,
 * mode and model. Throws when the process dies or keeps silent; then there is nothing to undo but the process.
 */
export async function bringUp(options: {
  agent: Agent;
  spec: SessionSpec;
  cwd: string;
  journal: Journal;
  conversation: Conversation;
  transcript: Transcript;
  newId: NewId;
  /** Why there is a new process, for the notice; null: the first one, or one that a person asked for. */
  why: string | null;
  /** What the harness has done to its state before each load. */
  beforeLoad: () => Promise<void>;
}): Promise<string> {
  const { agent, spec, cwd, journal, conversation, transcript, newId, why } = options;
  const { timeouts } = spec.harness;
  const capabilities = (await agent.initialize(timeouts.initializeMs)).agentCapabilities;
  const known = journal.ledger.agentSessionId ?? spec.agentSessionId;
  let opened: Opened | null = null;
  let sessionId = known;
  let title: Promise<void> | undefined;
  /** Why the conversation could not be opened again, in the agent's words. */
  let because: string | null = null;
  if (known !== undefined) opened = await reopen(known, capabilities);
  if (opened === null || sessionId === undefined) {
    const created = await agent.newSession(cwd, timeouts.newSessionMs);
    sessionId = created.sessionId;
    opened = created;
    // Else some agents ask a model of their own choice, which the gateway refuses, for a title that nobody sees.
    const offers: object = capabilities?.sessionCapabilities ?? {};
    if ('title' in offers && offers.title) title = agent.setTitle(sessionId, untitled);
    await startOver(known !== undefined);
  }
  if (journal.ledger.agentSessionId !== sessionId || journal.ledger.holder !== 'chat')
    conversation.put({
      kind: 'agent.session',
      payload: { agentSessionId: sessionId, holder: 'chat' },
    });
  if (sessionId !== known) journal.note({ kind: 'begun' });
  // Nobody waits for the title; when the agent dies meanwhile, its end is told elsewhere.
  if (title) accepted(title, conversation).catch(() => undefined);
  await setMode(agent, sessionId, spec, opened, conversation);
  return sessionId;

  async function reopen(
    id: string,
    offered: InitializeResponse['agentCapabilities'],
  ): Promise<Opened | null> {
    const quirks = spec.harness.reopen ?? {};
    const canResume = Boolean(offered?.sessionCapabilities?.resume) && quirks.resume !== false;
    // Resume replays nothing: it can neither settle a turn nor tell what was typed in the terminal.
    const away = journal.ledger.away === true;
    const may = (): boolean => openTurn() === null && canResume && journal.ledger.mustLoad !== true;
    if (!away && may()) {
      const resumed = await resume(id);
      if (resumed !== null) return resumed;
    }
    const loaded = offered?.loadSession === true ? await loadTwice(id, quirks) : null;
    if (loaded !== null || !away || !may()) return loaded;
    const resumed = await resume(id);
    if (resumed === null) return null;
    journal.note({ kind: 'unread' });
    unread();
    return resumed;
  }

  async function resume(id: string): Promise<Opened | null> {
    try {
      return await agent.reopen('resume', id, cwd, timeouts.loadMs);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      return null;
    }
  }

  async function loadTwice(id: string, quirks: ReopenQuirks): Promise<Opened | null> {
    await options.beforeLoad();
    for (let attempt = 1; ; attempt++) {
      try {
        return await load(id, quirks);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        because = error.message;
        if (lostCodes(quirks).includes(error.code) || attempt === 2) return null;
        await new Promise((resolve) => setTimeout(resolve, limits.loadAgainMs));
      }
    }
  }

  async function load(id: string, { quietMs, ownWords }: ReopenQuirks): Promise<Opened> {
    const replay = new Replay(ownWords, journal.ledger.delivered);
    conversation.replay = replay;
    try {
      const loaded = await agent.reopen('load', id, cwd, timeouts.loadMs);
      if (quietMs !== undefined) await standsStill(agent, replay, quietMs, timeouts.loadMs);
      const open = openTurn();
      const verdict = open && look(journal.ledger, open.turn, replay.messages);
      const typed = journal.ledger.away === true ? typedThere(journal.ledger, replay, newId) : [];
      if (open && verdict) settle(open.turnId, open.turn, verdict);
      const arrived = open && verdict === 'present' ? { arrived: open.turnId } : {};
      const news = typed === null ? {} : { typed };
      journal.note({ kind: 'replayed', hashes: replay.hashes(), ...arrived, ...news });
      if (typed === null) unread();
      else takeTyped(journal, conversation, transcript);
      return loaded;
    } finally {
      conversation.replay = null;
    }
  }

  function unread(): void {
    conversation.notice(
      'terminal-unread',
      'What was said in the terminal is missing here: the agent’s own history does not show for certain where that began.',
    );
  }

  /** Asked anew each time: a person may have cancelled it meanwhile. */
  function openTurn(): { turnId: string; turn: OpenTurn } | null {
    const current = currentTurn(journal.ledger);
    return current?.turn.state === 'open' ? { ...current, turn: current.turn } : null;
  }

  function settle(turnId: string, turn: OpenTurn, verdict: Verdict): void {
    const cause = why ?? 'The agent was restarted';
    const done = settlement(turn, verdict);
    switch (done.kind) {
      case 'cancelled':
        conversation.endTurn(turnId, { state: 'cancelled', stopReason: 'cancelled' });
        return;
      case 'again':
        conversation.next = 'again';
        conversation.notice(
          'message-resent',
          verdict === 'lost'
            ? 'The agent had lost the message: it was sent again.'
            : `${cause} before it had taken the message in: it was sent again.`,
        );
        return;
      case 'go-on':
        conversation.next = done.remind ? 'remind' : 'go-on';
        conversation.notice(
          'agent-restarted',
          `${cause} in the middle of the turn and was told to go on.`,
        );
        return;
      case 'given-up': {
        const detail = `${cause} again; it was told to go on ${String(limits.goOns)} times already.`;
        conversation.endTurn(turnId, { state: 'failed', error: { code: 'agent-died', detail } });
        return;
      }
      case 'unknown':
        conversation.notice(
          'delivery-unknown',
          `${cause}, and its conversation does not show whether it had taken the message in.`,
        );
        conversation.endTurn(turnId, { state: 'unknown' });
    }
  }

  /** A conversation of its own: what was said before is told with the next prompt. */
  async function startOver(lost: boolean): Promise<void> {
    if (journal.ledger.away === true) unread();
    const told = await transcript.tell(currentTurn(journal.ledger)?.turnId);
    if (told !== '') {
      journal.note({ kind: 'seed', wanted: true });
      const reason = because === null ? '' : ` (${because})`;
      conversation.notice(
        'conversation-seeded',
        `The agent could not open its conversation again${reason}: it begins a new one and is told what was said before.`,
      );
    }
    const open = lost ? openTurn() : null;
    if (open) settle(open.turnId, open.turn, 'lost');
  }
}

/** Some agents answer a load before they have replayed everything. A replay that is cut off by a death tells nothing. */
async function standsStill(
  agent: Pick<Agent, 'exited'>,
  replay: Pick<Replay, 'taken'>,
  quietMs: number,
  limitMs: number,
): Promise<void> {
  const died = agent.exited.then(() => true);
  for (let waitedMs = 0, seen = -1; seen !== replay.taken; waitedMs += quietMs) {
    if (waitedMs > limitMs) throw new AgentFault('its replay did not come to an end');
    seen = replay.taken;
    const { promise: quiet, resolve } = Promise.withResolvers<false>();
    const timer = setTimeout(() => resolve(false), quietMs);
    const dead = await Promise.race([died, quiet]);
    clearTimeout(timer);
    if (dead) throw new AgentFault('the agent ended');
  }
}

/** Tells the agent Berth's mode and model. What it refuses is a notice, not a death. */
export async function setMode(
  agent: Agent,
  sessionId: string,
  spec: Pick<SessionSpec, 'harness' | 'mode' | 'model'>,
  opened: Opened | null,
  conversation: Pick<Conversation, 'notice'>,
): Promise<void> {
  const mode = spec.harness.modes[spec.mode];
  const { model } = spec.harness;
  const steps: (() => Promise<void>)[] = [];
  const { acpMode } = mode ?? {};
  if (acpMode !== undefined && acpMode !== opened?.modes?.currentModeId)
    steps.push(() => agent.setMode(sessionId, acpMode));
  for (const [id, value] of Object.entries(mode?.config ?? {}))
    steps.push(() => agent.setConfig(sessionId, id, value));
  const wanted = spec.model;
  const { acpConfigOption } = model;
  if (wanted !== undefined && acpConfigOption !== undefined)
    steps.push(() => agent.setConfig(sessionId, acpConfigOption, wanted));
  else if (wanted !== undefined && model.acpSetModel === true)
    steps.push(() => agent.setModel(sessionId, wanted));
  for (const step of steps) await accepted(step(), conversation);
}

/** What an agent refuses is said, and it works on without. */
async function accepted(
  setting: Promise<void>,
  conversation: Pick<Conversation, 'notice'>,
): Promise<void> {
  try {
    await setting;
  } catch (error) {
    if (error instanceof AgentFault || !(error instanceof RequestError)) throw error;
    conversation.notice('agent-setting', `The agent refused a setting: ${error.message}`);
  }
}
