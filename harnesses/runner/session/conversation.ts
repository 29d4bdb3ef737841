import type {
  RequestPermissionRequest,
  RequestPermissionResponse,
  SessionUpdate,
} from '@agentclientprotocol/sdk';
import type { ContentBlock } from '@berth/contract';
import type { SessionSpec } from '@berth/contract/link';
import type { Agent, AgentEvents, PromptOutcome } from '../acp/agent.ts';
import {
  emptyNormaliser,
  endText,
  modePayload,
  normalise,
  type Context,
} from '../acp/normalise.ts';
import { approvalOf } from '../acp/permission.ts';
import { toolPayload } from '../acp/tool.ts';
import { currentTurn } from '../journal/ledger.ts';
import type { Journal, NewItem } from '../journal/journal.ts';
import type { NewId } from '../ids.ts';
import { limits } from '../limits.ts';
import { createAttached } from './attached.ts';
import { goOn } from './go-on.ts';
import { hasLost } from './lost.ts';
import type { Conversation } from './ports.ts';
import type { Replay } from './replay.ts';
import { hashPrompt, promptText } from './settle.ts';
import type { Transcript } from './transcript.ts';

export interface ConversationOptions {
  journal: Journal;
  spec: () => SessionSpec;
  newId: NewId;
  transcript: Transcript;
  log: (fields: Record<string, unknown>, message: string) => void;
}

