export { createSessions } from './create-sessions.ts';
export type { SessionsFeature, SessionsOptions, Usage } from './create-sessions.ts';
export type { SessionContext } from './binding.ts';
export type { EgressPolicies, SessionEgress } from './egress-grants.ts';
export type { SessionsConfig } from './core.ts';
export { isDiskFull } from './log/sqlstate.ts';
export type { LogMetrics } from './log/metrics.ts';
export type {
  Colleague,
  HarnessPort,
  LinkClaim,
  RunnerEvents,
  RunnerPort,
  Seats,
} from './ports.ts';
export type { Approvals, EventLog, EventText, LogReader, Sessions, Turns } from './services.ts';
