export { startEgress, type Egress } from './egress.ts';
export { parseTrusted } from './proxy/addresses.ts';
export type { EgressPolicy } from './proxy/policy.ts';
