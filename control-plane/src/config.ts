// The only reader of the environment: once, at start, all faults at once.
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import * as z from 'zod/mini';
import { clientVariables, variables, type Variable } from './config-variables.ts';
import { readContainerEnv, type ContainerEnv } from './container-env.ts';

type Values = { [Name in keyof typeof variables]: z.output<(typeof variables)[Name]['as']> };

export interface Config {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly roles: Values['BERTH_ROLES'];
  /** Where other processes reach this one; undefined: where it listens. */
  readonly replicaUrl: string | undefined;
  /** Empty: every process with the role web. */
  readonly linkUrls: readonly string[];
  readonly publicUrl: string | undefined;
  /** Undefined: the embedded server. */
  readonly databaseUrl: string | undefined;
  readonly postgresUser: string | undefined;
  /** Undefined: only the rehearsal agent runs. */
  readonly gateway: { readonly url: string; readonly apiKey: string | undefined } | undefined;
  readonly sandbox: Values['BERTH_SANDBOX'];
  /** Ranges in the form that the egress proxy reads. */
  readonly egressTrusted: string;
  /** Records of connections are kept so long. */
  readonly egressKeepMs: number;
  /** What every sandbox sees. */
  readonly containerEnv: ContainerEnv;
  readonly drainMs: number;
  readonly logLevel: NonNullable<Values['LOG_LEVEL']>;
}
export type ConfigResult =
  { kind: 'config'; config: Config } | { kind: 'faults'; faults: readonly string[] };

export interface ConfigSources {
  env: Readonly<Record<string, string | undefined>>;
  /** The text of `.env`, if there is one. The environment wins over it. */
  dotenv?: string | undefined;
  home: string;
  cwd: string;
  /** Standard error is a terminal: somebody reads along, and wants to find the next steps again. */
  terminal?: boolean;
}

export function readConfig(sources: ConfigSources): ConfigResult {
  const { env, dotenv = '', home, cwd, terminal = false } = sources;
  const file = setOnly(parseEnv(dotenv));
  const given = { ...file, ...setOnly(env) };
  const faults = unknownNames(file);
  const values = Object.fromEntries(
    Object.entries(variables).map(([name, variable]) => [
      name,
      read(name, variable, given, faults),
    ]),
  ) as Values;
  const container = readContainerEnv(given, values.CONTAINER_ENV_ALLOW_EXPOSED);
  faults.push(...container.faults, ...together(values));
  if (faults.length > 0) return { kind: 'faults', faults };
  const usual = { data: dataHome(given, home), logLevel: terminal ? 'warn' : 'info' } as const;
  return { kind: 'config', config: assemble(values, container.env, usual, cwd) };
}

function assemble(
  values: Values,
  containerEnv: ContainerEnv,
  usual: { data: string; logLevel: Config['logLevel'] },
  cwd: string,
): Config {
  return {
    port: values.PORT,
    host: values.HOST,
    dataDir: resolve(cwd, values.BERTH_DATA_DIR ?? join(usual.data, 'berth')),
    roles: values.BERTH_ROLES,
    replicaUrl: values.BERTH_REPLICA_URL,
    linkUrls: values.BERTH_LINK_URLS,
    publicUrl: values.BERTH_PUBLIC_URL,
    databaseUrl: values.DATABASE_URL,
    postgresUser: values.BERTH_POSTGRES_USER,
    gateway: values.LITELLM_GATEWAY_URL
      ? { url: values.LITELLM_GATEWAY_URL, apiKey: values.LITELLM_API_KEY }
      : undefined,
    sandbox: values.BERTH_SANDBOX,
    egressTrusted: values.BERTH_EGRESS_TRUSTED,
    egressKeepMs: values.BERTH_EGRESS_DAYS * 86_400_000,
    containerEnv,
    drainMs: values.BERTH_DRAIN_SECONDS * 1_000,
    logLevel: values.LOG_LEVEL ?? usual.logLevel,
  };
}

/** Each may be right by itself. */
function together(values: Values): string[] {
  const faults: string[] = [];
  const { BERTH_ROLES: roles, DATABASE_URL: database, BERTH_LINK_URLS: urls } = values;
  if (roles.length < 2 && database === undefined)
    faults.push(
      `BERTH_ROLES: "${roles.join()}" needs DATABASE_URL: the embedded PostgreSQL belongs to a process that does everything`,
    );
  for (const url of urls)
    if (!/^https?:$/.test(URL.canParse(url) ? new URL(url).protocol : ''))
      faults.push(`BERTH_LINK_URLS: "${url}" is not an http or https URL`);
  return faults;
}

function read(
  name: string,
  variable: Variable,
  given: Readonly<Record<string, string>>,
  faults: string[],
): unknown {
  const value = given[name];
  const parsed = z.safeParse(variable.as, value);
  if (parsed.success) return parsed.data;
  faults.push(
    `${name}: ${variable.secret ? 'this' : `"${value ?? ''}"`} is not ${variable.expects}`,
  );
  return z.safeParse(variable.as, undefined).data; // so that the rest can be looked at too
}

/** An empty value means unset: `Number('')` would be 0. */
function setOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const set: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    const trimmed = value?.trim();
    if (trimmed) set[name] = trimmed;
  }
  return set;
}

/** Only in `.env`, which is ours: the environment may hold names that another program gave it. */
function unknownNames(file: Readonly<Record<string, string>>): string[] {
  return Object.keys(file)
    .filter((name) => name.startsWith('BERTH_'))
    .filter((name) => !(name in variables) && !clientVariables.includes(name))
    .map((name) => `${name}: .env sets it, but there is no such variable`);
}

/** The base directory specification says to ignore a relative one. */
function dataHome(given: Readonly<Record<string, string>>, home: string): string {
  const xdg = given['XDG_DATA_HOME'];
  return xdg?.startsWith('/') ? xdg : join(home, '.local', 'share');
}
