import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { decodeTerminalFrame, encodeTerminalFrame, type TerminalFrame } from '@berth/contract';
import type { StreamPurpose, SessionSpec } from '@berth/contract/link';
import { afterEach, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { startFileName } from '../agentd/protocol.ts';
import { createStage, type Stage } from './testing/stage.ts';

let open: Stage | undefined;
afterEach(async () => {
  await open?.[Symbol.asyncDispose]();
  open = undefined;
});
async function ready(over?: Partial<SessionSpec>): Promise<Stage> {
  const stage = await createStage();
  open = stage;
  stage.startAgentd();
  await stage.startRunner();
  stage.bind(over);
  await phase(stage, 'ready');
  return stage;
}
const phase = (stage: Stage, name: string, times = 1) =>
  stage.wait(name, () => {
    const found = stage.items('sandbox.phase').filter(({ payload }) => payload['phase'] === name);
    return found.length >= times && found;
  });
const notices = (stage: Stage) => stage.items('notice').map(({ payload }) => payload['code']);
/** Nothing missing, nothing twice, nothing left open. */
function whole(stage: Stage): void {
  expect(stage.control.gaps).toEqual([]);
  const items = stage.items();
  const of = (kind: string, key: string) =>
    items.filter((item) => item.kind === kind).map(({ payload }) => String(payload[key]));
  expect(of('turn.started', 'turnId')).toEqual([...new Set(of('turn.started', 'turnId'))]);
  expect(of('turn.ended', 'turnId')).toEqual([...new Set(of('turn.ended', 'turnId'))]);
  expect(of('message.end', 'messageId')).toEqual([...new Set(of('message.delta', 'messageId'))]);
  const tools = new Map<string, string>();
  for (const { kind, payload } of items)
    if (kind === 'tool' && typeof payload['status'] === 'string')
      tools.set(String(payload['toolCallId']), payload['status']);
  expect([...tools.values()].filter((one) => one === 'pending' || one === 'running')).toEqual([]);
}

describe('an agent that starts with its sandbox', () => {
  /** The runner has left word; agentd is not there yet. */
  async function left(over?: Partial<SessionSpec>): Promise<Stage> {
    const stage = await createStage();
    open = stage;
    await stage.startRunner();
    const place = { workspace: stage.workspace, home: stage.home, node: process.execPath };
    stage.bind({ place, ...over });
    await stage.wait('the start file', () => existsSync(join(stage.socketDir, startFileName)));
    return stage;
  }
  const onlyAgent = (stage: Stage): Promise<number> =>
    stage.wait('an agent', () => stage.agents()[0]);

  test('is the one that answers, and nothing of the file stays', async () => {
    const stage = await left();
    stage.startAgentd();
    const pid = await onlyAgent(stage);
    await phase(stage, 'ready');
    await stage.ended(stage.turn('/say hello'));
    expect(stage.diary().map((line) => line.pid)).toEqual([pid]);
    expect(stage.agents()).toEqual([pid]);
    expect(existsSync(join(stage.socketDir, startFileName))).toBe(false);
    expect(notices(stage)).toEqual([]);
    whole(stage);
  });

  test('started otherwise than it would be now: another one takes its place', async () => {
    const stage = await left();
    const file = join(stage.socketDir, startFileName);
    const start = JSON.parse(readFileSync(file, 'utf8')) as { spawn: { env: object } };
    // As if the session had changed after the word was left: agentd runs what is written, the runner wants what holds now.
    await stage.control.call(stage.sessionId, 'mode.set', { mode: 'auto' });
    await stage.wait('the mode', () => stage.items('mode').length > 0);
    expect(start.spawn.env).toMatchObject({ BERTH_REHEARSAL_MODE: 'ask' });
    stage.startAgentd();
    await phase(stage, 'ready');
    const turn = stage.turn('/write a.txt x');
    expect(await stage.ended(turn)).toMatchObject({ state: 'done' });
    expect(stage.items('approval.requested')).toEqual([]);
    await stage.wait('one agent', () => stage.agents().length === 1);
    expect(stage.diary().map((line) => line.pid)).toEqual(stage.agents());
  });

  test('its runner dies before it could use it: the next one ends it and starts its own', async () => {
    const stage = await left();
    await stage.killRunner();
    stage.startAgentd();
    const first = await onlyAgent(stage);
    await stage.startRunner();
    stage.bind();
    await phase(stage, 'ready');
    await stage.ended(stage.turn('/say hello'));
    const [pid, ...more] = stage.agents();
    expect(more).toEqual([]);
    expect(pid).not.toBe(first);
    expect(stage.diary().map((line) => line.pid)).toEqual([pid]);
    whole(stage);
  });

  test('not where files are to come in first', async () => {
    const stage = await createStage();
    open = stage;
    writeFileSync(join(stage.workspace, 'there.txt'), 'before');
    await stage.startRunner();
    stage.bind({ place: { workspace: stage.workspace, home: stage.home, node: process.execPath } });
    await stage.wait('the start file', () => existsSync(join(stage.socketDir, startFileName)));
    stage.startAgentd();
    await phase(stage, 'ready');
    await stage.ended(stage.turn('/say hello'));
    expect(stage.agents()).toHaveLength(1);
    whole(stage);
  });
});

describe('turns', () => {
  test('a session boots visibly, answers a turn, and says everything once', async () => {
    const stage = await ready();
    const phases = stage.items('sandbox.phase').map(({ payload }) => payload['phase']);
    expect(phases).toEqual(['agent-starting', 'ready']);
    const turnId = stage.turn('/say hello\n/think hm\n/say world');
    expect(await stage.ended(turnId)).toMatchObject({ state: 'done', stopReason: 'end_turn' });
    expect(stage.said(turnId)).toBe('helloworld');
    stage.turn('/say again', turnId);
    await stage.wait(
      'accepted twice',
      () => stage.control.frames.filter((frame) => frame.op === 'accepted').length === 2,
    );
    expect(stage.diary()).toHaveLength(1);
    expect(stage.control.repeats).toBe(0);
    whole(stage);
  });

  test('a question waits for a person; the first decision counts', async () => {
    const stage = await ready();
    const turnId = stage.turn('/ask Which? | red | blue');
    const { payload } = await stage.wait('question', () => stage.items('approval.requested')[0]);
    const options = payload['options'] as { optionId: string; name: string }[];
    expect(payload['title']).toContain('Which?');
    const approvalId = String(payload['approvalId']);
    const { sessionId } = stage;
    const blue = options.find(({ name }) => name === 'blue')?.optionId ?? '';
    stage.control.send({ op: 'decide', sessionId, approvalId, optionId: 'no such option' });
    stage.control.send({ op: 'decide', sessionId, approvalId, optionId: blue });
    stage.control.send({ op: 'decide', sessionId, approvalId, optionId: 'red' });
    expect(await stage.ended(turnId)).toMatchObject({ state: 'done' });
    expect(stage.said(turnId)).toContain('blue');
    whole(stage);
  });

  test('cancel stops a running turn and its question, and the next turn runs', async () => {
    const stage = await ready();
    const { sessionId } = stage;
    const turnId = stage.turn('/ask Really? | yes | no');
    await stage.wait('question', () => stage.items('approval.requested')[0]);
    stage.control.send({ op: 'cancel', sessionId, turnId });
    expect(await stage.ended(turnId)).toMatchObject({ state: 'cancelled' });
    expect(stage.items('approval.resolved')[0]?.payload).toMatchObject({ state: 'superseded' });
    expect(await stage.ended(stage.turn('/say on'))).toMatchObject({ state: 'done' });
    whole(stage);
  });

  test('an agent that does not stop within its time is ended with all that it started; terminals live on', async () => {
    const stage = await createStage();
    open = stage;
    stage.startAgentd();
    await stage.startRunner();
    const { harness } = stage.spec();
    const argv = [process.execPath, join(import.meta.dirname, 'testing', 'deaf-agent.ts')];
    expect(harness.timeouts.cancelMs).toBe(1000);
    stage.bind({ harness: { ...harness, acp: { argv } } });
    await phase(stage, 'ready');
    const { sessionId } = stage;
    const terminalId = '00000000-0000-4000-8000-000000000009';
    const shell = { terminalId, kind: 'shell', cols: 80, rows: 24, by: { id: 'u', name: 'Ada' } };
    await stage.control.call(sessionId, 'terminal.open', shell);
    const turnId = stage.turn('work');
    await stage.wait('its words', () => stage.said(turnId) === 'no');
    const sleepers = () =>
      readdirSync('/proc').filter((pid) => {
        try {
          return (
            readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep\x007171') &&
            readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`HOME=${stage.home}\0`)
          );
        } catch {
          return false;
        }
      });
    await stage.wait('its process', () => sleepers().length === 1);
    const asked = performance.now();
    stage.control.send({ op: 'cancel', sessionId, turnId });
    expect(await stage.ended(turnId)).toMatchObject({ state: 'cancelled' });
    // One second to stop in order, and the rest for a busy machine.
    expect(performance.now() - asked).toBeLessThan(3000);
    await stage.wait('all of it is gone', () => sleepers().length === 0);
    const viewer = await view(stage, { kind: 'terminal', terminalId, cols: 80, rows: 24 });
    viewer.keys('echo al""ive\n');
    await stage.wait('the terminal', () => viewer.text().includes('alive'));
    expect(notices(stage)).toContain('agent-restarted');
    // Its successor is asked nothing of the old turn, and the next one is given to it.
    const next = stage.turn('more');
    await stage.wait('the next', () => stage.said(next) === 'no');
  });

  test('what the agent fails with is the turn’s error', async () => {
    const stage = await ready();
    expect(await stage.ended(stage.turn('/fail no luck'))).toMatchObject({
      state: 'failed',
      error: { code: 'agent-error', detail: expect.stringContaining('no luck') as string },
    });
  });
});

