import type { EventLog } from '../../sessions/index.ts';
import { acceptable } from '../conditions.ts';
import type { Mount } from '../mount.ts';
import { invalid } from '../refusals.ts';
import type { EventStreams } from '../event-stream.ts';

const pageDefault = 1000;

export function mountEvents(
  mount: Mount,
  { log, streams }: { log: EventLog; streams: EventStreams },
): void {
  mount('listEvents', async (call) => {
    const { actor, params, query, request, response, stillAllowed } = call;
    const { sessionId } = params;
    const { after, before, tail } = query;
    const given = Object.entries({ after, before, tail }).filter(([, n]) => n !== undefined);
    if (given.length > 1) {
      throw invalid(
        'Give one of after, before and tail.',
        given.map(([name]) => ({ pointer: `?${name}`, detail: 'excludes the others' })),
      );
    }
    response.setHeader('Vary', 'Accept');
    const type = acceptable(request.headers.accept, ['application/json', 'text/event-stream']);
    if (type === 'text/event-stream') {
      const fault = before !== undefined ? '?before' : query.limit !== undefined ? '?limit' : null;
      if (fault !== null)
        throw invalid('A stream goes forward.', [{ pointer: fault, detail: 'is only for pages' }]);
      const lastId = request.headers['last-event-id'];
      const resumed = typeof lastId === 'string' && /^\d{1,15}$/.test(lastId);
      const from = resumed
        ? { after: Number(lastId) }
        : { ...(after === undefined ? {} : { after }), ...(tail === undefined ? {} : { tail }) };
      await streams.open({ actor, sessionId, from, response, stillAllowed });
      return 'sent';
    }
    const limit = query.limit ?? pageDefault;
    const page = await log.page(
      actor,
      sessionId,
      tail !== undefined
        ? { tail }
        : before !== undefined
          ? { before, limit }
          : { after: after ?? 0, limit },
    );
    // The events are JSON texts already: they are joined, not parsed and written again.
    const items = page.items.map((event) => event.json).join(',');
    return { status: 200, body: `{"items":[${items}],"lastSeq":${page.lastSeq}}` };
  });

  mount('getBlob', async ({ actor, params, response }) => {
    const blob = await log.blob(actor, params.sessionId, params.blobId);
    // Only plain text is shown; anything else an agent made could act as a page of ours.
    const plain = blob.mediaType.startsWith('text/plain');
    response.setHeader(
      'Content-Type',
      plain ? 'text/plain; charset=utf-8' : 'application/octet-stream',
    );
    if (!plain) response.setHeader('Content-Disposition', 'attachment');
    response.setHeader('Content-Length', blob.bytes.length);
    response.end(blob.bytes);
    return 'sent';
  });
}
