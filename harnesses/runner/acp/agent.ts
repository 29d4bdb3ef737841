import {
  client,
  methods,
  ndJsonStream,
  PROTOCOL_VERSION,
  RequestError,
  type InitializeResponse,
  type NewSessionResponse,
  type PromptResponse,
  type RequestPermissionRequest,
  type RequestPermissionResponse,
  type SessionUpdate,
} from '@agentclientprotocol/sdk';
import type { ContentBlock } from '@berth/contract';
import type { Door, Process } from '../agentd/ports.ts';
import type { ExitView } from '../../agentd/protocol.ts';
import { limits } from '../limits.ts';
import { toAcp } from './content.ts';
import { detailOf } from './detail.ts';
import { createEarly } from './early.ts';
import { LineSplitter } from './lines.ts';
import { updateOf } from './normalise.ts';
import { isFields } from './tool.ts';

export interface AgentEvents {
  update(update: SessionUpdate, raw: string): void;
  permission(
    request: RequestPermissionRequest,
    raw: string | undefined,
    withdrawn: AbortSignal,
  ): Promise<RequestPermissionResponse>;
  stderr(line: string): void;
}
export interface AgentStart {
  door: Pick<Door, 'spawn' | 'drained'>;
  tag: string;
  argv: string[];
  env: Record<string, string>;
  cwd: string;
  version: string;
  events: AgentEvents;
}
export type PromptOutcome =
  | {
      kind: 'stopped';
      response: PromptResponse;
      usage?: { inputTokens: number; outputTokens: number; cachedTokens?: number };
      raw?: string;
    }
  | { kind: 'refused'; code: number; detail: string; raw?: string }
  /** The process died before it answered. */
  | { kind: 'died' };

/** One life of an agent's process, spoken to by ACP v1. No fs or terminal capability: what it asks of those is refused by the SDK. */
export interface Agent {
  readonly exited: Promise<ExitView>;
  /** Its last lines on standard error. */
  stderr(): string[];
  initialize(timeoutMs: number): Promise<InitializeResponse>;
  newSession(cwd: string, timeoutMs: number): Promise<NewSessionResponse>;
  /** `load` replays the conversation through `update` before it resolves; `resume` does not. */
  reopen(
    how: 'load' | 'resume',
    sessionId: string,
    cwd: string,
    timeoutMs: number,
  ): Promise<Pick<NewSessionResponse, 'modes' | 'configOptions'>>;
  prompt(sessionId: string, prompt: ContentBlock[]): Promise<PromptOutcome>;
  cancel(sessionId: string): Promise<void>;
  setMode(sessionId: string, modeId: string): Promise<void>;
  setConfig(sessionId: string, configId: string, value: string): Promise<void>;
  setModel(sessionId: string, modelId: string): Promise<void>;
  /** Only for an agent that offers it: not yet in the stable protocol. */
  setTitle(sessionId: string, title: string): Promise<void>;
  hold(held: boolean): void;
  /** The whole tree; resolves when the process has ended. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** A request that took too long, or was made to a process that is no more. */
export class AgentFault extends Error {}
/** It lives and does not answer. */
export class AgentSilent extends AgentFault {}

/** Starts the process. Throws `DoorError` when it cannot be spawned. */
export async function startAgent(start: AgentStart): Promise<Agent> {
  const { door, events } = start;
  const lines = new LineSplitter(limits.agentLineBytes);
  const stderrLines = new LineSplitter(limits.agentLineBytes);
  const stderr: string[] = [];
  const permissionRaw = new Map<unknown, string>();
  let promptRaw: { raw: string; usage: unknown } | undefined;
  let ended: ExitView | undefined;
  let reportExit: (exit: ExitView) => void = () => undefined;
  const exited = new Promise<ExitView>((resolve) => {
    reportExit = resolve;
  });
  let toSdk: ReadableStreamDefaultController<Uint8Array> | undefined;
  const input = new ReadableStream<Uint8Array>({
    start: (controller) => {
      toSdk = controller;
    },
  });

  const keep = (line: string): void => {
    stderr.push(line);
    if (stderr.length > limits.stderrLines) stderr.shift();
    events.stderr(line);
  };
  /** Updates are taken here, in the order of the lines and whole; the SDK gets what it must correlate. */
  function line(raw: string): void {
    let message: unknown;
    try {
      message = JSON.parse(raw);
    } catch {
      keep(raw); // something printed to standard output that is no protocol
      return;
    }
    const update = updateOf(message);
    if (update !== null) {
      events.update(update, raw);
      return;
    }
    if (isFields(message)) {
      const { id, method, result } = message as {
        id?: unknown;
        method?: unknown;
        result?: unknown;
      };
      if (method === 'session/request_permission') permissionRaw.set(id, raw);
      else if (isFields(result) && typeof result['stopReason'] === 'string')
        promptRaw = { raw, usage: result['usage'] };
      else if (method === undefined && isFields(message['error'])) promptRaw = { raw, usage: null };
    }
    toSdk?.enqueue(Buffer.from(`${raw}\n`));
  }

  /** A process that dies at once says so in the same breath as that it started, before anything here stands. */
  const early = createEarly();
  const process: Process = await door.spawn(
    { tag: start.tag, argv: start.argv, cwd: start.cwd, env: start.env },
    {
      output: (bytes) => early.bytes(bytes, output),
      stderr(bytes) {
        try {
          stderrLines.push(bytes, keep);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
          keep(`berth: ${error.message}`);
        }
      },
      exited: (exit, lost) => early.pass(() => over(exit, lost)),
    },
  );
  function output(bytes: Buffer): void {
    if (ended) return;
    try {
      lines.push(bytes, line);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      keep(`berth: ${error.message}: the agent is stopped`);
      process.kill('SIGKILL', true);
    }
  }
  function over(exit: ExitView, lost: boolean): void {
    ended = exit;
    if (!lost) {
      // What it left running must not work on beside its successor.
      process.kill('SIGKILL', true);
      process.forget();
    }
    connection.close(new AgentFault('the agent ended'));
    reportExit(exit);
  }

  const toAgent = new WritableStream<Uint8Array>({
    async write(bytes) {
      if (!ended && !process.write(bytes)) await door.drained();
    },
  });
  const connection = client({ name: 'berth' })
    .onRequest(methods.client.session.requestPermission, async ({ params, requestId, signal }) => {
      const raw = permissionRaw.get(requestId);
      permissionRaw.delete(requestId);
      return events.permission(params, raw, signal);
    })
    .connect(ndJsonStream(toAgent, input, { maxMessageBytes: limits.agentLineBytes }));
  connection.closed.catch(() => undefined); // told by `exited`
  early.open();
  const { agent } = connection;

  async function within<T>(what: string, timeoutMs: number, work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () =>
          reject(
            new AgentSilent(`it did not answer ${what} within ${String(timeoutMs / 1000)} seconds`),
          ),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
      work.catch(() => undefined); // it may still fail after we stopped waiting
    }
  }

