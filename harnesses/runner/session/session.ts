import { join } from 'node:path';
import type { SessionSpec } from '@berth/contract/link';
import type { ProcessView } from '../../agentd/protocol.ts';
import { createDoor } from '../agentd/door.ts';
import { outdated } from '../agentd/foreigners.ts';
import { DoorError } from '../agentd/ports.ts';
import type { Clock } from '../clock.ts';
import { createBase, Refusal, type Base, type Place } from '../git/base.ts';
import type { NewId } from '../ids.ts';
import type { Journal } from '../journal/journal.ts';
import type { Screens } from '../screen/index.ts';
import { createTerminals } from '../terminals/terminals.ts';
import { setMode } from './bring-up.ts';
import { watchChanges } from './changes-watch.ts';
import { createConversation } from './conversation.ts';
import { createEarlyAgent } from './early-agent.ts';
import { launch, secretsFor, valuesOf, type Values } from './harness.ts';
import { createLife, type Phase } from './life.ts';
import type { Session } from './ports.ts';
import { initialState, nextAction, reduce, type Action, type SessionEvent } from './state.ts';
import { createTranscript } from './transcript.ts';
import { createBegan, makeBase, prepareWorkspace } from './workspace.ts';

/** Puts a session together, and does one thing after the other as `state.ts` decides. */
export async function createSession(options: {
  spec: SessionSpec;
  dir: string;
  journal: Journal;
  screens: Pick<Screens, 'open'>;
  clock: Clock;
  newId: NewId;
  version: string;
  log: (fields: Record<string, unknown>, message: string) => void;
}): Promise<Session> {
  const { dir, journal, newId, log } = options;
  let spec = options.spec;
  let state = initialState;
  let place: Place | undefined;
  let base: Base | undefined;
  let secrets: Values = {};
  /** The loop is in the middle of something. */
  let performing = false;
  let closed = false;
  const wakers: (() => void)[] = [];

  const began = createBegan(dir);
  const transcript = createTranscript(join(dir, 'transcript.ndjson'), (error) =>
    log({ error: String(error) }, 'transcript could not be written'),
  );
  const conversation = createConversation({ journal, spec: () => spec, newId, transcript, log });
  const { put, notice } = conversation;

  const wake = (): void => wakers.splice(0).forEach((resolve) => resolve());
  function tell(event: SessionEvent): boolean {
    state = reduce(state, event);
    wake();
    return state.agent === 'failed';
  }
  const phase: Phase = (name, detail, more = {}) =>
    put({
      kind: 'sandbox.phase',
      payload: { phase: name, ...(detail === undefined ? {} : { detail }), ...more },
    });
  /** Waits until the facts say so, but not in a session that is closing. */
  async function until(test: () => boolean): Promise<void> {
    while (!closed && !test()) await new Promise<void>((resolve) => wakers.push(resolve));
  }
  /** No agent runs, and none is being started. */
  const idle = (): boolean => state.agent !== 'up' && !performing;

  const owner = { uid: spec.hostUid, gid: spec.hostGid };
  const door = await createDoor({
    socketDir: spec.socketDir,
    owner,
    events: {
      here,
      gone: () => tell({ kind: 'gone' }),
      foreign: (version) => put(outdated(spec.generation, version)),
    },
    log,
  });
  const early = createEarlyAgent({ door, socketDir: spec.socketDir, owner, newId, log });
  const terminals = createTerminals({
    door,
    screens: options.screens,
    journal,
    put,
    log,
    launch: () => {
      if (!place) throw new Refusal('sandbox-away', 'The sandbox is not there.');
      const id = journal.ledger.agentSessionId ?? '';
      const now = { ...spec, mode: conversation.mode };
      const started = launch(now, 'terminal', valuesOf(now, place, secrets, id));
      return { ...started, kind: spec.harness.terminal.kind };
    },
    handOver,
    handedBack: () => {
      if (!state.holds.includes('terminal')) return;
      tellHolder('chat');
      notice('taken-back', 'The conversation is back in the chat.');
      tell({ kind: 'release', why: 'terminal' });
    },
  });
  const life = createLife({
    ...options,
    door,
    early,
    spec: () => spec,
    conversation,
    transcript,
    phase,
    tell,
    deaths: () => state.deaths.length,
  });
  const changes = watchChanges({ base: () => base, journal, put, log });
  // What an earlier runner left open has nobody behind it any more.
  conversation.closeOpen();
  if (journal.ledger.holder === 'terminal') tell({ kind: 'hold', why: 'terminal' });

  function here(orphans: ProcessView[]): void {
    for (const view of orphans) {
      if (terminals.adopt(view) || early.take(view)) continue;
      // Another runner's process. An agent that nobody listened to must not work on beside the next one.
      if (view.exit === undefined && view.tag.startsWith('agent')) {
        life.because('The agent was restarted with its runner');
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
    early.withdraw();
    tell({ kind: 'here' });
  }

  function tellHolder(holder: 'chat' | 'terminal'): void {
    const { agentSessionId } = journal.ledger;
    if (agentSessionId !== undefined)
      put({ kind: 'agent.session', payload: { agentSessionId, holder } });
  }
  async function handOver(): Promise<void> {
    if (state.prompting) throw new Refusal('agent-busy', 'The agent is in the middle of a turn.');
    if (journal.ledger.agentSessionId === undefined)
      throw new Refusal('agent-busy', 'The agent has no conversation yet.');
    tell({ kind: 'hold', why: 'terminal' });
    await until(idle);
    tellHolder('terminal');
    notice(
      'handed-over',
      'The conversation is in a terminal; the chat takes it back when that ends.',
    );
  }

  async function prepare(): Promise<void> {
    try {
      place = door.place ?? undefined;
      if (!place) return; // asked again when it is back
      base = createBase(door, place, () => began.empty);
      secrets = await secretsFor(spec.harness, join(dir, 'secrets.json'));
      const report = (detail: string, progress?: object): void =>
        phase('starting', detail, progress ? { progress } : {});
      const what = { door, base, began, early, place, spec, report, notice };
      const found = await prepareWorkspace(what);
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

  /** The turn runs beside the loop: what happens meanwhile must be seen. */
  function deliver(): void {
    const { agent, agentSessionId } = life;
    if (!agent) return;
    tell({ kind: 'prompted' });
    conversation
      .deliver(agent, agentSessionId)
      .catch((error: unknown) => log({ error: String(error) }, 'turn failed'))
      .finally(() => {
        tell({ kind: 'answered' });
        changes.look();
      });
  }

  async function perform(action: Exclude<Action, 'wait'>): Promise<void> {
    switch (action) {
      case 'prepare-workspace':
        return prepare();
      case 'stop-agent':
        return life.stop();
      case 'start-agent':
        if (place) await life.start(place, secrets);
        else tell({ kind: 'workspace', is: 'unseen' });
        return;
      case 'deliver':
        deliver();
    }
  }
  async function loop(): Promise<void> {
    while (!closed) {
      const action = nextAction(state, journal.ledger);
      if (action === 'wait') {
        await new Promise<void>((resolve) => wakers.push(resolve));
        continue;
      }
      performing = true;
      await perform(action).finally(() => {
        performing = false;
        wake();
      });
    }
  }
  const running = loop().catch((error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log({ error: text }, 'session failed');
    if (!closed) phase('failed', 'Berth could not go on with this session: see the runner’s log.');
  });

  const first = state.holds.length === 0 && !began.empty && { ...spec, mode: conversation.mode };
  await early.leaveWord(first, journal.ledger.agentSessionId, join(dir, 'secrets.json'));
  door.start();

  /** Changes mode or model of the running agent, where that needs no new process. */
  async function apply(
    part: Partial<Pick<SessionSpec['harness'], 'modes' | 'model'>>,
  ): Promise<void> {
    const { agent, agentSessionId } = life;
    if (!agent || state.agent !== 'up') return; // it starts with it
    const only = { ...spec, harness: { ...spec.harness, modes: {}, model: {}, ...part } };
    await setMode(agent, agentSessionId, only, null, conversation);
  }
  function restart(): void {
    life.asked();
    tell({ kind: 'restart' });
  }

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
      const { agent } = life;
      if (!(await conversation.cancel(agent ?? null, turnId)) || life.agent !== agent) return;
      conversation.endTurn(turnId, { state: 'cancelled', stopReason: 'cancelled' });
      notice(
        'agent-restarted',
        'The agent did not stop when it was asked to: its process was ended.',
      );
      await life.kill();
    },
    decide: (approvalId, optionId) => conversation.decide(approvalId, optionId),
    restartAgent: restart,
    takeBack: () => terminals.endAgent(),
    async setMode(mode) {
      const wanted = spec.harness.modes[mode];
      if (!wanted) throw new Refusal('unknown-mode', `${spec.harness.title} has no mode ${mode}.`);
      spec = { ...spec, mode };
      if (wanted.restart === true) restart();
      else await apply({ modes: spec.harness.modes });
      if (conversation.mode !== mode) conversation.setMode(mode); // some agents have told it already
    },
    async setModel(model) {
      spec = { ...spec, model };
      if (spec.harness.model.restart === true) restart();
      else await apply({ model: spec.harness.model });
    },
    async quiesce() {
      tell({ kind: 'hold', why: 'quiesced' });
      await until(() => idle() || !door.here);
    },
    resume: () => tell({ kind: 'release', why: 'quiesced' }),
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
    journalChanged: () => life.agent?.hold(journal.full),
    agentLines: () => life.lines(),
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      changes.close();
      wake();
      terminals.close();
      await door[Symbol.asyncDispose]();
      await running;
      // Its sandbox is gone, or ends the agent before it is served again.
      conversation.closeOpen();
    },
  };
}
