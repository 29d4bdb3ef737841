export { connectNode } from './node-socket.ts';
export type { LocalServer, Login, Server } from './server.ts';
export {
  defaultDataDir,
  forgetLogin,
  readLocalFile,
  resolveServer,
  storeLogin,
  storedLogin,
} from './server.ts';
