export { createWorkspaces } from './workspaces.ts';
export type { FileBody, Workspaces } from './workspaces.ts';