describe('deaths', () => {
  test('kill -9 of the agent in mid-stream: it goes on, nothing is doubled', async () => {
    const stage = await ready();
    const turnId = stage.turn('/stream 60 20\n/say after');
    await stage.wait('some words', () => stage.said(turnId).includes('w10'));
    for (const pid of stage.agents()) process.kill(pid, 'SIGKILL');
    expect(await stage.ended(turnId)).toMatchObject({ state: 'done' });
    expect(notices(stage)).toEqual(['agent-restarted']);
    expect(stage.said(turnId)).toContain('after');
    expect(stage.diary().filter(({ text }) => text.startsWith('/stream'))).toHaveLength(1);
    whole(stage);
  });

  test('kill -9 of the runner in mid-stream: a new one takes over, nothing lost, nothing doubled', async () => {
    const stage = await ready();
    const turnId = stage.turn('/stream 300 40\n/say after');
    await stage.wait('some words', () => stage.said(turnId).includes('w10'));
    const before = stage.items().length;
    await stage.killRunner();
    await stage.startRunner();
    stage.bind();
    stage.turn('/stream 300 40\n/say after', turnId);
    expect(await stage.ended(turnId)).toMatchObject({ state: 'done' });
    expect(stage.items().length).toBeGreaterThan(before);
    expect(notices(stage)).toContain('agent-restarted');
    expect(stage.said(turnId)).toContain('after');
    expect(stage.diary().filter(({ text }) => text.startsWith('/stream'))).toHaveLength(1);
    expect(stage.agents()).toHaveLength(1);
    whole(stage);
  });

  test('the link is cut again and again: the log has everything once', async () => {
    const stage = await ready();
    const turnId = stage.turn('/stream 150 10');
    for (let cut = 0; cut < 4; cut++) {
      await stage.wait('words', () => stage.said(turnId).includes(`w${String(cut * 20 + 5)} `));
      stage.control.cut();
      await stage.wait('link', () => stage.control.connected());
    }
    expect(await stage.ended(turnId)).toMatchObject({ state: 'done' });
    const words = stage.said(turnId).trim().split(/\s+/);
    expect(words).toEqual(Array.from({ length: 150 }, (_none, at) => `w${String(at + 1)}`));
    whole(stage);
  });

  test('an agent that keeps dying fails with its last words, and a person starts it again', async () => {
    const stage = await createStage();
    open = stage;
    stage.startAgentd();
    await stage.startRunner();
    const { harness } = stage.spec();
    const script = `if [ -e ${stage.home}/well ]; then exec "$@"; fi; echo broken by design >&2; exit 7`;
    const argv = ['sh', '-c', script, 'agent', ...harness.acp.argv];
    stage.bind({ harness: { ...harness, acp: { argv } } });
    const turnId = stage.turn('/say at last');
    const [failed] = await phase(stage, 'failed');
    expect(failed?.payload['detail']).toMatch(/exit code 7.*3 times/);
    expect(failed?.payload['logs']).toEqual(['broken by design']);
    writeFileSync(join(stage.home, 'well'), '');
    await stage.control.call(stage.sessionId, 'agent.restart', {});
    expect(await stage.ended(turnId)).toMatchObject({ state: 'done' });
    whole(stage);
  });

  test('a conversation that cannot be loaded is seeded from what was said', async () => {
    const stage = await ready();
    await stage.ended(stage.turn('/say the word is swordfish'));
    rmSync(join(stage.home, '.rehearsal', 'conversations'), { recursive: true });
    for (const pid of stage.agents()) process.kill(pid, 'SIGKILL');
    await stage.wait('seeding', () => notices(stage).includes('conversation-seeded'));
    stage.turn('/say next');
    const path = join(stage.home, '.rehearsal', 'diary.jsonl');
    await stage.wait('the next prompt', () => stage.diary().length === 2);
    expect(readFileSync(path, 'utf8').trim().split('\n').at(-1)).toContain('swordfish');
  });

  test('a journal that was put back to an earlier state: nothing is sent again, and what cannot be known is said', async () => {
    const stage = await ready();
    await stage.ended(stage.turn('/say one'));
    const journal = join(stage.stateDir, 'sessions', stage.sessionId, 'journal');
    const accepted = () => stage.control.frames.filter((frame) => frame.op === 'accepted').length;
    const turnId = stage.turn('/stream 200 50');
    await stage.wait('accepted', () => accepted() === 2);
    const backup = join(stage.dir, 'backup');
    cpSync(journal, backup, { recursive: true });
    await stage.wait('words', () => stage.said(turnId).includes('w5'));
    const [source] = stage.control.hellos.at(-1)?.sessions ?? [];
    await stage.killRunner();
    rmSync(journal, { recursive: true });
    cpSync(backup, journal, { recursive: true });
    await stage.startRunner();
    stage.bind();
    await stage.wait('said', () =>
      stage.items('error').some(({ payload }) => payload['code'] === 'journal-rolled-back'),
    );
    expect(await stage.ended(turnId)).toMatchObject({ state: 'unknown' });
    expect(await stage.ended(stage.turn('/say two'))).toMatchObject({ state: 'done' });
    expect(stage.diary().filter(({ text }) => text.startsWith('/stream'))).toHaveLength(1);
    stage.control.cut();
    await stage.wait('another journal', () => {
      const [now] = stage.control.hellos.at(-1)?.sessions ?? [];
      return now !== undefined && now.sourceId !== source?.sourceId;
    });
  });

  test('killed again before it heard to go on: the message is not sent a second time', async () => {
    const stage = await ready();
    const turnId = stage.turn('/stream 60 20\n/say after');
    await stage.wait('some words', () => stage.said(turnId).includes('w10'));
    for (const pid of stage.agents()) process.kill(pid, 'SIGKILL');
    await stage.wait('told', () => notices(stage).includes('agent-restarted'));
    for (const pid of stage.agents()) process.kill(pid, 'SIGKILL');
    expect(await stage.ended(turnId)).toMatchObject({ state: 'done' });
    expect(notices(stage)).not.toContain('message-resent');
    expect(stage.diary().filter(({ text }) => text.startsWith('/stream'))).toHaveLength(1);
    whole(stage);
  });

  test('the sandbox dies and a new generation of it goes on', async () => {
    const stage = await ready();
    await stage.ended(stage.turn('/say one'));
    const turnId = stage.turn('/stream 100 20');
    await stage.wait('words', () => stage.said(turnId).includes('w5'));
    await stage.killAgentd();
    stage.startAgentd();
    stage.bind({ generation: 2 });
    expect(await stage.ended(turnId)).toMatchObject({ state: 'done' });
    whole(stage);
  });
});

