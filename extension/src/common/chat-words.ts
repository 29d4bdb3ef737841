import { codeOf, explain, ServerUnreachable } from '@berth/client';
import { Problem } from '@berth/contract';
import { Refused, type Connection, type Refusal } from '../../../webview/src/ipc/index.ts';
import type { ServerState } from './state.ts';

/** What went wrong, as the chat takes it. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refused) return error.refusal;
  const code = codeOf(error);
  if (error instanceof ServerUnreachable)
    return { code: 'unreachable', detail: 'The server does not answer. Nothing was changed.' };
  if (code === undefined) return { code: 'internal-error', detail: explain(error) };
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const requestId: unknown =
    typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'requestId') : undefined;
  const by = error instanceof Problem ? error.extra.decision?.by?.name : undefined;
  return {
    code,
    detail: explain(error),
    ...(typeof requestId === 'string' ? { requestId } : {}),
    ...(by === undefined ? {} : { by }),
  };
}

/** What the chat shows of the connection. */
export function connectionOf(server: ServerState): Connection {
  switch (server.kind) {
    case 'online':
      return { state: 'connected' };
    case 'looking':
      return { state: 'connecting' };
    case 'absent':
      return { state: 'waiting' };
    case 'offline':
      return server.nextTryMs === null
        ? { state: 'connecting' }
        : { state: 'waiting', nextTryMs: server.nextTryMs };
    case 'signed-out':
      return { state: 'signedOut' };
    case 'incompatible':
      return { state: 'incompatible', detail: server.detail };
  }
}
