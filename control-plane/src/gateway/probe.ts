import type { Logger } from 'pino';
import { readAll, type Upstream } from './upstream.ts';

export interface GatewayHealth {
  readonly configured: boolean;
  readonly reachable: boolean;
  /** Its database is connected, so that it could hand out keys. We use the shared key. */
  readonly virtualKeys: boolean;
  readonly version?: string;
  /** One sentence for a person, when something is wrong. */
  readonly problem?: string;
}

async function ask(
  upstream: Upstream,
  path: string,
  signal: AbortSignal,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await upstream.request({
    method: 'GET',
    path,
    headers: { accept: 'application/json' },
    signal,
  });
  const text = (await readAll(answer, 1024 * 1024)).toString();
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Not LiteLLM's answer; the status alone speaks.
  }
  return {
    status: answer.statusCode ?? 0,
    body: typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {},
  };
}

/** Asks without calling a model: `/health` would call, and pay for, every one of them. */
export async function probe(upstream: Upstream, logger: Logger): Promise<GatewayHealth> {
  const signal = AbortSignal.timeout(10_000);
  try {
    const ready = await ask(upstream, '/health/readiness', signal);
    const models = await ask(upstream, '/v1/models', signal);
    const details = await ask(upstream, '/health/readiness/details', signal);
    const version = details.body['litellm_version'] ?? ready.body['litellm_version'];
    return {
      configured: true,
      reachable: true,
      virtualKeys: ready.body['db'] === 'connected',
      ...(typeof version === 'string' ? { version } : {}),
      ...(models.status === 200
        ? {}
        : {
            problem: `The model gateway at ${upstream.origin} refuses LITELLM_API_KEY (status ${String(models.status)}).`,
          }),
    };
  } catch (error) {
    logger.warn({ err: error, origin: upstream.origin }, 'the model gateway does not answer');
    return {
      configured: true,
      reachable: false,
      virtualKeys: false,
      problem: `The model gateway at ${upstream.origin} does not answer.`,
    };
  }
}
