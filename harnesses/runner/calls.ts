import { runnerMethods, type RunnerMethod } from '@berth/contract/link';
import * as z from 'zod/mini';
import { Refusal } from './git/base.ts';
import { DoorError } from './agentd/ports.ts';
import type { Session } from './session/ports.ts';

/** A path of the protocol: below /workspace, whether it was written absolute or relative to it. */
export function workspacePath(path: string): string {
  return path === '/workspace' || path.startsWith('/workspace/')
    ? path
    : `/workspace/${path.replace(/^\/+/, '')}`.replace(/\/+$/, '') || '/workspace';
}

type Calls = { [M in RunnerMethod]: (session: Session, params: unknown) => Promise<unknown> };
const typed = <M extends RunnerMethod>(
  method: M,
  run: (
    session: Session,
    params: z.infer<(typeof runnerMethods)[M]['params']>,
  ) => Promise<z.infer<(typeof runnerMethods)[M]['value']>>,
): ((session: Session, params: unknown) => Promise<unknown>) => {
  return (session, params) => {
    const parsed = z.safeParse(runnerMethods[method].params, params);
    if (!parsed.success) throw new Refusal('invalid-request', parsed.error.message);
    return run(session, parsed.data as z.infer<(typeof runnerMethods)[M]['params']>);
  };
};

/** What the control plane may ask of a session; values as `runnerMethods` has them. Refusals are thrown. */
export function createCalls(options: {
  /** The runner's own last lines about a session. */
  runnerLines: (sessionId: string, tail: number) => Promise<string[]>;
}): (session: Session, method: string, params: unknown) => Promise<unknown> {
  const calls: Calls = {
    'files.list': typed('files.list', async ({ door }, { path }) => {
      const reply = await door.ask({ op: 'list', path: workspacePath(path) });
      return { items: reply.op === 'list' ? reply.items : [] };
    }),
    'changes.list': typed('changes.list', (session) => session.base().changes()),
    'logs.tail': typed('logs.tail', async (session, { source, tail }) => {
      const count = Math.min(Math.max(tail, 0), 1000);
      if (count === 0) return { lines: [] };
      return {
        lines:
          source === 'agent'
            ? session.agentLines().slice(-count)
            : await options.runnerLines(session.spec.sessionId, count),
      };
    }),
    'terminal.open': typed('terminal.open', async ({ terminals }, request) => {
      await terminals.open(request);
      return {};
    }),
    'terminal.close': typed('terminal.close', async ({ terminals }, { terminalId }) => {
      terminals.endOne(terminalId);
      return {};
    }),
    'terminal.screen': typed('terminal.screen', ({ terminals }, { terminalId }) =>
      terminals.get(terminalId).screen(),
    ),
    'agent.restart': typed('agent.restart', async (session) => {
      session.restartAgent();
      return {};
    }),
    'agent.take-back': typed('agent.take-back', async (session) => {
      await session.takeBack();
      return {};
    }),
    'mode.set': typed('mode.set', async (session, { mode }) => {
      await session.setMode(mode);
      return {};
    }),
    'model.set': typed('model.set', async (session, { model }) => {
      await session.setModel(model);
      return {};
    }),
    quiesce: typed('quiesce', async (session) => {
      await session.quiesce();
      return {};
    }),
  };
  return async (session, method, params) => {
    if (!isMethod(method))
      throw new Refusal('unknown-method', `The runner does not know ${method}.`);
    return calls[method](session, params);
  };
}
const isMethod = (method: string): method is RunnerMethod => Object.hasOwn(runnerMethods, method);

/** Code and words for the other side; what is no refusal is a fault of ours. */
export function refusalOf(error: unknown): { code: string; detail: string; fault: boolean } {
  if (error instanceof Refusal || error instanceof DoorError)
    return { code: error.code, detail: error.message, fault: false };
  return { code: 'internal', detail: 'The runner failed: see its log.', fault: true };
}
