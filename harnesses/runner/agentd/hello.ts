import {
  agentdVersion,
  loopbackPort,
  socketName,
  type AgentdRequest,
} from '../../agentd/protocol.ts';

/** The first frame of every connection; each process that we know goes on from the byte that we have not seen. */
export function helloTo(
  known: ReadonlyMap<number, { next: number }>,
): Extract<AgentdRequest, { op: 'hello' }> {
  const adopt: Record<number, number> = {};
  for (const [id, { next }] of known) adopt[id] = next;
  return {
    op: 'hello',
    version: agentdVersion,
    ports: [
      { port: loopbackPort.model, socket: socketName.gateway },
      { port: loopbackPort.egress, socket: socketName.egress },
    ],
    adopt,
  };
}
