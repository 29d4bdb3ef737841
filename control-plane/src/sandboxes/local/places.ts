/** Places inside a sandbox that other parts name as well. */
export const inside = {
  workspace: '/workspace',
  home: '/home/agent',
  run: '/run/berth',
  agents: '/opt/agents',
  node: '/opt/node',
  agentd: '/opt/agentd',
} as const;

/** The only two things that listen inside, by agentd: the model base URL and the egress proxy. */
export const loopback = { model: 4100, egress: 3128 } as const;
