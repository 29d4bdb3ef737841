import { AgentSilent, startAgent, type Agent } from '../acp/agent.ts';
import { fill } from '@berth/contract/harness';
import type { Door } from '../agentd/ports.ts';
import type { SessionSpec } from '@berth/contract/link';
import type { Clock } from '../clock.ts';
import type { Place } from '../git/base.ts';
import type { NewId } from '../ids.ts';
import type { Journal } from '../journal/journal.ts';
import { limits } from '../limits.ts';
import { bringUp } from './bring-up.ts';
import type { Conversation } from './ports.ts';
import { planOf, type EarlyAgent } from './early-agent.ts';
import { launch, valuesOf, type Values } from './harness.ts';
import type { SessionEvent } from './state.ts';
import type { Transcript } from './transcript.ts';
import { takeTyped } from './typed-items.ts';

export type Phase = (name: string, detail?: string, more?: Record<string, unknown>) => void;

/** The agent's process: started, seen dying, ended. Never two at a time. */
export interface Life {
  readonly agent: Agent | undefined;
  readonly agentSessionId: string;
  /** Its last lines on standard error, over all its lives. */
  lines(): string[];
  start(place: Place, secrets: Values): Promise<void>;
  /** In order, so that its state is on disk; after a while without asking. */
  stop(): Promise<void>;
  /** Without asking. */
  kill(): Promise<void>;
  /** The next start is shown as one that a person asked for, or began with a death of this reason. */
  asked(): void;
  because(why: string): void;
}

