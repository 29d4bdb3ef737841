import type { Registry } from 'prom-client';
import { Counter, Gauge, Histogram } from 'prom-client';

export type WebMetrics = ReturnType<typeof createWebMetrics>;

export function createWebMetrics(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Histogram({
      name: 'berth_http_request_seconds',
      help: 'Time to the end of the answer, by route.',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
      registers,
    }),
    sockets: new Gauge({
      name: 'berth_sockets',
      help: 'Open sockets of viewers.',
      labelNames: ['kind'] as const,
      registers,
    }),
    subscriptions: new Gauge({
      name: 'berth_session_subscriptions',
      help: 'Sessions that somebody reads live.',
      registers,
    }),
    resyncs: new Counter({
      name: 'berth_reader_resyncs_total',
      help: 'Readers that were too slow and were dropped.',
      registers,
    }),
    eventsSent: new Counter({
      name: 'berth_events_sent_total',
      help: 'Events sent to readers.',
      registers,
    }),
  };
}