  return {
    exited,
    stderr: () => [...stderr],
    async initialize(timeoutMs) {
      const answer = await within(
        'initialize',
        timeoutMs,
        agent.request(methods.agent.initialize, {
          protocolVersion: PROTOCOL_VERSION,
          clientInfo: { name: 'berth', version: start.version },
          clientCapabilities: {},
        }),
      );
      if (answer.protocolVersion !== PROTOCOL_VERSION)
        throw new AgentFault(`the agent speaks ACP ${String(answer.protocolVersion)}, not 1`);
      return answer;
    },
    newSession: (cwd, timeoutMs) =>
      within(
        'session/new',
        timeoutMs,
        agent.request(methods.agent.session.new, { cwd, mcpServers: [] }),
      ),
    async reopen(how, sessionId, cwd, timeoutMs) {
      const request = { sessionId, cwd, mcpServers: [] };
      const answer = await within(
        `session/${how}`,
        timeoutMs,
        how === 'load'
          ? agent.request(methods.agent.session.load, request)
          : agent.request(methods.agent.session.resume, request),
      );
      return isFields(answer) ? answer : {};
    },
    async prompt(sessionId, prompt) {
      promptRaw = undefined;
      try {
        const response = await agent.request(methods.agent.session.prompt, {
          sessionId,
          prompt: prompt.map(toAcp),
        });
        return {
          kind: 'stopped',
          response,
          ...usageOf(promptRaw),
        };
      } catch (error) {
        if (ended || connection.signal.aborted) return { kind: 'died' };
        if (!(error instanceof RequestError)) throw error;
        return { kind: 'refused', code: error.code, detail: detailOf(error), ...rawOf(promptRaw) };
      }
    },
    cancel: (sessionId) => agent.notify(methods.agent.session.cancel, { sessionId }),
    async setMode(sessionId, modeId) {
      await within(
        'session/set_mode',
        limits.runMs,
        agent.request(methods.agent.session.setMode, { sessionId, modeId }),
      );
    },
    async setConfig(sessionId, configId, value) {
      const request = { sessionId, configId, value };
      await within(
        'session/set_config_option',
        limits.runMs,
        agent.request(methods.agent.session.setConfigOption, request),
      );
    },
    async setModel(sessionId, modelId) {
      await within(
        'session/set_model',
        limits.runMs,
        agent.request('session/set_model', { sessionId, modelId }),
      );
    },
    async setTitle(sessionId, title) {
      await within(
        'session/set_title',
        limits.runMs,
        agent.request('session/set_title', { sessionId, title }),
      );
    },
    hold: (held) => process.hold(held),
    async stop(signal) {
      if (ended) return;
      process.kill(signal, true);
      await exited;
    },
  };
}

type Kept = { raw: string; usage: unknown } | undefined;
const rawOf = (kept: Kept): { raw?: string } =>
  kept && kept.raw.length <= limits.rawLine ? { raw: kept.raw } : {};
function usageOf(
  kept: Kept,
): Omit<Extract<PromptOutcome, { kind: 'stopped' }>, 'kind' | 'response'> {
  const usage = kept?.usage;
  if (!isFields(usage)) return rawOf(kept);
  const count = (name: string): number | undefined =>
    Number.isInteger(usage[name]) ? Number(usage[name]) : undefined;
  const cached = count('cachedReadTokens');
  return {
    ...rawOf(kept),
    usage: {
      inputTokens: count('inputTokens') ?? 0,
      outputTokens: count('outputTokens') ?? 0,
      ...(cached === undefined ? {} : { cachedTokens: cached }),
    },
  };
}
