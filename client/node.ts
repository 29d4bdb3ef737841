export { connectNode, connectTrusting } from './node-socket.ts';
export { fetchTrusting, readCaFile, withUsual } from './trust.ts';
export type { LocalServer, Login, Server } from './server.ts';
export {
  defaultDataDir,
  forgetLogin,
  readLocalFile,
  resolveServer,
  storeLogin,
  storedLogin,
} from './server.ts';
