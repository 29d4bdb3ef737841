export type { Screen, ScreenSnapshot } from './screen.ts';
export { createScreens, type Screens } from './screens.ts';
