import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Actor } from '../identity/index.ts';
import type { EventLog, LogReader } from '../sessions/index.ts';
import { limits } from './limits.ts';
import type { WebMetrics } from './metrics.ts';

export type EventStreams = ReturnType<typeof createEventStreams>;

// A line break between two JSON tokens would end the field; within strings there is none.
const oneLine = (json: string): string => json.replaceAll(/[\r\n]/g, ' ');

/** Server-sent events: the same log as everybody reads, `id:` = seq. A reader that is too slow is cut off and comes back by `Last-Event-ID`. */
export function createEventStreams({
  log,
  metrics,
  logger,
  recheckMs = limits.recheckMs,
}: {
  log: EventLog;
  metrics: WebMetrics;
  logger: Logger;
  recheckMs?: number;
}) {
  const open = new Set<ServerResponse>();

  return {
    /** Resolves once the stream runs; it ends with the client. */
    async open({
      actor,
      sessionId,
      from,
      response,
      stillAllowed,
    }: {
      actor: Actor;
      sessionId: string;
      from: { after?: number; tail?: number };
      response: ServerResponse;
      stillAllowed: () => Promise<boolean>;
    }): Promise<void> {
      let started = false;
      const start = () => {
        if (started) return;
        started = true;
        response.statusCode = 200;
        response.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
        response.setHeader('Cache-Control', 'no-store');
        response.setHeader('X-Accel-Buffering', 'no');
        response.flushHeaders();
      };
      const gone = (): boolean => response.writableEnded || response.destroyed;
      const reader: LogReader = {
        events(batch) {
          if (gone() || response.writableLength > limits.readerBytesMax) return false;
          start();
          metrics.eventsSent.inc(batch.length);
          response.write(
            batch.map(({ seq, json }) => `id: ${seq}\ndata: ${oneLine(json)}\n\n`).join(''),
          );
          return true;
        },
        async ready() {
          while (!gone() && response.writableLength > limits.readerBytesLow) {
            await new Promise<void>((resolve) => {
              const done = () => {
                response.off('drain', done);
                response.off('close', done);
                resolve();
              };
              response.once('drain', done);
              response.once('close', done);
            });
          }
        },
        live() {
          start();
        },
        resync() {
          metrics.resyncs.inc();
          response.end();
        },
      };
      if (response.req.method === 'HEAD') {
        start();
        response.end();
        return;
      }
      const subscription = await log.subscribe(actor, sessionId, from, reader);
      if (gone()) {
        subscription.close();
        return;
      }
      start();
      open.add(response);
      metrics.subscriptions.inc();
      const comment = setInterval(() => response.write(': still here\n\n'), limits.sseCommentMs);
      const check = setInterval(() => {
        stillAllowed().then(
          (good) => {
            // Whoever comes back is told by a problem why not.
            if (!good) response.end();
          },
          (error: unknown) =>
            logger.warn({ err: error }, 'a stream’s reader could not be checked; trying again'),
        );
      }, recheckMs);
      response.on('error', (error) => logger.debug({ err: error }, 'event stream broke'));
      response.once('close', () => {
        clearInterval(comment);
        clearInterval(check);
        subscription.close();
        open.delete(response);
        metrics.subscriptions.dec();
      });
    },

    /** Readers come back by themselves, to another replica. */
    close(): void {
      for (const response of open) response.end();
    },
  };
}
