import { Problem } from '@berth/contract';
import { runnerMethods } from '@berth/contract/link';
import type { RunnerFrame, RunnerMethod, RunnerParams, RunnerValue } from '@berth/contract/link';
import * as z from 'zod/mini';
import { deadlineMs } from './limits.ts';
import { runnerRefusal, unreachable } from './refusals.ts';

interface Pending {
  method: RunnerMethod;
  settle(result: { value: unknown } | { error: unknown }): void;
}
type Send = (call: { id: number; sessionId: string; method: string; params: unknown }) => void;

/** Questions to one link's runner that wait for their answer. */
export function createCalls(send: Send) {
  const pending = new Map<number, Pending>();
  let lastId = 0;

  return {
    async call<M extends RunnerMethod>(
      sessionId: string,
      method: M,
      params: RunnerParams<M>,
      signal: AbortSignal | undefined,
    ): Promise<RunnerValue<M>> {
      signal?.throwIfAborted();
      const id = (lastId += 1);
      const value = await new Promise<unknown>((resolve, reject) => {
        const settle: Pending['settle'] = (result) => {
          if (!pending.delete(id)) return;
          clearTimeout(timer);
          signal?.removeEventListener('abort', aborted);
          if ('value' in result) resolve(result.value);
          // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- an abort's reason is passed on as it is
          else reject(result.error);
        };
        const aborted = () => settle({ error: signal?.reason });
        const timer = setTimeout(
          () => settle({ error: unreachable(`The runner did not answer ${method} in time.`) }),
          deadlineMs(method),
        );
        signal?.addEventListener('abort', aborted, { once: true });
        pending.set(id, { method, settle });
        send({ id, sessionId, method, params });
      });
      return value as RunnerValue<M>; // checked by `result` against the method's own schema
    },

    /** False: the value is not what the method promises; the runner is of another build, or broken. */
    result(frame: Extract<RunnerFrame, { op: 'result' }>): boolean {
      const waiting = pending.get(frame.id);
      // Given up meanwhile.
      if (waiting === undefined) return true;
      if (!frame.ok) {
        waiting.settle({ error: runnerRefusal(frame.code, frame.detail) });
        return true;
      }
      const parsed = z.safeParse(runnerMethods[waiting.method].value, frame.value);
      if (parsed.success) waiting.settle({ value: parsed.data });
      else
        waiting.settle({
          error: new Problem('internal-error', 'The runner’s answer does not fit.', {
            cause: parsed.error,
          }),
        });
      return parsed.success;
    },

    lost(): void {
      for (const waiting of [...pending.values()])
        waiting.settle({ error: unreachable('The runner’s link was lost.') });
    },
  };
}
