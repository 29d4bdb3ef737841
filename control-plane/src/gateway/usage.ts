import type { Protocol } from './routes.ts';

/** Tokens of one model call; `costUsd` only where the gateway told it. */
export interface CallUsage {
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
  costUsd?: number;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const count = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;
const at = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((inner, name) => (isRecord(inner) ? inner[name] : undefined), value);

/** Merges what one JSON body or stream event says of usage into `known`. */
export function readUsage(
  protocol: Protocol,
  event: unknown,
  known: CallUsage | null,
): CallUsage | null {
  const found =
    protocol === 'gemini'
      ? at(event, 'usageMetadata')
      : (at(event, 'usage') ?? at(event, 'response', 'usage') ?? at(event, 'message', 'usage'));
  if (!isRecord(found)) return known;
  const cost = found['cost'];
  const costUsd = typeof cost === 'number' && cost >= 0 ? cost : known?.costUsd;
  const merged = (inputTokens: number, outputTokens: number, cachedTokens: number): CallUsage => ({
    // Messages split usage over two events; each figure only grows within a call.
    inputTokens: Math.max(inputTokens, known?.inputTokens ?? 0),
    outputTokens: Math.max(outputTokens, known?.outputTokens ?? 0),
    cachedTokens: Math.max(cachedTokens, known?.cachedTokens ?? 0),
    ...(costUsd === undefined ? {} : { costUsd }),
  });
  switch (protocol) {
    case 'chat':
      return merged(
        count(found['prompt_tokens']),
        count(found['completion_tokens']),
        count(at(found, 'prompt_tokens_details', 'cached_tokens')),
      );
    case 'responses':
      return merged(
        count(found['input_tokens']),
        count(found['output_tokens']),
        count(at(found, 'input_tokens_details', 'cached_tokens')),
      );
    case 'messages': {
      // Anthropic counts cached tokens beside `input_tokens`, the others inside it.
      const cached = count(found['cache_read_input_tokens']);
      return merged(
        count(found['input_tokens']) + cached + count(found['cache_creation_input_tokens']),
        count(found['output_tokens']),
        cached,
      );
    }
    case 'gemini':
      return merged(
        count(found['promptTokenCount']),
        count(found['candidatesTokenCount']) + count(found['thoughtsTokenCount']),
        count(found['cachedContentTokenCount']),
      );
  }
}

/** The event after which a closed connection is no abort. */
export function isTerminal(protocol: Protocol, data: string): boolean {
  switch (protocol) {
    case 'chat':
      return data === '[DONE]';
    case 'responses':
      return data === '[DONE]' || /"type":\s*"response\.(completed|failed|incomplete)"/.test(data);
    case 'messages':
      return /"type":\s*"message_stop"/.test(data);
    case 'gemini':
      return /"finishReason":\s*"/.test(data); // some say `null` in every chunk before
  }
}

/** Only events that can hold usage are parsed: the others are deltas, thousands of them. */
export function mayHoldUsage(data: string): boolean {
  return data.includes('"usage');
}

/**
 * A chat chunk that carries nothing but usage, which a client that did not ask for it must not see. OpenAI sends it without choices, LiteLLM with one
 * that says nothing.
 */
export function isBareUsageChunk(event: unknown): boolean {
  const choices = at(event, 'choices');
  if (!isRecord(at(event, 'usage')) || !Array.isArray(choices)) return false;
  return choices.every((choice: unknown) => {
    const delta = at(choice, 'delta');
    const ends = at(choice, 'finish_reason');
    return isRecord(delta) && Object.keys(delta).length === 0 && (ends ?? null) === null;
  });
}

/** When a stream was cut before its usage: never zero, about four bytes to a token. */
export function estimate(requestBytes: number, responseBytes: number): CallUsage {
  return {
    inputTokens: Math.ceil(requestBytes / 4),
    outputTokens: Math.ceil(responseBytes / 16),
    cachedTokens: 0,
  };
}
