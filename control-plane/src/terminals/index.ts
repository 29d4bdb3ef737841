export { createTerminals } from './terminals.ts';
export type { Terminals, TerminalViewer } from './terminals.ts';
