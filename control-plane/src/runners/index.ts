export { createRunners } from './runners.ts';
export type { RunnerIdentity, Runners } from './runners.ts';
export { startLocalRunner } from './local.ts';
export type { LocalRunner } from './local.ts';
export type { RunnerStream, RunnerStreams } from './streams.ts';
