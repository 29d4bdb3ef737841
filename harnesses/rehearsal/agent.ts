import { isAbsolute } from 'node:path';
import {
  agent,
  methods,
  PROTOCOL_VERSION,
  RequestError,
  type AgentApp,
  type AgentContext,
  type SessionUpdate,
} from '@agentclientprotocol/sdk';
import { commandsOf, perform, usageOf } from './perform.ts';
import { replay } from './replay.ts';
import { parseScript, usages } from './script.ts';
import { expand } from './tour.ts';
import { Cancelled, Failed, type Stage } from './stage.ts';
import type { Conversation, Mode, Store } from './store.ts';

const modes: { id: Mode; name: string; description: string }[] = [
  { id: 'ask', name: 'Ask', description: 'Asks before it writes or runs something' },
  { id: 'auto', name: 'Auto', description: 'Writes and runs without asking' },
];

interface Live {
  readonly conversation: Conversation;
  readonly allowed: Set<string>;
  /** What is being performed or waits to be; a cancel stops all of it. */
  readonly running: Set<AbortController>;
  /** One script at a time: the next begins when this settles. */
  busy: Promise<void>;
}

interface Spent {
  inputTokens: number;
  outputTokens: number;
  totalTokens: number;
}
function count(spent: Spent, update: SessionUpdate): void {
  if (update.sessionUpdate !== 'usage_update') return;
  const { inputTokens, outputTokens } = usageOf(update);
  spent.inputTokens += inputTokens;
  spent.outputTokens += outputTokens;
  spent.totalTokens += inputTokens + outputTokens;
}

export interface AgentOptions {
  store: Store;
  version: string;
  newId: () => string;
  exit: (code: number) => void;
  /** Told about a fault that no answer can carry. */
  onFault: (error: unknown) => void;
}

