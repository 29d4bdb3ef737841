export { createAgents } from './agents.ts';
export type { Agents } from './agents.ts';
export { createHarnesses } from './harnesses.ts';
export type { Harnesses } from './harnesses.ts';
