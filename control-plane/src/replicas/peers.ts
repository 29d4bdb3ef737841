import http from 'node:http';
import https from 'node:https';
import { Problem, problems, type ProblemBody, type ProblemCode } from '@berth/contract';
import type { Logger } from 'pino';
import * as z from 'zod/mini';
import { limits } from './limits.ts';
import type { Address } from './replicas.ts';

export const internalPath = '/internal/v1/';

/** Calls from one process of the control plane to another. */
export interface Peers {
  /** Throws Problem: `runner-unreachable` when the other one does not answer, else what it said. */
  call(
    to: Address,
    name: string,
    body: unknown,
    options?: { deadlineMs?: number | undefined; signal?: AbortSignal | undefined },
  ): Promise<unknown>;
}

const answer = z.union([
  z.object({ ok: z.literal(true), value: z.optional(z.unknown()) }),
  z.object({ ok: z.literal(false), problem: z.object({ code: z.string(), detail: z.string() }) }),
]);
type Answered = z.infer<typeof answer> | { ok: false; problem: ProblemBody };

const away = (cause?: unknown): Problem =>
  new Problem(
    'runner-unreachable',
    'The process that holds this session’s link does not answer. Try again in a moment.',
    { cause },
  );

export function createPeers({ logger }: { logger: Logger }): Peers {
  const agents = {
    'http:': new http.Agent({ keepAlive: true, maxFreeSockets: 8, timeout: 60_000 }),
    'https:': new https.Agent({ keepAlive: true, maxFreeSockets: 8, timeout: 60_000 }),
  };

  /** The head comes as soon as the other one has the request: whoever is frozen is found out by that, not by the answer's own time. */
  function ask(to: Address, name: string, body: string, signal: AbortSignal): Promise<string> {
    const url = new URL(internalPath + name, to.url);
    const secure = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const request = (secure ? https : http).request(url, {
        method: 'POST',
        agent: agents[secure ? 'https:' : 'http:'],
        headers: {
          authorization: `Bearer ${to.secret}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
        signal,
      });
      const late = setTimeout(
        () => request.destroy(new Error('it did not take the call in time')),
        limits.acceptMs,
      );
      request.once('error', (error) => {
        clearTimeout(late);
        reject(error);
      });
      request.once('response', (response) => {
        clearTimeout(late);
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.once('error', reject);
        response.once('close', () => {
          if (!response.complete) reject(new Error('the answer broke off'));
          else if (response.statusCode === 200) resolve(text);
          else reject(new Error(`it answered ${String(response.statusCode)}`));
        });
      });
      request.end(body);
    });
  }

  return {
    async call(to, name, body, { deadlineMs = limits.callMs, signal } = {}) {
      const deadline = AbortSignal.timeout(deadlineMs);
      const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
      let text: string;
      try {
        text = await ask(to, name, JSON.stringify(body), either);
      } catch (error) {
        if (signal?.aborted === true) throw error;
        logger.warn({ err: error, replicaId: to.id, name }, 'another process does not answer');
        throw away(error);
      }
      const said: Answered = z.parse(answer, JSON.parse(text));
      if (said.ok) return said.value;
      const { code, detail, ...rest } = said.problem;
      const known = Object.hasOwn(problems, code) ? (code as ProblemCode) : 'internal-error';
      throw new Problem(known, detail, rest);
    },
  };
}
