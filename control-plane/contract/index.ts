export * from './scalars.ts';
export * from './content.ts';
export * from './events.ts';
export * from './resources.ts';
export * from './channels.ts';
export * from './terminal-frames.ts';
export * from './problems.ts';
export * from './tokens.ts';
