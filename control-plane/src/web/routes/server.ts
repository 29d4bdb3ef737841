import type { Registry } from 'prom-client';
import { openApiDocument } from '@berth/contract/openapi';
import { json } from '../answer.ts';
import type { Mount } from '../mount.ts';
import type { HarnessesPort, MetaSource } from '../ports.ts';
import { Problem } from '@berth/contract';

export function mountServer(
  mount: Mount,
  ports: {
    meta: MetaSource;
    ready: () => Promise<string[]>;
    metrics: Registry;
    harnesses: HarnessesPort;
    draining: () => boolean;
  },
): void {
  let document: string | undefined;

  mount('getHealth', async () => json(200, { status: 'ok' }));
  mount('getReadiness', async () => {
    const reasons = ports.draining() ? ['shutting down'] : await ports.ready();
    if (reasons.length === 0) return json(200, { status: 'ok' });
    throw new Problem('not-ready', `Not ready: ${reasons.join('; ')}.`);
  });
  mount('getMetrics', async () => ({
    status: 200,
    type: ports.metrics.contentType,
    body: await ports.metrics.metrics(),
  }));
  mount('getOpenApi', async () => {
    document ??= JSON.stringify(openApiDocument((await ports.meta()).version));
    return { status: 200, body: document };
  });
  mount('getMeta', async () => json(200, await ports.meta()));
  mount('listHarnesses', async () => json(200, await ports.harnesses.list()));
}
