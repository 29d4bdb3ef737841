/** The routes that a sandbox may call, and nothing else. Pure. */
export type Protocol = 'chat' | 'responses' | 'messages' | 'gemini';
export type GatewayRoute =
  | { kind: 'generate'; protocol: Protocol; path: string; model?: string; stream?: boolean }
  /** Answered by counting or estimating; costs nothing. */
  | { kind: 'count'; protocol: Protocol; path: string; model?: string }
  | { kind: 'models'; protocol: Protocol }
  /** A client looking whether anybody is there. */
  | { kind: 'hello'; protocol: Protocol };

/** `path` is what follows `/gateway`, with its query. Null: not a route of ours. */
export function route(method: string, path: string): GatewayRoute | null {
  // As it came: a path that would have to be put in order first is none of ours.
  const [pathname = ''] = path.split('?', 1);
  const [, family, ...rest] = pathname.split('/');
  const tail = `/${rest.join('/')}`;
  if (family === 'openai') {
    if (method === 'POST' && tail === '/v1/chat/completions')
      return { kind: 'generate', protocol: 'chat', path: tail };
    if (method === 'POST' && tail === '/v1/responses')
      return { kind: 'generate', protocol: 'responses', path: tail };
    if (method === 'POST' && tail === '/v1/responses/input_tokens')
      return { kind: 'count', protocol: 'responses', path: tail };
    if (method === 'GET' && tail === '/v1/models') return { kind: 'models', protocol: 'chat' };
  }
  if (family === 'anthropic') {
    // Claude Code adds `?beta=true`; it selects nothing upstream that the headers do not.
    if (method === 'POST' && tail === '/v1/messages')
      return { kind: 'generate', protocol: 'messages', path: tail };
    if (method === 'POST' && tail === '/v1/messages/count_tokens')
      return { kind: 'count', protocol: 'messages', path: tail };
    if (method === 'GET' && tail === '/v1/models') return { kind: 'models', protocol: 'messages' };
    if (method === 'HEAD' || (method === 'GET' && tail === '/api/hello'))
      return { kind: 'hello', protocol: 'messages' };
  }
  if (family === 'gemini') {
    const action =
      /^\/v1beta\/models\/([A-Za-z0-9._~-]+):(generateContent|streamGenerateContent|countTokens)$/.exec(
        tail,
      );
    const model = action?.[1];
    if (method === 'POST' && model !== undefined) {
      if (action?.[2] === 'countTokens')
        return { kind: 'count', protocol: 'gemini', path: tail, model };
      const stream = action?.[2] === 'streamGenerateContent';
      return {
        kind: 'generate',
        protocol: 'gemini',
        path: stream ? `${tail}?alt=sse` : tail,
        model,
        stream,
      };
    }
    if (method === 'GET' && tail === '/v1beta/models')
      return { kind: 'models', protocol: 'gemini' };
  }
  return null;
}

/** The list of models a client may see is the agent's own, never the gateway's. */
export function modelList(protocol: Protocol, models: readonly string[]): unknown {
  if (protocol === 'gemini')
    return { models: models.map((name) => ({ name: `models/${name}`, displayName: name })) };
  return {
    object: 'list',
    data: models.map((id) => ({
      id,
      object: 'model',
      type: 'model',
      display_name: id,
      created: 0,
      owned_by: 'berth',
    })),
    has_more: false,
  };
}
