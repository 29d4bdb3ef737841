import { Counter, Histogram, type Registry } from 'prom-client';
import type { LogMetrics } from './sessions/index.ts';

/** How the log writer is doing, for `/metrics`. */
export function createLogMetrics(registry: Registry): LogMetrics {
  const registers = [registry];
  const events = new Counter({
    name: 'berth_log_events_total',
    help: 'Events committed.',
    registers,
  });
  const commits = new Histogram({
    name: 'berth_log_commit_seconds',
    help: 'Time of one group append.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2, 10],
    registers,
  });
  const lag = new Histogram({
    name: 'berth_log_lag_seconds',
    help: 'From queued to committed, of the oldest event of a group.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2, 10],
    registers,
  });
  const retries = new Counter({
    name: 'berth_log_retries_total',
    help: 'Groups that were sent again, by fault.',
    labelNames: ['fault'],
    registers,
  });
  return {
    group: (_sessions, count, commitMs) => {
      events.inc(count);
      commits.observe(commitMs / 1000);
    },
    lag: (ms) => lag.observe(ms / 1000),
    retry: (fault) => retries.inc({ fault }),
  };
}