test('the sandbox dies while its agent starts: the next one is served', async () => {
  const stage = await createStage();
  open = stage;
  stage.startAgentd();
  await stage.startRunner();
  const { harness } = stage.spec();
  const argv = ['sh', '-c', `touch ${stage.home}/began; exec sleep 1000`];
  stage.bind({ harness: { ...harness, acp: { argv } } });
  await stage.wait('the process', () => existsSync(join(stage.home, 'began')));
  await stage.killAgentd();
  stage.bind({ generation: 2 });
  stage.startAgentd();
  expect(await stage.ended(stage.turn('/say at last'))).toMatchObject({ state: 'done' });
});

describe('put to sleep', () => {
  test('in mid-stream: what was said is closed, and the turn goes on when it wakes', async () => {
    const stage = await ready();
    const turnId = stage.turn('/stream 300 20\n/say after');
    await stage.wait('some words', () => stage.said(turnId).includes('w10'));
    stage.control.send({ op: 'unbind', sessionId: stage.sessionId, purge: false });
    await stage.wait('the end of the text', () => stage.items('message.end')[0]);
    await stage.killAgentd();
    stage.startAgentd();
    stage.bind();
    expect(await stage.ended(turnId)).toMatchObject({ state: 'done' });
    whole(stage);
  });

  test('the word that it sleeps is lost, and only the one that it wakes arrives', async () => {
    const stage = await ready({ instance: 'first' });
    await stage.control.call(stage.sessionId, 'quiesce', {});
    expect(stage.agents()).toEqual([]);
    await stage.killAgentd();
    stage.bind({ instance: 'second' });
    stage.startAgentd();
    // Said anew: whoever started it waits for that.
    await phase(stage, 'ready', 2);
    expect(await stage.ended(stage.turn('/say awake'))).toMatchObject({ state: 'done' });
    whole(stage);
  });

  test('it is to stop, and then not: it goes on', async () => {
    const stage = await ready();
    await stage.control.call(stage.sessionId, 'quiesce', {});
    expect(stage.agents()).toEqual([]);
    stage.bind();
    expect(await stage.ended(stage.turn('/say awake'))).toMatchObject({ state: 'done' });
    whole(stage);
  });
});

