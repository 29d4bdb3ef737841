import { parentPort } from 'node:worker_threads';
import { serveScreens } from './serve.ts';

if (parentPort === null) throw new Error('the screens are a thread of the runner');
serveScreens(parentPort);
