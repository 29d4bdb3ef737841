export type { Screen, ScreenSnapshot } from './screen.ts';
export { createScreen } from './headless.ts';