export function createLife(options: {
  door: Door;
  early: Pick<EarlyAgent, 'claim'>;
  spec: () => SessionSpec;
  journal: Journal;
  conversation: Conversation;
  transcript: Transcript;
  clock: Clock;
  newId: NewId;
  version: string;
  log: (fields: Record<string, unknown>, message: string) => void;
  phase: Phase;
  /** Returns whether there were too many deaths. */
  tell: (event: SessionEvent) => boolean;
  deaths: () => number;
}): Life {
  const { door, early, journal, conversation, transcript, log, phase, tell } = options;
  let agent: Agent | undefined;
  let agentSessionId = '';
  let stopping = false;
  /** Why the next process is a new one. */
  let why: string | null = null;
  /** The next start is part of the visible boot. */
  let announce = true;
  const lines: string[] = [];
  // A runner before this one may have died between two of them.
  takeTyped(journal, conversation, transcript);
  const events = {
    ...conversation.events,
    stderr(line: string): void {
      lines.push(line);
      if (lines.length > limits.stderrLines) lines.shift();
      conversation.events.stderr(line);
    },
  };

  async function start(place: Place, secrets: Values): Promise<void> {
    const spec = { ...options.spec(), mode: conversation.mode };
    const { harness } = spec;
    if (options.deaths() > 1) await new Promise((resolve) => setTimeout(resolve, limits.respawnMs));
    if (announce) phase('agent-starting', `Starting ${harness.title} ${harness.version}`);
    let started: Agent | undefined;
    const slow = setTimeout(() => {
      // Who is told that it starts must be told that it is there, else the session looks as if it started for ever.
      announce = true;
      const seconds = String(limits.slowStartMs / 1000);
      phase(
        'agent-starting',
        `${harness.title} has not answered for ${seconds} seconds`,
        lastLines(started),
      );
    }, limits.slowStartMs);
    try {
      const id = journal.ledger.agentSessionId ?? spec.agentSessionId ?? '';
      const values = valuesOf(spec, place, secrets, id);
      const plan = planOf(spec, place, values);
      const { files } = plan;
      const join = early.claim(plan);
      if (!join && files.length > 0) await door.ask({ op: 'put-files', files });
      started = await startAgent({
        door: join ? { spawn: join, drained: () => door.drained() } : door,
        // A tag of its own for each life, so that ending one never meets the next.
        tag: `agent:${options.newId()}`,
        argv: plan.argv,
        env: plan.env,
        cwd: plan.cwd,
        version: options.version,
        events,
      });
      agent = started;
      agent.hold(journal.full);
      agentSessionId = await bringUp({
        agent,
        spec,
        cwd: place.workspace,
        journal,
        conversation,
        transcript,
        newId: options.newId,
        why,
        beforeLoad: () => beforeLoad(spec, values, place),
      });
      if (announce) conversation.setMode(spec.mode);
    } catch (error) {
      await failed(started, error);
      return;
    } finally {
      clearTimeout(slow);
    }
    watch(started);
    if (announce) phase('ready');
    announce = false;
    why = null;
    tell({ kind: 'agent-up' });
  }

  async function beforeLoad(spec: SessionSpec, values: Values, place: Place): Promise<void> {
    const argv = spec.harness.reopen?.beforeLoad;
    if (argv === undefined) return;
    const { env } = launch(spec, 'acp', values);
    const done = await door.run({
      argv: argv.map((word) => fill(word, values)),
      cwd: place.workspace,
      env,
    });
    if (done.code !== 0)
      log(
        { code: done.code, stderr: done.stderr.slice(-500) },
        'what is done before a load failed',
      );
  }

  function watch(alive: Agent): void {
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
  }

  /** It did not come up: a death like any other. */
  async function failed(started: Agent | undefined, error: unknown): Promise<void> {
    agent = undefined;
    await started?.stop('SIGKILL');
    conversation.closeOpen();
    if (!door.here) return;
    const exit = started ? await started.exited : undefined;
    const own = error instanceof Error ? error.message : String(error);
    const detail = exit?.code ? `(${describe(exit)})` : `: ${own}`;
    const text = `The agent did not start${detail.startsWith('(') ? ' ' : ''}${detail}`;
    if (error instanceof AgentSilent) gaveUp(text, started);
    else died(text, started);
  }

  function died(text: string, dead: Agent | undefined): void {
    why = text;
    log({ text }, 'agent died');
    if (!tell({ kind: 'agent-died', at: options.clock.now() })) return;
    announce = true;
    const times = `${String(limits.deaths)} times within a minute`;
    phase('failed', `${text}, ${times}`, lastLines(dead));
  }
  function gaveUp(text: string, silent: Agent | undefined): void {
    why = text;
    log({ text }, 'agent is silent');
    if (!tell({ kind: 'agent-silent' })) return;
    announce = true;
    phase('failed', `${text}, ${String(limits.silences)} times in a row`, lastLines(silent));
  }

  async function end(work: (dying: Agent) => Promise<void>): Promise<void> {
    stopping = true;
    try {
      if (agent) await work(agent);
    } finally {
      stopping = false;
    }
  }

  return {
    get agent() {
      return agent;
    },
    get agentSessionId() {
      return agentSessionId;
    },
    lines: () => [...lines],
    start,
    async stop() {
      why = null;
      await end(async (dying) => {
        const timer = setTimeout(() => {
          dying.stop('SIGKILL').catch((error: unknown) => log({ error: String(error) }, 'stop'));
        }, limits.quiesceMs);
        await dying.stop('SIGTERM').finally(() => clearTimeout(timer));
      });
      tell({ kind: 'agent-stopped' });
    },
    kill: () => end((dying) => dying.stop('SIGKILL')),
    asked() {
      why = null;
      announce = true;
    },
    because(text) {
      why = text;
    },
  };
}

/** For the timeline: what it said last is mostly why. */
function lastLines(agent: Agent | undefined): { logs?: string[] } {
  const logs = agent?.stderr().slice(-20) ?? [];
  return logs.length > 0 ? { logs } : {};
}

const describe = (exit: { code: number | null; signal: string | null }): string =>
  exit.signal ?? (exit.code === null ? 'its sandbox ended' : `exit code ${String(exit.code)}`);
