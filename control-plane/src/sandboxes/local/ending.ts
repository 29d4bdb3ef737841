/** Pure. Why a sandbox has ended, in one sentence for a person. */
export function reasonOf(facts: {
  outOfMemory: boolean;
  exitCode: number | undefined;
  lastLine: string | undefined;
}): string {
  const { exitCode, lastLine } = facts;
  if (facts.outOfMemory) return 'killed: out of memory';
  const said = lastLine === undefined ? '' : `: ${lastLine.replace(/^agentd: /, '').slice(0, 300)}`;
  if (exitCode === undefined) return 'killed from outside';
  if (exitCode > 128) return `killed by signal ${String(exitCode - 128)}${said}`;
  return `ended with code ${String(exitCode)}${said}`;
}
