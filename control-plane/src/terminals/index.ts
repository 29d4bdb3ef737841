export { createTerminals } from './terminals.ts';
export type { Terminals } from './terminals.ts';
export type { TerminalViewer } from './viewer.ts';
