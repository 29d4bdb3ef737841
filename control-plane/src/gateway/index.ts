export { createGateway, type Gateway, type GatewayPorts } from './gateway.ts';
export type { GatewayHealth } from './probe.ts';
