export { createGateway, type Gateway } from './gateway.ts';
export type { GatewayPorts } from './ports.ts';
export type { GatewayHealth } from './probe.ts';
