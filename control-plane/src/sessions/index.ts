export { createSessions } from './create-sessions.ts';
export type { SessionsFeature, SessionsOptions, Usage } from './create-sessions.ts';
export type { EgressPolicies, SessionContext, SessionEgress } from './binding.ts';
export type { SessionsConfig } from './core.ts';
export type { LogMetrics } from './log/metrics.ts';
export type { HarnessPort, RunnerEvents, RunnerPort } from './ports.ts';
export type { Approvals, EventLog, EventText, LogReader, Sessions, Turns } from './services.ts';
