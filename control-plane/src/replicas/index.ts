export { createReplicas } from './replicas.ts';
export type { Address, Replica, Replicas, Seat } from './replicas.ts';
export { createDoor } from './door.ts';
export type { InternalCalls, InternalDoor } from './door.ts';
export type { Peers } from './peers.ts';
export { relayUpgrade } from './relay.ts';
