// CONTAINER_ENV_X=… reaches every sandbox as X=…, readable by every agent. So a credential must not pass by accident: a name or a
// value that looks like one stops the start, unless the operator names it in CONTAINER_ENV_ALLOW_EXPOSED.

const prefix = 'CONTAINER_ENV_';
export const allowExposedName = `${prefix}ALLOW_EXPOSED`;
const vaultPrefix = 'CONTAINER_VAULT_';
const environmentName = /^[A-Za-z_][A-Za-z0-9_]*$/;
const credentialName = /(KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|_PAT)$/i;
const credentialValues = [
  /\b(?:sk|pk|rk)-[\w-]{8,}/, // model providers
  /\b(?:sk|rk)_(?:live|test)_\w{8,}/,
  /\bgh[oprsu]_\w{8,}/,
  /\bgithub_pat_\w{8,}/,
  /\bglpat-[\w-]{8,}/,
  /\bxox[abeoprs]-[\w-]{8,}/,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/,
  /\bAIza[\w-]{30,}/,
  /\b(?:npm|hf)_\w{20,}/,
  /\bpypi-[\w-]{20,}/,
  /\bberth_\w+_\w{16,}/,
  /\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*/, // JSON web tokens
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /:\/\/[^/\s:@]*:[^/\s@]+@/, // a password inside a URL
];

export type ContainerEnv = Readonly<Record<string, string>>;

/** Pure. Values are never part of a fault: it is printed. */
export function readContainerEnv(
  env: Readonly<Record<string, string>>,
  allowExposed: readonly string[],
): { env: ContainerEnv; faults: string[] } {
  const faults: string[] = [];
  const visible: Record<string, string> = {};
  for (const [variable, value] of Object.entries(env)) {
    if (variable.startsWith(vaultPrefix)) {
      faults.push(`${variable}: secrets come with a later version: remove it`);
    }
    if (!variable.startsWith(prefix) || variable === allowExposedName) continue;
    const name = variable.slice(prefix.length);
    if (!environmentName.test(name)) {
      faults.push(`${variable}: "${name}" cannot be the name of an environment variable`);
    } else if (!allowExposed.includes(name) && looksLikeCredential(name, value)) {
      faults.push(
        `${variable}: looks like a credential, and every agent could read it; if that is meant, add ${name} to ${allowExposedName}`,
      );
    } else {
      visible[name] = value;
    }
  }
  return { env: visible, faults };
}

export const looksLikeCredential = (name: string, value: string): boolean =>
  credentialName.test(name) || credentialValues.some((shape) => shape.test(value));
