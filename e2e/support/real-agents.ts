import { dataDirWithHarnesses } from './agent-data.ts';
import { startBerth, type Berth } from './berth.ts';
import { startLiteLlm, type LiteLlm } from './litellm.ts';
import { startModelServer, type ModelServer } from './model-server.ts';

/** The agents that need a model, and what a test must know of each. */
export const realAgents = [
  {
    id: 'opencode',
    /** What its process is called, so that it can be killed from a shell in its sandbox. */
    process: 'opencode acp',
    /** A process below that one without which it can do nothing. */
    inner: null,
    /** Its model's name at the gateway and another one, and what the upstream is asked for. */
    model: 'scripted',
    second: 'second',
    secondUpstream: 'gpt-4o-mini',
    upstream: 'gpt-4o',
    /** How a turn ends whose approval was denied. */
    rejected: 'done',
    handsOver: false,
    /** An edit is seen as a diff, a thought as a thought; tokens of a prompt that the model had cached. */
    diff: true,
    thinks: true,
    cachedTokens: 0,
  },
  {
    id: 'codex',
    process: 'codex-acp',
    inner: 'codex app-server',
    model: 'scripted',
    second: 'second',
    secondUpstream: 'gpt-4o-mini',
    upstream: 'gpt-4o',
    rejected: 'cancelled',
    handsOver: true,
    diff: false,
    thinks: false,
    cachedTokens: 0,
  },
  {
    id: 'claude-code',
    process: 'claude-agent-acp',
    inner: 'claude --output-format',
    model: 'scripted-claude',
    second: 'second-claude',
    secondUpstream: 'claude-haiku-4-5',
    upstream: 'claude-sonnet-4-5',
    rejected: 'done',
    handsOver: true,
    diff: true,
    thinks: true,
    cachedTokens: 40,
  },
  {
    id: 'gemini',
    process: 'gemini.js --acp',
    inner: null,
    model: 'scripted-gemini',
    second: 'second-gemini',
    secondUpstream: 'gemini-2.5-flash',
    upstream: 'gemini-2.5-pro',
    rejected: 'done',
    handsOver: true,
    diff: true,
    thinks: true,
    cachedTokens: 40,
  },
] as const;

/** A scripted model, a real LiteLLM in front of it, and Berth with the harnesses of the cache. */
export async function startForRealAgents(scope: AsyncDisposableStack): Promise<{
  model: ModelServer;
  litellm: LiteLlm;
  berth: Berth;
  cached: (harness: string) => boolean;
  /** Berth's environment; a change holds from its next start. */
  env: Record<string, string>;
}> {
  const model = scope.use(await startModelServer());
  const litellm = scope.use(await startLiteLlm({ upstream: model.url }));
  const data = await dataDirWithHarnesses();
  const env = { ...data.env, LITELLM_GATEWAY_URL: litellm.url, LITELLM_API_KEY: litellm.key };
  const berth = scope.use(await startBerth({ dataDir: data.dataDir, env }));
  return { model, litellm, berth, cached: data.cached, env };
}
