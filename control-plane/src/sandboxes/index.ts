export type * from './driver.ts';
export type * from './ports.ts';