export function createConversation(options: ConversationOptions): Conversation {
  const { journal, spec, newId, transcript, log } = options;
  let normaliser = emptyNormaliser(spec().mode);
  let replay: Replay | null = null;
  let next: Conversation['next'] = null;
  let running: { turnId: string; done: Promise<void> } | null = null;
  let said = '';
  let quiet: NodeJS.Timeout | undefined;
  const questions = new Map<
    string,
    { options: ReadonlySet<string>; answer: (response: RequestPermissionResponse) => void }
  >();

  const attached = createAttached(options);
  const context = (raw?: string): Context => ({
    newId,
    harness: spec().harness,
    ...(running === null ? {} : { turnId: running.turnId }),
    ...(raw === undefined ? {} : { raw }),
  });
  function put(...items: NewItem[]): void {
    for (const { kind, payload } of items) {
      const text = payload['text'];
      if (kind === 'message.delta' && typeof text === 'string') said += text;
      if (kind === 'message.end') {
        transcript.add('agent', said);
        said = '';
      }
    }
    journal.put(...items);
  }
  const notice = (code: string, text: string): void =>
    put({
      kind: 'notice',
      payload: { code, text },
      ...(running ? { turnId: running.turnId } : {}),
    });
  function closeText(): void {
    clearTimeout(quiet);
    const ended = endText(normaliser, context());
    normaliser = ended.state;
    put(...ended.items);
  }

  function update(change: SessionUpdate, raw: string): void {
    if (replay !== null) {
      replay.take(change);
      if (!['available_commands_update', 'current_mode_update'].includes(change.sessionUpdate))
        return;
    }
    put(...attached.before(change, running !== null));
    try {
      const done = normalise(normaliser, change, context(raw));
      normaliser = done.state;
      put(...done.items);
    } catch (error) {
      // An update without what its kind must have. The line is kept, the connection lives.
      log({ error: String(error) }, 'update that cannot be read');
      const payload = {
        code: 'agent-update',
        detail: 'The agent sent something that cannot be read.',
      };
      put({ kind: 'error', payload, ...(raw.length <= limits.rawLine ? { raw } : {}) });
    }
    clearTimeout(quiet);
    if (running === null && normaliser.open) quiet = setTimeout(closeText, limits.quietMs);
  }

  /** What the question says of its call that was not said before; nothing for a question that is about no call. */
  function untold(call: RequestPermissionRequest['toolCall']): NewItem['payload'][] {
    const first = !normaliser.tools.has(call.toolCallId);
    const telling = call.content?.length || (first && (call.rawInput ?? call.locations?.length));
    if (!telling) return [];
    normaliser = { ...normaliser, tools: new Set([...normaliser.tools, call.toolCallId]) };
    return [{ ...toolPayload(call, first) }];
  }
  const settleQuestion = (approvalId: string, response: RequestPermissionResponse): void => {
    questions.get(approvalId)?.answer(response);
    questions.delete(approvalId);
  };
  function supersede(approvalId: string): void {
    put({ kind: 'approval.resolved', payload: { approvalId, state: 'superseded' } });
    settleQuestion(approvalId, { outcome: { outcome: 'cancelled' } });
  }

  const events: AgentEvents = {
    update,
    stderr: (line) => log({ line: line.slice(0, 2000) }, 'agent'),
    permission(request, raw, withdrawn) {
      const approvalId = newId();
      const turnId = running === null ? {} : { turnId: running.turnId };
      closeText();
      // The question may be the only place where an agent describes its call.
      const told = untold(request.toolCall);
      put(...told.map((payload) => ({ kind: 'tool', payload, ...turnId })), {
        kind: 'approval.requested',
        payload: { approvalId, revision: 1, ...turnId, ...approvalOf(request) },
        ...turnId,
        ...(raw !== undefined && raw.length <= limits.rawLine ? { raw } : {}),
      });
      withdrawn.addEventListener('abort', () => {
        if (questions.has(approvalId)) supersede(approvalId);
      });
      return new Promise((answer) => {
        const known = new Set(request.options.map(({ optionId }) => optionId));
        questions.set(approvalId, { options: known, answer });
      });
    },
  };

  function endTurn(turnId: string, payload: Record<string, unknown>, raw?: string): void {
    closeText();
    // Some agents never end a call that was refused or cancelled.
    for (const toolCallId of journal.ledger.tools)
      put({ kind: 'tool', turnId, payload: { toolCallId, status: 'interrupted' } });
    put({
      kind: 'turn.ended',
      turnId,
      payload: { turnId, ...payload },
      ...(raw === undefined ? {} : { raw }),
    });
  }

  function finish(turnId: string, outcome: PromptOutcome): void {
    const turn = journal.ledger.turns[turnId];
    if (!turn || turn.state === 'ended') return;
    switch (outcome.kind) {
      case 'died':
        return; // settled by looking, when its successor is there
      case 'refused': {
        const error = { code: 'agent-error', detail: outcome.detail };
        const payload = turn.cancelled
          ? { state: 'cancelled', stopReason: 'cancelled' }
          : { state: 'failed', error };
        endTurn(turnId, payload, outcome.raw);
        return;
      }
      case 'stopped': {
        const { stopReason } = outcome.response;
        const { usage } = outcome;
        closeText();
        // Where the gateway sees the traffic, it is the truth.
        if (usage && spec().harness.protocol === 'none')
          put({ kind: 'usage', turnId, payload: { ...usage } });
        const state = stopReason === 'cancelled' ? 'cancelled' : 'done';
        endTurn(turnId, { state, stopReason, ...(usage ? { usage } : {}) }, outcome.raw);
      }
    }
  }

  async function deliver(agent: Agent, sessionId: string): Promise<void> {
    const current = currentTurn(journal.ledger);
    if (current === null) return;
    const { turnId, turn } = current;
    if (turn.cancelled) {
      next = null;
      endTurn(turnId, { state: 'cancelled', stopReason: 'cancelled' });
      return;
    }
    const how = turn.state === 'accepted' ? 'first' : (next ?? 'go-on');
    const as = how === 'remind' ? 'go-on' : how;
    next = null;
    let content: ContentBlock[] =
      as === 'go-on' ? goOn(how === 'remind' ? turn.prompt : []) : turn.prompt;
    if (journal.ledger.seedWanted) {
      const seed = await transcript.tell(turnId);
      if (seed !== '') content = [{ type: 'text', text: `${seed}\n\n` }, ...content];
      const { state } = journal.ledger.turns[turnId] ?? { state: 'ended' };
      if (state !== turn.state) return; // cancelled meanwhile
    }
    closeText();
    if (!turn.started) {
      put({ kind: 'turn.started', turnId, payload: { turnId } });
      transcript.add('user', promptText(turn.prompt), turnId);
    }
    journal.note({ kind: 'delivered', turnId, sha256: hashPrompt(content), as });
    if (journal.ledger.seedWanted) journal.note({ kind: 'seed', wanted: false });
    const done = (async () => {
      await journal.synced();
      // Cancelled before the agent saw it.
      const now = journal.ledger.turns[turnId];
      if (now?.state !== 'open' || now.cancelled) {
        journal.note({ kind: 'withheld' });
        if (now?.state === 'open') endTurn(turnId, { state: 'cancelled', stopReason: 'cancelled' });
        return;
      }
      const outcome = await agent.prompt(sessionId, content);
      // Once for each turn: then its refusal is taken as it is, so that this comes to an end.
      if (as === 'first' && hasLost(outcome, spec().harness.reopen)) await agent.stop('SIGKILL');
      else finish(turnId, outcome);
    })();
    running = { turnId, done };
    try {
      await done;
    } finally {
      running = null;
    }
  }

  async function cancel(agent: Agent | null, turnId: string): Promise<boolean> {
    const turn = journal.ledger.turns[turnId];
    if (!turn || turn.state === 'ended') return false;
    if (!turn.cancelled) journal.note({ kind: 'cancel', turnId });
    const work = running;
    if (work?.turnId !== turnId) {
      // Nobody works on it: no agent has it, or the one that had it is dead.
      endTurn(turnId, { state: 'cancelled', stopReason: 'cancelled' });
      return false;
    }
    if (agent === null || journal.ledger.agentSessionId === undefined) return false; // it is being ended
    await agent.cancel(journal.ledger.agentSessionId).catch((error: unknown) => {
      log({ error: String(error) }, 'cancel could not be sent');
    });
    for (const approvalId of [...questions.keys()]) supersede(approvalId);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), spec().harness.timeouts.cancelMs);
    });
    const overdue = await Promise.race([
      late,
      work.done.then(
        () => false,
        () => false,
      ),
    ]);
    clearTimeout(timer);
    return overdue;
  }

  return {
    events,
    get mode() {
      return normaliser.mode;
    },
    get replay() {
      return replay;
    },
    set replay(value) {
      replay = value;
    },
    get next() {
      return next;
    },
    set next(value) {
      next = value;
    },
    put,
    notice,
    deliver,
    cancel,
    decide(approvalId, optionId) {
      const question = questions.get(approvalId);
      if (!question) return; // decided before, or asked by an agent that is no more
      if (!question.options.has(optionId)) {
        log({ approvalId }, 'decision with an option that was not offered');
        return;
      }
      journal.note({ kind: 'decided', approvalId });
      settleQuestion(approvalId, { outcome: { outcome: 'selected', optionId } });
    },
    closeOpen() {
      const { text, tools } = journal.ledger;
      clearTimeout(quiet);
      replay = null;
      normaliser = emptyNormaliser(normaliser.mode);
      const turnId = currentTurn(journal.ledger)?.turnId;
      const of = turnId === undefined ? {} : { turnId };
      if (text) put({ kind: `${text.kind}.end`, payload: { messageId: text.messageId }, ...of });
      for (const toolCallId of tools)
        put({ kind: 'tool', payload: { toolCallId, status: 'interrupted' }, ...of });
      for (const approvalId of journal.ledger.approvals) supersede(approvalId);
      for (const approvalId of [...questions.keys()])
        settleQuestion(approvalId, { outcome: { outcome: 'cancelled' } });
    },
    endTurn,
    setMode(mode) {
      normaliser = { ...normaliser, mode };
      put({ kind: 'mode', payload: modePayload(mode, spec().harness.modes) });
    },
  };
}
