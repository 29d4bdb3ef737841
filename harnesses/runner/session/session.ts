import { join } from 'node:path';
import type { ContentBlock } from '@berth/contract';
import type { SessionSpec } from '@berth/contract/link';
import { startAgent, type Agent } from '../acp/agent.ts';
import { createDoor, DoorError, type Door } from '../agentd/door.ts';
import type { ProcessView } from '../../agentd/protocol.ts';
import type { Clock } from '../clock.ts';
import { createBase, Refusal, type Base, type Place } from '../git/base.ts';
import type { NewId } from '../ids.ts';
import type { Journal } from '../journal/journal.ts';
import { limits } from '../limits.ts';
import { createTerminals, type Terminals } from '../terminals/terminals.ts';
import { bringUp, setMode } from './bring-up.ts';
import { watchChanges } from './changes-watch.ts';
import { createConversation } from './conversation.ts';
import { launch, secretsFor, valuesOf, writeHarnessFiles, type Values } from './harness.ts';
import { initialState, nextAction, reduce, type Action, type SessionEvent } from './state.ts';
import { createTranscript } from './transcript.ts';
import { findPlace, makeBase, prepareWorkspace } from './workspace.ts';

type Log = (fields: Record<string, unknown>, message: string) => void;

/** One session on this machine: its sandbox's door, its agent, its terminals. */
export interface Session extends AsyncDisposable {
  readonly spec: SessionSpec;
  readonly door: Door;
  readonly terminals: Terminals;
  /** Refuses while the sandbox is not there. */
  base(): Base;
  turn(turnId: string, prompt: ContentBlock[]): Promise<void>;
  cancel(turnId: string): Promise<void>;
  decide(approvalId: string, optionId: string): void;
  restartAgent(): Promise<void>;
  takeBack(): Promise<void>;
  setMode(mode: string): Promise<void>;
  setModel(model: string): Promise<void>;
  quiesce(): Promise<void>;
  /** While `work` runs, no agent does; afterwards the workspace is what the base is made of. Answers its number of files. */
  replaceWorkspace(work: () => Promise<void>): Promise<number>;
  journalChanged(): void;
  agentLines(): string[];
}

