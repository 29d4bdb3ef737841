export { createAgents } from './agents.ts';
export type { Agents } from './agents.ts';