/** The rehearsal agent's ACP side (protocol v1). */
export function createAgent({ store, version, newId, exit, onFault }: AgentOptions): AgentApp {
  const live = new Map<string, Live>();

  const modeState = (conversation: Conversation) => ({
    modes: { currentModeId: conversation.mode(), availableModes: modes },
  });
  const unknownSession = (id: string): RequestError =>
    new RequestError(-32002, `no conversation ${id}`, { sessionId: id });

  function open(conversation: Conversation): Live {
    const opened: Live = {
      conversation,
      allowed: new Set(),
      running: new Set(),
      busy: Promise.resolve(),
    };
    live.set(conversation.id, opened);
    return opened;
  }
  function reopen(id: string, cwd: string): Live {
    if (!isAbsolute(cwd)) throw RequestError.invalidParams({ cwd }, 'cwd must be absolute');
    const known = live.get(id);
    if (known !== undefined) return known;
    const conversation = store.open(id);
    if (conversation === null) throw unknownSession(id);
    return open(conversation);
  }
  const find = (id: string): Live => {
    const found = live.get(id);
    if (found === undefined) throw unknownSession(id);
    return found;
  };

  const tell = (client: AgentContext, sessionId: string, update: SessionUpdate): Promise<void> =>
    client.notify(methods.client.session.update, { sessionId, update });

  function stageFor(
    client: AgentContext,
    session: Live,
    signal: AbortSignal,
    spent?: Spent,
  ): Stage {
    const { conversation, allowed } = session;
    return {
      cwd: conversation.cwd,
      signal,
      allowed,
      mode: () => conversation.mode(),
      newId,
      exit,
      sync: () => conversation.sync(),
      diary: () => store.diary(),
      async update(update) {
        if (signal.aborted) throw new Cancelled();
        conversation.update(update);
        if (spent !== undefined) count(spent, update);
        await tell(client, conversation.id, update);
      },
      async ask(toolCall, options) {
        if (signal.aborted) throw new Cancelled();
        const { outcome } = await client
          .request(
            methods.client.session.requestPermission,
            { sessionId: conversation.id, toolCall, options },
            { cancellationSignal: signal, stopWaitingOnCancel: true },
          )
          .catch((error: unknown) => {
            if (signal.aborted) throw new Cancelled();
            throw error;
          });
        return outcome.outcome === 'selected' ? outcome.optionId : null;
      },
    };
  }

  /** Runs when everything before it has settled; a cancel meanwhile stops it before it begins. */
  async function inTurn<T>(session: Live, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    session.running.add(controller);
    const before = session.busy;
    const result = before.then(() => work(controller.signal));
    session.busy = result.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await result;
    } finally {
      session.running.delete(controller);
    }
  }

  /** Commands, after the answer to the request that made the session known; then the script given as instructions. */
  function welcome(client: AgentContext, session: Live, startScript: string): void {
    const { conversation } = session;
    const availableCommands = usages.map(({ name, description, hint }) => ({
      name,
      description,
      ...(hint === '' ? {} : { input: { hint } }),
    }));
    setImmediate(() => {
      const greeted = inTurn(session, async (signal) => {
        await tell(client, conversation.id, {
          sessionUpdate: 'available_commands_update',
          availableCommands,
        });
        if (startScript.trim() === '') return;
        await perform(stageFor(client, session, signal), expand(parseScript(startScript), ''));
        // Nothing else tells a client that a text outside a turn has ended.
        await tell(client, conversation.id, { sessionUpdate: 'session_info_update' });
      });
      greeted.catch((error: unknown) => {
        if (!(error instanceof Cancelled)) onFault(error);
      });
    });
  }

  /** A prompt in plain words after a death goes on with the script that was cut off, behind the line that was running. */
  async function obey(
    client: AgentContext,
    session: Live,
    signal: AbortSignal,
  ): Promise<Spent | null> {
    const { conversation } = session;
    const turn = conversation.unfinished();
    if (turn === null) return null;
    const spent = { inputTokens: 0, outputTokens: 0, totalTokens: 0 };
    const stage = stageFor(client, session, signal, spent);
    await perform(stage, commandsOf(turn.content), {
      from: turn.line + 1,
      begins: (line) => conversation.line(line),
    });
    return spent.totalTokens === 0 ? null : spent;
  }

  return agent({ name: 'rehearsal' })
    .onRequest(methods.agent.initialize, () => ({
      protocolVersion: PROTOCOL_VERSION,
      agentInfo: { name: 'rehearsal', title: 'Rehearsal', version },
      authMethods: [],
      agentCapabilities: {
        loadSession: true,
        promptCapabilities: { image: true, embeddedContext: true },
        sessionCapabilities: { resume: {}, list: {} },
      },
    }))
    .onRequest(methods.agent.session.new, ({ params, client }) => {
      if (!isAbsolute(params.cwd))
        throw RequestError.invalidParams({ cwd: params.cwd }, 'cwd must be absolute');
      const session = open(store.create(newId(), params.cwd));
      welcome(client, session, store.startScript());
      return { sessionId: session.conversation.id, ...modeState(session.conversation) };
    })
    .onRequest(methods.agent.session.load, async ({ params, client }) => {
      const session = reopen(params.sessionId, params.cwd);
      for (const update of replay(session.conversation.moments()))
        await tell(client, params.sessionId, update);
      welcome(client, session, '');
      return modeState(session.conversation);
    })
    .onRequest(methods.agent.session.resume, ({ params, client }) => {
      const session = reopen(params.sessionId, params.cwd);
      welcome(client, session, '');
      return modeState(session.conversation);
    })
    .onRequest(methods.agent.session.list, () => ({
      sessions: store.list().map(({ id, cwd, at }) => ({ sessionId: id, cwd, updatedAt: at })),
    }))
    .onRequest(methods.agent.session.setMode, ({ params }) => {
      const mode = modes.find(({ id }) => id === params.modeId);
      if (mode === undefined)
        throw RequestError.invalidParams({ modeId: params.modeId }, 'modes are ask and auto');
      find(params.sessionId).conversation.setMode(mode.id);
      return {};
    })
    .onRequest(methods.agent.session.prompt, async ({ params, client }) => {
      const session = find(params.sessionId);
      const { conversation } = session;
      return inTurn(session, async (signal) => {
        conversation.prompt(params.prompt);
        try {
          const spent = await obey(client, session, signal);
          conversation.end('end_turn');
          // The tokens of the turn are not in the stable protocol yet; every agent that counts them answers them here.
          const usage = spent === null ? {} : { usage: spent };
          return { stopReason: 'end_turn' as const, ...usage };
        } catch (error) {
          if (error instanceof Cancelled) {
            conversation.end('cancelled');
            return { stopReason: 'cancelled' as const };
          }
          conversation.end('failed');
          if (error instanceof Failed) throw new RequestError(-32603, error.message);
          throw error;
        }
      });
    })
    .onNotification(methods.agent.session.cancel, ({ params }) => {
      for (const controller of live.get(params.sessionId)?.running ?? []) controller.abort();
    });
}
