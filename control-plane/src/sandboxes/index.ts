export type * from './driver.ts';
export type * from './ports.ts';
export { createLocalDriver, type LocalDriverOptions } from './local/local.ts';
export { createReconciler, type ReconcilerOptions } from './reconcile.ts';
