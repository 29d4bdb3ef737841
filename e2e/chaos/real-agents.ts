import { dataDirWithHarnesses } from '../support/agent-data.ts';
import type { BerthOptions } from '../support/berth.ts';
import { litellmMissing, startLiteLlm } from '../support/litellm.ts';
import { startModelServer } from '../support/model-server.ts';

/** What a Berth needs for agents that are not ours: where they are kept, and a gateway with a model that does what it is told. */
export async function realAgents(scope: AsyncDisposableStack): Promise<BerthOptions> {
  const missing = litellmMissing();
  if (missing !== null) throw new Error(`real agents cannot run here: ${missing}`);
  const model = scope.use(await startModelServer());
  const litellm = scope.use(await startLiteLlm({ upstream: model.url }));
  const { dataDir, env } = await dataDirWithHarnesses();
  return {
    dataDir,
    env: { ...env, LITELLM_GATEWAY_URL: litellm.url, LITELLM_API_KEY: litellm.key },
  };
}