export async function createSession(options: {
  spec: SessionSpec;
  dir: string;
  journal: Journal;
  clock: Clock;
  newId: NewId;
  version: string;
  log: Log;
}): Promise<Session> {
  const { dir, journal, clock, newId, version, log } = options;
  let spec = options.spec;
  let state = initialState;
  let place: Place | undefined;
  let base: Base | undefined;
  let secrets: Values = {};
  let agent: Agent | undefined;
  let agentSessionId = '';
  let stopping = false;
  /** The loop is in the middle of something. */
  let performing = false;
  let closed = false;
  /** Why the next process is a new one. */
  let why: string | null = null;
  let announce = true;
  const lines: string[] = [];
  const wakers: (() => void)[] = [];

  const transcript = createTranscript(join(dir, 'transcript.ndjson'), (error) =>
    log({ error: String(error) }, 'transcript could not be written'),
  );
  const conversation = createConversation({ journal, spec: () => spec, newId, transcript, log });
  const { put, notice } = conversation;
  const stderr = conversation.events.stderr;
  const events = {
    ...conversation.events,
    stderr(line: string): void {
      lines.push(line);
      if (lines.length > limits.stderrLines) lines.shift();
      stderr(line);
    },
  };

  function tell(event: SessionEvent): void {
    state = reduce(state, event);
    wake();
  }
  const wake = (): void => wakers.splice(0).forEach((resolve) => resolve());
  const phase = (name: string, detail?: string, more: Record<string, unknown> = {}): void =>
    put({
      kind: 'sandbox.phase',
      payload: { phase: name, ...(detail === undefined ? {} : { detail }), ...more },
    });
  /** Waits until the facts say so, but not for a session that is closing. */
  async function until(test: () => boolean): Promise<void> {
    while (!closed && !test()) await new Promise<void>((resolve) => wakers.push(resolve));
  }

  /** No agent runs, and none is being started. */
  const idle = (): boolean => state.agent !== 'up' && !performing;

  function here(orphans: ProcessView[]): void {
    for (const view of orphans) {
      if (terminals.adopt(view)) continue;
      // Another runner's process. An agent that nobody listened to must not work on beside the next one.
      if (view.exit === undefined && view.tag.startsWith('agent')) {
        why = 'The agent was restarted with its runner';
        log({ tag: view.tag }, 'agent of an earlier runner is ended');
      }
      const process = door.adopt(view, {
        output: () => undefined,
        exited: (_exit, lost) => {
          if (!lost) process.forget();
        },
      });
      process.kill('SIGKILL', true);
    }
    terminals.adopted();
    tell({ kind: 'here' });
  }

  const door = await createDoor({
    socketDir: spec.socketDir,
    owner: { uid: spec.hostUid, gid: spec.hostGid },
    events: { here, gone: () => tell({ kind: 'gone' }) },
    log,
  });
  const terminals = createTerminals({
    door,
    journal,
    put,
    log,
    launch: () => {
      if (!place) throw new Refusal('sandbox-away', 'The sandbox is not there.');
      const values = valuesOf(
        spec,
        place,
        secrets,
        agentSessionId || (journal.ledger.agentSessionId ?? ''),
      );
      return { ...launch(spec, 'terminal', values), kind: spec.harness.terminal.kind };
    },
    handOver,
    handedBack: () => {
      if (!state.holds.includes('terminal')) return;
      const id = journal.ledger.agentSessionId;
      if (id !== undefined)
        put({ kind: 'agent.session', payload: { agentSessionId: id, holder: 'chat' } });
      notice('taken-back', 'The conversation is back in the chat.');
      tell({ kind: 'release', why: 'terminal' });
    },
  });
  // What an earlier runner left open has nobody behind it any more.
  conversation.closeOpen();
  if (journal.damaged)
    put({
      kind: 'error',
      payload: {
        code: 'journal-damaged',
        detail: 'The journal on disk was damaged: events may be missing before this one.',
      },
    });
  if (journal.ledger.holder === 'terminal')
    state = reduce(state, { kind: 'hold', why: 'terminal' });
  const changes = watchChanges({ base: () => base, journal, put, log });

  async function handOver(): Promise<void> {
    if (state.prompting) throw new Refusal('agent-busy', 'The agent is in the middle of a turn.');
    if (journal.ledger.agentSessionId === undefined)
      throw new Refusal('agent-busy', 'The agent has no conversation yet.');
    tell({ kind: 'hold', why: 'terminal' });
    await until(idle);
    const payload = { agentSessionId: journal.ledger.agentSessionId, holder: 'terminal' };
    put({ kind: 'agent.session', payload });
    notice(
      'handed-over',
      'The conversation is in a terminal now; the chat takes it back when that ends.',
    );
  }

  async function prepare(): Promise<void> {
    try {
      place = await findPlace(door);
      base = createBase(door, place);
      secrets = await secretsFor(spec.harness, join(dir, 'secrets.json'));
      const report = (detail: string, progress?: object): void =>
        phase('starting', detail, progress ? { progress } : {});
      const found = await prepareWorkspace({ door, base, place, spec, report, notice });
      if (found === 'awaiting-archive') phase('starting', 'Waiting for the files');
      tell({ kind: 'workspace', is: found });
    } catch (error) {
      if (!(error instanceof Refusal) && !(error instanceof DoorError)) throw error;
      if (!door.here) return; // asked again when it is back
      phase('failed', error.message);
      put({ kind: 'error', payload: { code: error.code, detail: error.message } });
      tell({ kind: 'workspace', is: 'failed' });
    }
  }

  async function start(): Promise<void> {
    if (!place) {
      tell({ kind: 'workspace', is: 'unseen' });
      return;
    }
    const { harness } = spec;
    if (state.deaths.length > 1)
      await new Promise((resolve) => setTimeout(resolve, limits.respawnMs));
    if (announce) phase('agent-starting', `${harness.title} ${harness.version}`);
    let started: Agent | undefined;
    try {
      const id = journal.ledger.agentSessionId ?? spec.agentSessionId ?? '';
      const values = valuesOf(spec, place, secrets, id);
      await writeHarnessFiles(door, harness.files, values);
      const { argv, env } = launch(spec, 'acp', values);
      const tag = `agent:${newId()}`;
      started = await startAgent({ door, tag, argv, env, cwd: place.workspace, version, events });
      agent = started;
      agent.hold(journal.full);
      agentSessionId = await bringUp({
        agent,
        spec,
        cwd: place.workspace,
        journal,
        conversation,
        transcript,
        why,
      });
      if (announce) conversation.setMode(spec.mode);
    } catch (error) {
      await failed(started, error);
      return;
    }
    const alive = started;
    alive.exited.then(
      (exit) => {
        if (agent !== alive) return;
        agent = undefined;
        if (stopping || !door.here) tell({ kind: 'agent-stopped' });
        else died(`The agent ended (${describe(exit)})`, alive);
        conversation.closeOpen();
      },
      (error: unknown) => log({ error: String(error) }, 'agent'),
    );
    if (announce) phase('ready');
    announce = false;
    why = null;
    tell({ kind: 'agent-up' });
  }

  /** It did not come up: a death like any other. */
  async function failed(started: Agent | undefined, error: unknown): Promise<void> {
    agent = undefined;
    await started?.stop('SIGKILL');
    conversation.closeOpen();
    if (closed || !door.here) return;
    const exit = started ? await started.exited : undefined;
    const own = error instanceof Error ? error.message : String(error);
    died(
      exit?.code
        ? `The agent did not start (${describe(exit)})`
        : `The agent did not start: ${own}`,
      started,
    );
  }

  function died(text: string, dead: Agent | undefined): void {
    why = text;
    tell({ kind: 'agent-died', at: clock.now() });
    log({ text }, 'agent died');
    if (state.agent !== 'failed') return;
    announce = true;
    const logs = dead?.stderr().slice(-20) ?? [];
    phase(
      'failed',
      `${text}, ${String(limits.deaths)} times within a minute`,
      logs.length > 0 ? { logs } : {},
    );
  }

  /** In order, so that its state is on disk; then without asking. */
  async function stop(): Promise<void> {
    const dying = agent;
    stopping = true;
    try {
      if (dying) {
        const timer = setTimeout(() => {
          dying.stop('SIGKILL').catch((error: unknown) => log({ error: String(error) }, 'stop'));
        }, limits.quiesceMs);
        await dying.stop('SIGTERM').finally(() => clearTimeout(timer));
      }
    } finally {
      stopping = false;
    }
    tell({ kind: 'agent-stopped' });
  }

  function perform(action: Exclude<Action, 'wait'>): Promise<void> {
    switch (action) {
      case 'prepare-workspace':
        return prepare();
      case 'stop-agent':
        announce = state.restartWanted;
        why = null;
        return stop();
      case 'start-agent':
        return start();
      case 'deliver':
        return begin();
    }
  }
  /** The turn runs beside the loop: what happens meanwhile must be seen. */
  async function begin(): Promise<void> {
    const with_ = agent;
    if (!with_) return;
    tell({ kind: 'prompted' });
    conversation
      .deliver(with_, agentSessionId)
      .then(
        () => tell({ kind: 'answered' }),
        (error: unknown) => {
          log({ error: String(error) }, 'turn');
          tell({ kind: 'answered' });
        },
      )
      .finally(() => changes.look());
  }

  async function loop(): Promise<void> {
    while (!closed) {
      const action = nextAction(state, journal.ledger);
      if (action === 'wait') await new Promise<void>((resolve) => wakers.push(resolve));
      else {
        performing = true;
        await perform(action).finally(() => {
          performing = false;
          wake();
        });
      }
    }
  }
  const running = loop().catch((error: unknown) => {
    log(
      { error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      'session failed',
    );
    phase('failed', 'Berth could not go on with this session: see the runner’s log.');
  });

  return {
    get spec() {
      return spec;
    },
    door,
    terminals,
    base() {
      if (!base || !door.here) throw new Refusal('sandbox-away', 'The sandbox is not there.');
      return base;
    },
    async turn(turnId, prompt) {
      if (!journal.ledger.turns[turnId]) journal.note({ kind: 'accepted', turnId, prompt });
      await journal.synced();
      wake();
    },
    async cancel(turnId) {
      const target = agent;
      if (!(await conversation.cancel(target ?? null, turnId)) || target === undefined) return;
      stopping = true;
      conversation.endTurn(turnId, { state: 'cancelled', stopReason: 'cancelled' });
      notice(
        'agent-restarted',
        'The agent did not stop when it was asked to: its process was ended.',
      );
      await target.stop('SIGKILL').finally(() => {
        stopping = false;
      });
    },
    decide: (approvalId, optionId) => conversation.decide(approvalId, optionId),
    async restartAgent() {
      why = null;
      announce = true;
      tell({ kind: 'restart' });
    },
    takeBack: () => terminals.endAgent(),
    async setMode(mode) {
      const wanted = spec.harness.modes[mode];
      if (!wanted) throw new Refusal('unknown-mode', `${spec.harness.title} has no mode ${mode}.`);
      spec = { ...spec, mode };
      if (wanted.restart === true) tell({ kind: 'restart' });
      else if (agent && state.agent === 'up')
        await setMode(
          agent,
          agentSessionId,
          { harness: { ...spec.harness, model: {} }, mode },
          null,
          conversation,
        );
      conversation.setMode(mode);
    },
    async setModel(model) {
      spec = { ...spec, model };
      if (spec.harness.model.restart === true) tell({ kind: 'restart' });
      else if (agent && state.agent === 'up')
        await setMode(
          agent,
          agentSessionId,
          { harness: { ...spec.harness, modes: {} }, mode: '', model },
          null,
          conversation,
        );
    },
    async quiesce() {
      tell({ kind: 'hold', why: 'quiesced' });
      await until(() => idle() || !door.here);
    },
    async replaceWorkspace(work) {
      const made = base;
      if (!made || !door.here) throw new Refusal('sandbox-away', 'The sandbox is not there.');
      tell({ kind: 'hold', why: 'archive' });
      try {
        await until(idle);
        await work();
        const files = await makeBase(made, notice);
        tell({ kind: 'workspace', is: 'ready' });
        changes.look();
        return files;
      } finally {
        tell({ kind: 'release', why: 'archive' });
      }
    },
    journalChanged: () => agent?.hold(journal.full),
    agentLines: () => [...lines],
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      changes.close();
      wake();
      terminals.close();
      await door[Symbol.asyncDispose]();
      await running;
    },
  };
}

const describe = (exit: { code: number | null; signal: string | null }): string =>
  exit.signal ?? (exit.code === null ? 'its sandbox ended' : `exit code ${String(exit.code)}`);
