/** What a person reads after the start: the next three steps. Standard error, so that scripts see only the ready line. */
export function greeting(parts: {
  url: string;
  signInUrl: string;
  vsix: string | undefined;
  gateway: { configured: boolean; problem?: string | undefined };
  refusal?: string | undefined;
  isolated: boolean;
}): string {
  const lines = [
    '',
    `  1  Editor   ${parts.vsix === undefined ? 'npm run build makes berth.vsix' : `code --install-extension ${parts.vsix}`}   (or: npm run editor)`,
    `  2  Browser  ${parts.signInUrl}   (works once, 5 minutes)`,
    parts.gateway.configured
      ? `  3  Models   ${parts.gateway.problem ?? 'a gateway is connected: make an agent with it'}`
      : '  3  Models   set LITELLM_GATEWAY_URL and LITELLM_API_KEY in .env; until then the Rehearsal agent works without one',
  ];
  if (parts.refusal !== undefined)
    lines.push('', `  No sandbox can be made here: ${parts.refusal}`);
  else if (!parts.isolated)
    lines.push(
      '',
      '  No isolation. This server runs agents without a sandbox (BERTH_SANDBOX=unsafe).',
    );
  return `${lines.join('\n')}\n\n`;
}
