import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type { Response } from 'express';
import { empty, json } from '../answer.ts';
import { hasBody } from '../body.ts';
import { fileTagOf, refuseCondition } from '../conditions.ts';
import type { Mount } from '../mount.ts';
import { invalid } from '../refusals.ts';
import type { TerminalsPort, WorkspacesPort } from '../ports.ts';

/** Bytes of the sandbox are never a page of ours: whatever they are, a browser saves them. */
async function sendBytes(
  response: Response,
  type: string,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const chunks = body[Symbol.asyncIterator]();
  // The first chunk is read before the head is sent: a refusal can still be a problem.
  const first = await chunks.next();
  response.statusCode = 200;
  response.setHeader('Content-Type', type);
  if (response.req.method === 'HEAD') {
    await chunks.return?.();
    response.end();
    return;
  }
  async function* whole() {
    if (first.done === true) return;
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  await pipeline(Readable.from(whole(), { objectMode: false }), response, { signal });
}

const diffType = 'text/x-diff; charset=utf-8';

export function mountWorkspace(
  mount: Mount,
  { terminals, workspaces }: { terminals: TerminalsPort; workspaces: WorkspacesPort },
): void {
  mount('listTerminals', async ({ actor, params }) =>
    json(200, { items: await terminals.list(actor, params.sessionId) }),
  );
  mount('createTerminal', async ({ actor, params, body, createdId }) =>
    json(201, await terminals.open(actor, params.sessionId, body, createdId)),
  );
  mount('closeTerminal', async ({ actor, params }) => {
    await terminals.close(actor, params.terminalId);
    return empty;
  });
  mount('getScreen', async ({ actor, params }) =>
    json(200, await terminals.screen(actor, params.terminalId)),
  );

  mount('listFiles', async ({ actor, params, query }) => {
    const path = query.path ?? '/workspace';
    return json(200, await workspaces.list(actor, params.sessionId, path));
  });
  mount('readFile', async ({ actor, params, query, response, signal }) => {
    const options = query.rev === undefined ? {} : { rev: query.rev };
    const file = await workspaces.read(actor, params.sessionId, query.path, options);
    response.setHeader('ETag', file.meta.etag);
    response.setHeader('Content-Length', file.meta.sizeBytes);
    response.setHeader('Content-Disposition', 'attachment');
    await sendBytes(response, 'application/octet-stream', file.body, signal);
    return 'sent';
  });
  mount('writeFile', async ({ actor, params, query, request }) => {
    refuseCondition('If-None-Match', request.headers['if-none-match']);
    const ifMatch = fileTagOf(request.headers['if-match']);
    const options = ifMatch === undefined ? {} : { ifMatch };
    const { etag } = await workspaces.write(actor, params.sessionId, query.path, request, options);
    return json(200, { etag }, { ETag: etag });
  });
  mount('writeArchive', async ({ actor, params, query, request }) => {
    if (!hasBody(request))
      throw invalid('The archive is the body.', [{ pointer: '', detail: 'is required' }]);
    const overwrite = query.overwrite ?? false;
    await workspaces.archive(actor, params.sessionId, request, { overwrite });
    return empty;
  });
  mount('listChanges', async ({ actor, params }) =>
    json(200, await workspaces.changes(actor, params.sessionId)),
  );
  mount('getDiff', async ({ actor, params, query, response, signal }) => {
    const body = await workspaces.patch(actor, params.sessionId, query.path);
    await sendBytes(response, diffType, body, signal);
    return 'sent';
  });
  mount('getPatch', async ({ actor, params, response, signal }) => {
    const body = await workspaces.patch(actor, params.sessionId);
    await sendBytes(response, diffType, body, signal);
    return 'sent';
  });
  mount('getLogs', async ({ actor, params, query }) =>
    json(200, await workspaces.logs(actor, params.sessionId, query.source ?? 'agent', query.tail)),
  );
}
