export { createWeb } from './web.ts';
export type { Web, WebOptions } from './web.ts';
export type * from './ports.ts';
