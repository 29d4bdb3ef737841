export { actsIn, allowed, can, mustActIn } from './access.ts';
export type { Actor } from './actor.ts';
export { createIdentity } from './identity.ts';
export type { Identity, TicketPurpose } from './identity.ts';