/** A viewer that keeps what a terminal would. */
async function view(stage: Stage, purpose: Extract<StreamPurpose, { kind: 'terminal' }>) {
  const socket: WebSocket = await stage.control.stream(stage.sessionId, purpose);
  const frames: TerminalFrame[] = [];
  socket.on('message', (data, binary) => {
    const frame = binary ? decodeTerminalFrame(new Uint8Array(data as Buffer), 'server') : null;
    if (!frame) return;
    frames.push(frame);
    if (frame.type === 'data')
      socket.send(encodeTerminalFrame({ type: 'ack', offset: frame.offset + frame.bytes.length }));
  });
  const text = () =>
    frames.map((frame) => ('bytes' in frame ? Buffer.from(frame.bytes).toString() : '')).join('');
  return {
    socket,
    frames,
    text,
    keys: (keys: string) =>
      socket.send(encodeTerminalFrame({ type: 'keys', bytes: Buffer.from(keys) })),
    resize: (cols: number, rows: number) =>
      socket.send(encodeTerminalFrame({ type: 'resize', cols, rows })),
  };
}
const by = { id: 'u1', name: 'Ada' };
const size = { cols: 80, rows: 24 };

describe('terminals', () => {
  test('a shell: keys, two viewers, resize in order, exit; it survives the runner', async () => {
    const stage = await ready();
    const terminalId = '00000000-0000-4000-8000-000000000001';
    await stage.control.call(stage.sessionId, 'terminal.open', {
      terminalId,
      kind: 'shell',
      ...size,
      by,
    });
    const one = await view(stage, { kind: 'terminal', terminalId, ...size });
    one.keys('echo he""llo\n');
    await stage.wait('echo', () => one.text().includes('hello'));
    const two = await view(stage, { kind: 'terminal', terminalId, cols: 100, rows: 30, offset: 0 });
    await stage.wait('the same', () => two.text().includes('hello'));
    expect(two.frames[0]).toEqual({ type: 'resize', ...size });
    await stage.wait('resize', () => one.frames.some((f) => f.type === 'resize' && f.cols === 100));
    one.keys('stty size\n');
    await stage.wait('size', () => two.text().includes('30 100'));

    await stage.killRunner();
    await stage.startRunner();
    stage.bind();
    await stage.wait('bound', () => stage.items('sandbox.phase').length > 2);
    const three = await view(stage, { kind: 'terminal', terminalId, cols: 100, rows: 30 });
    await stage.wait('screen', () => three.frames.some((f) => f.type === 'screen'));
    expect(three.text()).toContain('hello');
    three.keys('exit 3\n');
    await stage.wait('exit', () => three.frames.find((f) => f.type === 'exit'));
    expect(three.frames.at(-1)).toEqual({ type: 'exit', exitCode: 3 });
    const { payload } = await stage.wait('closed', () => stage.items('terminal.closed')[0]);
    expect(payload).toEqual({ terminalId, exitCode: 3 });
    whole(stage);
  });

  test('a flood: nothing lost for a viewer that keeps up, and chat goes on meanwhile', async () => {
    const stage = await ready();
    const terminalId = '00000000-0000-4000-8000-000000000002';
    await stage.control.call(stage.sessionId, 'terminal.open', {
      terminalId,
      kind: 'shell',
      ...size,
      by,
    });
    const viewer = await view(stage, { kind: 'terminal', terminalId, ...size });
    viewer.keys('seq 1 300000; echo en""d\n');
    expect(await stage.ended(stage.turn('/say meanwhile'))).toMatchObject({ state: 'done' });
    await stage.wait(
      'the end',
      () => {
        const last = viewer.frames.slice(-20);
        return last.some((f) => 'bytes' in f && Buffer.from(f.bytes).includes('end'));
      },
      40_000,
    );
    let next = 0;
    for (const frame of viewer.frames) {
      if (frame.type === 'screen') next = frame.offset;
      if (frame.type !== 'data') continue;
      expect(frame.offset).toBe(next);
      next += frame.bytes.length;
    }
  });

  test('hand-over: the agent ends, its TUI has the conversation, and taking back loads it again', async () => {
    const stage = await ready();
    await stage.ended(stage.turn('/say one'));
    const terminalId = '00000000-0000-4000-8000-000000000003';
    await stage.control.call(stage.sessionId, 'terminal.open', {
      terminalId,
      kind: 'agent',
      ...size,
      by,
    });
    expect(stage.agents()).toEqual([]);
    const holder = (who: string) =>
      stage.wait(who, () => stage.items('agent.session').at(-1)?.payload['holder'] === who);
    await holder('terminal');
    await stage.control.call(stage.sessionId, 'agent.take-back', {});
    await holder('chat');
    expect(await stage.ended(stage.turn('/say two'))).toMatchObject({ state: 'done' });
    expect(notices(stage)).toEqual(['handed-over', 'taken-back']);
    expect(stage.items('message.user')).toEqual([]);
    whole(stage);
  });

  const terminalOf = (n: number): string => `00000000-0000-4000-8000-00000000001${String(n)}`;
  /** The agent's own screen has the conversation, and a person types into it. */
  async function typeThere(stage: Stage, n: number, lines: readonly string[]): Promise<void> {
    const terminalId = terminalOf(n);
    const open = { terminalId, kind: 'agent', ...size, by };
    await stage.control.call(stage.sessionId, 'terminal.open', open);
    const viewer = await view(stage, { kind: 'terminal', terminalId, ...size });
    await stage.wait('the screen', () => viewer.text().includes('leaves'));
    for (const line of lines) {
      viewer.keys(`${line}\r`);
      // Told by the agent, and not only typed.
      const said = line.replace('/say ', '');
      await stage.wait(line, () => viewer.text().split(said).length > 2);
    }
    await stage.wait('rest', () => stage.diary().at(-1)?.text === lines.at(-1));
    viewer.socket.close();
  }
  const told = (stage: Stage) =>
    stage
      .items()
      .filter(({ kind }) => kind === 'message.user' || kind === 'message')
      .map(({ kind, payload }) => {
        const [block] = payload['content'] as { text: string }[];
        return kind === 'message.user'
          ? `${block?.text ?? ''} (${String(payload['via'])})`
          : block?.text;
      });

  test('what was typed in the TUI is told once when the chat has the conversation again', async () => {
    const stage = await ready();
    await stage.ended(stage.turn('/say one'));
    await typeThere(stage, 1, ['/say typed1', '/say typed2']);
    await stage.control.call(stage.sessionId, 'agent.take-back', {});
    await stage.ended(stage.turn('/say two'));
    const first = ['/say typed1 (terminal)', 'typed1', '/say typed2 (terminal)', 'typed2'];
    expect(told(stage)).toEqual(first);
    const users = stage.items('message.user');
    for (const { turnId, payload } of users) expect(payload['turnId']).toBe(turnId);
    const kinds = stage.items().map(({ kind }) => kind);
    expect(kinds.lastIndexOf('message.user')).toBeLessThan(kinds.lastIndexOf('turn.started'));
    // Once more, with words that were said before; and the process dies with the next turn open.
    await typeThere(stage, 2, ['/say one1', '/say typed2']);
    await stage.control.call(stage.sessionId, 'agent.take-back', {});
    const next = stage.turn('/say begun\n/sleep 2000\n/say done');
    await stage.wait('begun', () => stage.said(next).includes('begun'));
    for (const pid of stage.agents()) process.kill(pid, 'SIGKILL');
    expect(await stage.ended(next)).toMatchObject({ state: 'done' });
    expect(told(stage)).toEqual([
      ...first,
      '/say one1 (terminal)',
      'one1',
      '/say typed2 (terminal)',
      'typed2',
    ]);
    expect(notices(stage)).not.toContain('terminal-unread');
    expect(stage.diary().filter(({ text }) => text.startsWith('/say begun'))).toHaveLength(1);
    whole(stage);
  });

  test('whatever dies while the conversation comes back, what was typed is told once', async () => {
    const stage = await ready();
    const expected: string[] = [];
    for (const [n, [victim, afterMs]] of (
      [
        ['runner', 0],
        ['agent', 0],
        ['runner', 120],
        ['runner', 250],
        ['link', 100],
      ] as const
    ).entries()) {
      await typeThere(stage, n, [`/say nr${String(n)}`]);
      expected.push(`/say nr${String(n)} (terminal)`, `nr${String(n)}`);
      // Nobody answers when the runner dies meanwhile.
      stage.control.call(stage.sessionId, 'agent.take-back', {}).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      if (victim === 'agent') {
        const [pid] = await stage.wait(
          'a process',
          () => stage.agents().length > 0 && stage.agents(),
        );
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
      } else if (victim === 'runner') {
        await stage.killRunner();
        await stage.startRunner();
        stage.bind();
        // It may have died before it had ended the terminal, and a new one must have found that first.
        const closed = () =>
          stage
            .items('terminal.closed')
            .some(({ payload }) => payload['terminalId'] === terminalOf(n));
        while (!closed()) {
          await stage.control.call(stage.sessionId, 'agent.take-back', {}).catch(() => undefined);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      } else stage.control.cut();
      await stage.wait('told', () => told(stage).length >= expected.length);
      expect(await stage.ended(stage.turn('/say on'))).toMatchObject({ state: 'done' });
      expect(told(stage)).toEqual(expected);
    }
    expect(notices(stage)).not.toContain('terminal-unread');
    whole(stage);
  });
});

describe('files and changes', () => {
  /** All that a stream gave: metas, bytes, and how it failed. */
  async function read(stage: Stage, purpose: StreamPurpose, send?: Buffer[]) {
    const socket = await stage.control.stream(stage.sessionId, purpose);
    const chunks: Buffer[] = [];
    const controls: Record<string, unknown>[] = [];
    socket.on('message', (data, binary) => {
      if (binary) chunks.push(data as Buffer);
      else controls.push(JSON.parse((data as Buffer).toString()) as Record<string, unknown>);
    });
    for (const bytes of send ?? []) socket.send(bytes);
    if (send) socket.send('{"end":true}');
    await new Promise((resolve) => socket.once('close', resolve));
    return { bytes: Buffer.concat(chunks), controls };
  }

  test('an archive comes in, the agent starts after it, and its patch applies', async () => {
    const stage = await createStage();
    open = stage;
    stage.startAgentd();
    await stage.startRunner();
    stage.bind({ awaitArchive: true, mode: 'auto' });
    await stage.wait('waiting', () => stage.items('sandbox.phase')[0]);
    const from = join(stage.dir, 'from');
    mkdirSync(from);
    writeFileSync(join(from, 'a.txt'), 'one\ntwo\n');
    writeFileSync(join(from, 'b.bin'), Buffer.from([0, 1, 2, 255]));
    const tar = execFileSync('tar', ['-czf', '-', '-C', from, '.']);
    // One that breaks off in the middle leaves nothing that the next would stumble over.
    const plain = execFileSync('tar', ['-cf', '-', '-C', from, '.']);
    const torn = await stage.control.stream(stage.sessionId, {
      kind: 'archive.write',
      overwrite: false,
    });
    torn.send(plain.subarray(0, 2048));
    torn.send(Buffer.alloc(10_240, plain.subarray(2048, 2560)));
    await stage.wait('half of it', () => existsSync(join(stage.workspace, 'a.txt')));
    torn.terminate();
    await stage.wait('nothing', () => readdirSync(stage.workspace).length === 0);
    const { controls } = await read(stage, { kind: 'archive.write', overwrite: false }, [
      tar.subarray(0, 10),
      tar.subarray(10),
    ]);
    expect(controls).toEqual([{ meta: { files: 2 } }, { end: true }]);
    await phase(stage, 'ready');
    expect(await stage.ended(stage.turn('/write a.txt changed\n/write c.txt added'))).toMatchObject(
      { state: 'done' },
    );
    await stage.wait('changes', () =>
      stage.items('changes').find(({ payload }) => payload['files'] === 2),
    );
    const changes = await stage.control.call(stage.sessionId, 'changes.list', {});
    expect(changes).toMatchObject({
      files: [
        { path: 'a.txt', status: 'modified' },
        { path: 'c.txt', status: 'added' },
      ],
    });
    const patch = await read(stage, { kind: 'changes.patch' });
    execFileSync('git', ['init', '-q'], { cwd: from });
    execFileSync('git', ['apply', '-'], { cwd: from, input: patch.bytes });
    expect(readFileSync(join(from, 'a.txt'), 'utf8')).toContain('changed');
    expect(existsSync(join(from, 'c.txt'))).toBe(true);
    for (const path of ['/workspace/c.txt', 'c.txt']) {
      const one = (await read(stage, { kind: 'changes.patch', path })).bytes.toString();
      expect(one).toContain('+++ b/c.txt');
      expect(one).not.toContain('a.txt');
    }
    const base = await read(stage, { kind: 'file.read', path: '/workspace/a.txt', rev: 'base' });
    expect(base.bytes.toString()).toBe('one\ntwo\n');
    const again = await read(stage, { kind: 'archive.write', overwrite: false }, [tar]);
    expect(again.controls[0]).toMatchObject({ fail: { code: 'workspace-not-empty' } });
    const bad = await read(stage, { kind: 'archive.write', overwrite: true }, [
      Buffer.from('no tar'),
    ]);
    expect(bad.controls[0]).toMatchObject({ fail: { code: 'bad-archive' } });
    expect(await stage.ended(stage.turn('/say still here'))).toMatchObject({ state: 'done' });
  });

  test('what was made in an empty workspace counts, also when the runner died before anybody asked', async () => {
    const stage = await ready({ mode: 'auto' });
    expect(existsSync(join(stage.home, '.berth', 'base.git'))).toBe(false);
    writeFileSync(join(stage.workspace, 'made.txt'), 'one\n');
    await stage.killRunner();
    await stage.startRunner();
    stage.bind({ mode: 'auto' });
    await phase(stage, 'ready', 2);
    const changes = await stage.control.call(stage.sessionId, 'changes.list', {});
    expect(changes).toMatchObject({ files: [{ path: 'made.txt', status: 'added' }] });
    const base = await read(stage, { kind: 'file.read', path: '/workspace/made.txt', rev: 'base' });
    expect(base.controls[0]).toMatchObject({ fail: { code: 'not-found' } });
  });

  test('files: written, read, and refused', async () => {
    const stage = await ready();
    const big = Buffer.alloc(3_000_000, 'x');
    const written = await read(stage, { kind: 'file.write', path: 'dir/../f.txt' }, [big]);
    const etag = (written.controls[0]?.['meta'] as { etag: string }).etag;
    const back = await read(stage, { kind: 'file.read', path: '/workspace/f.txt' });
    expect(back.bytes.equals(big)).toBe(true);
    expect(back.controls[0]).toMatchObject({ meta: { sizeBytes: big.length, etag } });
    const stale = await read(stage, { kind: 'file.write', path: 'f.txt', ifMatch: '"other"' }, [
      big,
    ]);
    expect(stale.controls[0]).toMatchObject({ fail: { code: 'version-stale' } });
    const out = await read(stage, { kind: 'file.read', path: '/workspace/../etc/passwd' });
    expect(out.controls[0]).toMatchObject({ fail: { code: 'outside-workspace' } });
    await expect(stage.control.call(stage.sessionId, 'files.list', { path: 3 })).rejects.toThrow(
      'invalid-request',
    );
    await expect(stage.control.call(stage.sessionId, 'no.such', {})).rejects.toThrow(
      'unknown-method',
    );
  });
});

describe('forwarders', () => {
  test('model traffic goes to the gateway with our identity and without the agent’s', async () => {
    const stage = await ready();
    const seen: { url?: string | undefined; headers: Record<string, unknown> }[] = [];
    stage.control.gateway = (incoming, response) => {
      seen.push({ url: incoming.url, headers: incoming.headers });
      incoming.resume();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      setTimeout(() => response.end('data: 2\n\n'), 50);
    };
    const chunks: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const outgoing = request(
        {
          socketPath: join(stage.socketDir, 'gateway.sock'),
          path: '/v1/chat/completions',
          method: 'POST',
          headers: {
            authorization: 'Bearer agent',
            'x-api-key': 'agent',
            'x-berth-session': 'other',
            'x-session-id': 's',
          },
        },
        (response) => {
          response.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
          response.on('end', () => resolve());
        },
      );
      outgoing.on('error', reject);
      outgoing.end('{}');
    });
    expect(chunks).toEqual(['data: 1\n\n', 'data: 2\n\n']); // as they came
    expect(seen[0]?.url).toBe('/gateway/openai/v1/chat/completions');
    expect(seen[0]?.headers).toMatchObject({
      'x-berth-session': stage.sessionId,
      'x-session-id': 's',
    });
    expect(seen[0]?.headers['authorization']).not.toContain('agent');
    expect(seen[0]?.headers['x-api-key']).toBeUndefined();
  });

  test('egress: our line first, then bytes both ways, half-closed too', async () => {
    const stage = await ready();
    const vault = createServer({ allowHalfOpen: true }, (socket) => {
      let seen = '';
      socket.on('data', (chunk: Buffer) => (seen += chunk.toString()));
      socket.on('end', () => socket.end(`got ${seen}`));
    });
    await new Promise<void>((resolve) => vault.listen(join(stage.dir, 'vault.sock'), resolve));
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect({ path: join(stage.socketDir, 'egress.sock'), allowHalfOpen: true });
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
      socket.end('CONNECT x');
    });
    vault.close();
    expect(answer).toBe(`got BERTH/1 ${stage.sessionId} egress-token\nCONNECT x`);
  });
});

test('a second runner on one state directory refuses', async () => {
  const stage = await ready();
  expect(() =>
    execFileSync(
      process.execPath,
      [join(import.meta.dirname, 'main.ts'), '--state', stage.stateDir],
      { stdio: 'pipe' },
    ),
  ).toThrow('another runner');
});
