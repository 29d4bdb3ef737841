export function bundleAgentd(options: { outdir: string }): Promise<void>;
