import type { Protocol } from './routes.ts';

/**
 * What of a request goes on: an allow list, never a strip list, because fields such as `api_key`, `extra_headers`, `fallbacks` or `tags` steer the gateway
 * behind us (a body `api_key` even replaces its upstream key).
 */
const fields: Record<Protocol, ReadonlySet<string>> = {
  chat: new Set([
    'model',
    'messages',
    'stream',
    'stream_options',
    'tools',
    'tool_choice',
    'parallel_tool_calls',
    'temperature',
    'top_p',
    'max_tokens',
    'max_completion_tokens',
    'n',
    'stop',
    'presence_penalty',
    'frequency_penalty',
    'logit_bias',
    'logprobs',
    'top_logprobs',
    'response_format',
    'seed',
    'reasoning_effort',
    'reasoning',
    'thinking',
    'verbosity',
    'modalities',
    'prediction',
    'prompt_cache_key',
  ]),
  responses: new Set([
    'model',
    'input',
    'instructions',
    'stream',
    'stream_options',
    'tools',
    'tool_choice',
    'parallel_tool_calls',
    'temperature',
    'top_p',
    'max_output_tokens',
    'max_tool_calls',
    'reasoning',
    'text',
    'include',
    'store',
    'previous_response_id',
    'truncation',
    'prompt_cache_key',
  ]),
  messages: new Set([
    'model',
    'messages',
    'system',
    'max_tokens',
    'stream',
    'tools',
    'tool_choice',
    'temperature',
    'top_p',
    'top_k',
    'stop_sequences',
    'thinking',
    'output_config',
    'context_management',
  ]),
  gemini: new Set([
    'contents',
    'systemInstruction',
    'system_instruction',
    'tools',
    'toolConfig',
    'tool_config',
    'generationConfig',
    'generation_config',
    'safetySettings',
    'cachedContent',
  ]),
};

export type ReadBody =
  | {
      kind: 'ok';
      model: string;
      stream: boolean;
      body: Record<string, unknown>;
      /** We asked for the usage chunk, the client did not. */ addedUsage: boolean;
    }
  | { kind: 'refused'; reason: string };

/** `fromPath`: model and streaming where the protocol has them in its path. */
export function readBody(
  protocol: Protocol,
  value: unknown,
  fromPath: { model?: string; stream?: boolean } = {},
): ReadBody {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { kind: 'refused', reason: 'The body must be a JSON object.' };
  const body: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value))
    if (fields[protocol].has(name)) body[name] = field;
  const model = fromPath.model ?? body['model'];
  if (typeof model !== 'string' || model === '')
    return { kind: 'refused', reason: 'The request names no model.' };
  const stream = fromPath.stream ?? body['stream'] === true;
  let addedUsage = false;
  if (protocol === 'chat' && stream) {
    const options = body['stream_options'];
    const asked =
      typeof options === 'object' &&
      options !== null &&
      'include_usage' in options &&
      options.include_usage === true;
    addedUsage = !asked;
    // Without it the gateway sends no usage at all, and nobody would know what the call cost.
    body['stream_options'] = { include_usage: true };
  }
  return { kind: 'ok', model, stream, body, addedUsage };
}

const passedUp = new Set(['accept', 'content-type', 'anthropic-version', 'anthropic-beta']);
const passedDown = new Set(['content-type', 'cache-control', 'retry-after']);

/** `incoming` has lower-case names, as Node gives them. */
export function upstreamHeaders(
  incoming: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming))
    if (passedUp.has(name) && typeof value === 'string') headers[name] = value;
  return headers;
}
export function downstreamHeaders(
  upstream: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(upstream))
    if (passedDown.has(name) && typeof value === 'string') headers[name] = value;
  return headers;
}
