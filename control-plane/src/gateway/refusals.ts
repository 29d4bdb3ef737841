import type { Protocol } from './routes.ts';

/**
 * Errors in the shape that each protocol's clients know. Words only, no digits: opencode repeats a call whose message holds certain numbers, and every agent stops
 * at once on a 400 in its route's own shape, while 402, 403, 422 and 429 make one or another of them go on asking.
 */
export type Refusal =
  | 'no-gateway'
  | 'no-session'
  | 'no-route'
  | 'bad-request'
  | 'model-not-allowed'
  | 'too-large'
  | 'gateway-unreachable'
  | 'gateway-key'
  | 'key-model'
  | 'provider-key'
  | 'model-refused'
  | 'parameter-refused'
  | 'context-too-long'
  | 'rate-limited'
  | 'overloaded'
  | 'gateway-failed';

interface Shape {
  status: number;
  /** OpenAI's `type`, Anthropic's `type`, Google's `status`. */
  types: [string, string, string];
  text: string;
}
const invalid: Shape['types'] = [
  'invalid_request_error',
  'invalid_request_error',
  'INVALID_ARGUMENT',
];
const broken: Shape['types'] = ['server_error', 'api_error', 'INTERNAL'];
export const refusals: Record<Refusal, Shape> = {
  'no-gateway': {
    status: 400,
    types: invalid,
    text: 'No model is connected. Set LITELLM_GATEWAY_URL on the server to use models.',
  },
  'no-session': {
    status: 401,
    types: ['authentication_error', 'authentication_error', 'UNAUTHENTICATED'],
    text: 'This connection belongs to no running session.',
  },
  'no-route': {
    status: 404,
    types: ['not_found_error', 'not_found_error', 'NOT_FOUND'],
    text: 'The gateway does not offer this route.',
  },
  'bad-request': { status: 400, types: invalid, text: 'The request is not valid.' },
  'model-not-allowed': { status: 400, types: invalid, text: 'This agent may not use that model.' },
  'too-large': {
    status: 413,
    types: ['invalid_request_error', 'request_too_large', 'INVALID_ARGUMENT'],
    text: 'The request is too large.',
  },
  'gateway-unreachable': {
    status: 503,
    types: ['server_error', 'overloaded_error', 'UNAVAILABLE'],
    text: 'The model gateway does not answer.',
  },
  'gateway-key': {
    status: 400,
    types: invalid,
    text: 'The model gateway refuses the key of this server.',
  },
  'key-model': {
    status: 400,
    types: invalid,
    text: 'The key of this server may not use that model at the model gateway.',
  },
  'provider-key': {
    status: 400,
    types: invalid,
    text: 'The provider of the model refuses the key that the model gateway has for it.',
  },
  'model-refused': { status: 400, types: invalid, text: 'The model refused the request.' },
  'parameter-refused': {
    status: 400,
    types: invalid,
    text: 'The model gateway refuses a parameter that this agent sends to this model.',
  },
  // Claude Code compacts the conversation when it reads these words; OpenAI's clients look at the code.
  'context-too-long': {
    status: 400,
    types: invalid,
    text: 'prompt is too long: it does not fit into the context window of the model.',
  },
  'rate-limited': {
    status: 429,
    types: ['rate_limit_error', 'rate_limit_error', 'RESOURCE_EXHAUSTED'],
    text: 'The model is busy. Try again later.',
  },
  overloaded: {
    status: 503,
    types: ['server_error', 'overloaded_error', 'UNAVAILABLE'],
    text: 'The model is overloaded. Try again later.',
  },
  'gateway-failed': { status: 500, types: broken, text: 'The model gateway failed.' },
};

/** What a person is told in the conversation, because the agent's own words for it are poor, late or none. */
export const noticeOf: Partial<Record<Refusal, string>> = {
  'no-gateway': 'No model is connected. Set LITELLM_GATEWAY_URL on the server to use models.',
  'gateway-unreachable':
    'The model gateway does not answer. Some agents try again by themselves; if this one does not, send the message again.',
  'gateway-key': 'The model gateway refuses the key of this server. Check LITELLM_API_KEY.',
  'key-model':
    'The key of this server may not use this model at the model gateway. Allow it there, or choose another model.',
  'provider-key':
    'The provider of this model refuses the key that the model gateway has for it. The key is set in the gateway; LITELLM_API_KEY is good.',
  'model-refused': 'The model refused the request. The agent got this answer.',
  'parameter-refused':
    'The model gateway refuses a parameter that this agent sends to this model. Set drop_params: true under litellm_settings of the gateway, or choose another model.',
  'rate-limited': 'The model is busy: the gateway answered with a rate limit.',
  overloaded: 'The model is overloaded.',
  'gateway-failed': 'The model gateway failed to get an answer from the model.',
};

export function refusalBody(protocol: Protocol, refusal: Refusal, detail?: string): unknown {
  const { status, types, text } = refusals[refusal];
  const message = detail ?? text;
  switch (protocol) {
    case 'chat':
    case 'responses':
      return {
        error: {
          message,
          type: types[0],
          param: null,
          code:
            refusal === 'context-too-long'
              ? 'context_length_exceeded'
              : refusal.replaceAll('-', '_'),
        },
      };
    case 'messages':
      return { type: 'error', error: { type: types[1], message } };
    case 'gemini':
      return { error: { code: status, message, status: types[2] } };
  }
}

/** What an upstream failure means. Its text embeds bodies of others, so it is read for what happened and never shown. */
export function classify(status: number, text: string): Refusal {
  if (
    /ContextWindowExceeded|context_length_exceeded|prompt is too long|maximum context length/i.test(
      text,
    )
  )
    return 'context-too-long';
  if (/UnsupportedParamsError/.test(text)) return 'parameter-refused';
  // LiteLLM passes a provider's 401 on with its own status and shape; only its class tells that it was not about our key.
  if (/litellm\.(AuthenticationError|PermissionDeniedError)/.test(text)) return 'provider-key';
  if (/key_model_access_denied/.test(text)) return 'key-model';
  if (
    /no_db_connection|token_not_found_in_db|auth_error|expired_key/.test(text) ||
    status === 401 ||
    status === 403
  )
    return 'gateway-key';
  if (status === 429) return 'rate-limited';
  if (status === 503 || status === 529) return 'overloaded';
  if (status >= 500 || status === 408) return 'gateway-failed';
  return 'model-refused';
}
