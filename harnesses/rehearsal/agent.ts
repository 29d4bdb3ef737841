import { isAbsolute } from 'node:path';
import type {
  ContentBlock,
  InitializeResponse,
  ListSessionsResponse,
  NewSessionResponse,
  PromptResponse,
  RequestPermissionRequest,
  SessionNotification,
  SessionUpdate,
} from '@agentclientprotocol/sdk';
import {
  fieldsOf,
  invalid,
  Refused,
  textIn,
  type Fields,
  type Handlers,
  type Peer,
} from './peer.ts';
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
export function createAgent({ store, version, newId, exit, onFault }: AgentOptions): Handlers {
  const live = new Map<string, Live>();

  const modeState = (conversation: Conversation) => ({
    modes: { currentModeId: conversation.mode(), availableModes: modes },
  });
  const unknownSession = (id: string): Refused =>
    new Refused(-32002, `no conversation ${id}`, { sessionId: id });

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
  function cwdIn(params: Fields): string {
    const cwd = textIn(params, 'cwd');
    if (!isAbsolute(cwd)) throw invalid('cwd must be absolute', { cwd });
    return cwd;
  }
  function reopen(params: Fields): Live {
    cwdIn(params);
    const id = textIn(params, 'sessionId');
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

  const tell = (client: Peer, sessionId: string, update: SessionUpdate): Promise<void> =>
    client.notify('session/update', { sessionId, update } satisfies SessionNotification);

  function stageFor(client: Peer, session: Live, signal: AbortSignal, spent?: Spent): Stage {
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
        const question = { sessionId: conversation.id, toolCall, options };
        const answer = await client
          .request(
            'session/request_permission',
            question satisfies RequestPermissionRequest,
            signal,
          )
          .catch((error: unknown) => {
            if (signal.aborted) throw new Cancelled();
            throw error;
          });
        const outcome = fieldsOf(fieldsOf(answer)['outcome']);
        return outcome['outcome'] === 'selected' ? String(outcome['optionId']) : null;
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
  function welcome(client: Peer, session: Live, startScript: string): void {
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
  async function obey(client: Peer, session: Live, signal: AbortSignal): Promise<Spent | null> {
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

  const requests: Handlers['requests'] = {
    initialize: () =>
      ({
        protocolVersion: 1,
        agentInfo: { name: 'rehearsal', title: 'Rehearsal', version },
        authMethods: [],
        agentCapabilities: {
          loadSession: true,
          promptCapabilities: { image: true, embeddedContext: true },
          sessionCapabilities: { resume: {}, list: {} },
        },
      }) satisfies InitializeResponse,
    'session/new'(params, client) {
      const session = open(store.create(newId(), cwdIn(params)));
      welcome(client, session, store.startScript());
      const { conversation } = session;
      return {
        sessionId: conversation.id,
        ...modeState(conversation),
      } satisfies NewSessionResponse;
    },
    async 'session/load'(params, client) {
      const session = reopen(params);
      for (const update of replay(session.conversation.moments()))
        await tell(client, session.conversation.id, update);
      welcome(client, session, '');
      return modeState(session.conversation);
    },
    'session/resume'(params, client) {
      const session = reopen(params);
      welcome(client, session, '');
      return modeState(session.conversation);
    },
    'session/list': () =>
      ({
        sessions: store.list().map(({ id, cwd, at }) => ({ sessionId: id, cwd, updatedAt: at })),
      }) satisfies ListSessionsResponse,
    'session/set_mode'(params) {
      const mode = modes.find(({ id }) => id === params['modeId']);
      if (mode === undefined) throw invalid('modes are ask and auto', params);
      find(textIn(params, 'sessionId')).conversation.setMode(mode.id);
      return {};
    },
    'session/prompt'(params, client) {
      const session = find(textIn(params, 'sessionId'));
      const { conversation } = session;
      const content = blocksIn(params);
      return inTurn(session, async (signal): Promise<PromptResponse> => {
        conversation.prompt(content);
        try {
          const spent = await obey(client, session, signal);
          conversation.end('end_turn');
          // The tokens of the turn are not in the stable protocol yet; every agent that counts them answers them here.
          return { stopReason: 'end_turn', ...(spent === null ? {} : { usage: spent }) };
        } catch (error) {
          if (error instanceof Cancelled) {
            conversation.end('cancelled');
            return { stopReason: 'cancelled' };
          }
          conversation.end('failed');
          if (error instanceof Failed) throw new Refused(-32603, error.message);
          throw error;
        }
      });
    },
  };
  const notifications: Handlers['notifications'] = {
    'session/cancel'(params) {
      const session = live.get(textIn(params, 'sessionId'));
      for (const controller of session?.running ?? []) controller.abort();
    },
  };
  return { requests, notifications };
}

/** What is inside a block is only read where it is text. */
function blocksIn(params: Fields): ContentBlock[] {
  const { prompt } = params;
  const isBlock = (block: unknown): boolean => typeof fieldsOf(block)['type'] === 'string';
  if (!Array.isArray(prompt) || !prompt.every(isBlock))
    throw invalid('prompt must be content blocks', params);
  return prompt as ContentBlock[];
}
