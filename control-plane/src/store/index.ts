export { startEmbeddedPostgres } from './embedded/index.ts';
export type { EmbeddedOptions, EmbeddedPostgres } from './embedded/index.ts';
export { migrate } from './migrate.ts';
export type { MigrateOptions } from './migrate.ts';
export { openStore } from './open-store.ts';
export type { Store, StoreOptions } from './open-store.ts';
export { createHints } from './hints.ts';
export type { Hint, HintListener, Hints } from './hints.ts';
