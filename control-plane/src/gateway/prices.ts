import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import { readAll, type Upstream } from './upstream.ts';
import type { CallUsage } from './usage.ts';

interface Price {
  input: number;
  cached: number;
  output: number;
}
const refreshMs = 10 * 60_000;
const retryMs = 30_000;
const answerBytesMax = 16 * 1024 * 1024;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const number = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;

/** Dollars per token of each model, from `/model/info`. */
export function readPrices(body: unknown): Map<string, Price> {
  const prices = new Map<string, Price>();
  const data = isRecord(body) && Array.isArray(body['data']) ? (body['data'] as unknown[]) : [];
  for (const entry of data) {
    if (
      !isRecord(entry) ||
      typeof entry['model_name'] !== 'string' ||
      !isRecord(entry['model_info'])
    )
      continue;
    const info = entry['model_info'];
    const input = number(info['input_cost_per_token']);
    const output = number(info['output_cost_per_token']);
    if (input === undefined || output === undefined) continue;
    prices.set(entry['model_name'], {
      input,
      output,
      cached: number(info['cache_read_input_token_cost']) ?? input,
    });
  }
  return prices;
}

/** Dollars, or undefined when the gateway never told this model's price. */
export function price(usage: CallUsage, known: Price | undefined): number | undefined {
  if (usage.costUsd !== undefined) return usage.costUsd;
  if (known === undefined) return undefined;
  const fresh = Math.max(0, usage.inputTokens - usage.cachedTokens);
  return (
    fresh * known.input + usage.cachedTokens * known.cached + usage.outputTokens * known.output
  );
}

export interface Prices {
  of(model: string): Price | undefined;
}

/** Looks the price list up when it is first needed and then every ten minutes; a call never waits for it. */
export function createPrices(options: {
  upstream: Upstream;
  clock: Clock;
  logger: Logger;
}): Prices {
  let known = new Map<string, Price>();
  let nextAt = 0;
  let asking = false;
  async function refresh(): Promise<void> {
    const answer = await options.upstream.request({
      method: 'GET',
      path: '/model/info',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(15_000),
    });
    const bytes = await readAll(answer, answerBytesMax);
    if (answer.statusCode !== 200) throw new Error(`status ${String(answer.statusCode)}`);
    known = readPrices(JSON.parse(bytes.toString()));
    nextAt = options.clock.now() + refreshMs;
  }
  return {
    of: (model) => {
      if (!asking && options.clock.now() >= nextAt) {
        asking = true;
        nextAt = options.clock.now() + retryMs;
        refresh()
          .catch((error: unknown) =>
            options.logger.warn({ err: error }, 'the price list of the gateway could not be read'),
          )
          .finally(() => (asking = false));
      }
      return known.get(model);
    },
  };
}
