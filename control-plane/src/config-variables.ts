// The one table of what can be configured. docs/configuration.md and .env.example are made from it.
import * as z from 'zod/mini';
import { allowExposedName } from './container-env.ts';

export interface Variable {
  /** From the text in the environment, or undefined when it is not set. */
  readonly as: z.ZodMiniType;
  /** What a right value is: ends the sentence "… is not …". */
  readonly expects: string;
  readonly help: string;
  /** For readers; the schema has the real one. */
  readonly preset?: string;
  readonly example?: string;
  /** Its value is never printed. */
  readonly secret?: true;
}

const number = (min: number, max: number) =>
  z.coerce.number().check(z.refine(Number.isInteger), z.gte(min), z.lte(max));
const url = (protocol: RegExp) => z.optional(z.url({ protocol }));
const list = z.pipe(
  z.optional(z.string()),
  z.transform((text) =>
    (text ?? '')
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ''),
  ),
);
const text = z.optional(z.string());
const roleNames = ['web', 'worker'] as const;
const roles = z.pipe(
  list,
  z.pipe(
    z.transform((names: string[]) =>
      names.length === 0 || names.includes('all') ? [...roleNames] : [...new Set(names)],
    ),
    z.array(z.enum(roleNames)),
  ),
);

export const variables = {
  PORT: {
    as: z._default(number(0, 65_535), 3000),
    expects: 'a port from 0 to 65535',
    help: 'Where the API, the dashboard and the sockets listen. 0 picks a free port.',
    preset: '3000',
  },
  HOST: {
    as: z._default(z.string().check(z.regex(/^[A-Za-z0-9.:_-]+$/)), '127.0.0.1'),
    expects: 'an address or a host name',
    help: 'The address to listen on.',
    preset: '127.0.0.1',
  },
  BERTH_DATA_DIR: {
    as: text,
    expects: 'a folder',
    help: 'Everything the embedded start keeps: database, journals, sandboxes, agents, local.json. Only its owner can read it (0700).',
    preset: '$XDG_DATA_HOME/berth or ~/.local/share/berth',
  },
  BERTH_ROLES: {
    as: roles,
    expects: '"all", or a list of "web" and "worker" (the vault runs with the worker)',
    help: 'What this process does. `web`: API, sockets, dashboard, gateway and the runners’ links; as many as you like. `worker`: makes the sandboxes and runs the egress proxy; one for a database. `all`: both. Apart, they need `DATABASE_URL`.',
    preset: 'all',
  },
  BERTH_REPLICA_URL: {
    as: url(/^https?$/),
    expects: 'an http or https URL',
    help: 'Where the other processes of this control plane reach this one. They show each other secrets of their own, at /internal/v1.',
    preset: 'http://HOST:PORT; for HOST=0.0.0.0 the first address of this machine',
    example: 'http://10.1.2.3:3000',
  },
  BERTH_LINK_URLS: {
    as: list,
    expects: 'a list of URLs',
    help: 'Where runners dial, one after the other: for a balancer in front of several processes.',
    preset: 'every process with the role web',
    example: 'https://berth.example.com',
  },
  BERTH_PUBLIC_URL: {
    as: url(/^https?$/),
    expects: 'an http or https URL',
    help: 'The URL that browsers and editors use, when it is not http://HOST:PORT.',
    example: 'https://berth.example.com',
  },
  DATABASE_URL: {
    as: url(/^postgres(ql)?$/),
    expects: 'a URL like postgresql://user:password@host:5432/database',
    help: 'A PostgreSQL of yours (14 or newer; a direct connection, no transaction pooler). Unset: the embedded server.',
    preset: 'embedded PostgreSQL 18',
    example: 'postgresql://berth:password@localhost:5432/berth',
    secret: true,
  },
  BERTH_POSTGRES_USER: {
    as: z.optional(z.string().check(z.regex(/^[a-z_][a-z0-9_-]*\$?$/i))),
    expects: 'the name of a user',
    help: 'Only when Berth runs as root: the user that the embedded PostgreSQL runs as, which refuses root.',
    preset: 'postgres, else nobody',
  },
  LITELLM_GATEWAY_URL: {
    as: url(/^https?$/),
    expects: 'an http or https URL',
    help: 'The LiteLLM gateway that serves the models. Unset: only the rehearsal agent runs.',
    example: 'http://localhost:4000',
  },
  LITELLM_API_KEY: {
    as: text,
    expects: 'a key',
    help: 'The key for that gateway. It never enters a sandbox.',
    example: 'sk-...',
    secret: true,
  },
  BERTH_SANDBOX: {
    as: z._default(z.enum(['local', 'unsafe']), 'local'),
    expects: '"local" or "unsafe" ("kubernetes" comes with a later version)',
    help: 'Where sessions run: local (bubblewrap), or unsafe (no isolation at all; the UI says so in red).',
    preset: 'local',
  },
  BERTH_EGRESS_TRUSTED: {
    as: z._default(z.string(), ''),
    expects: 'a list like 10.1.0.0/16,10.2.0.7@8443',
    help: 'Private addresses that allowed hosts may resolve to; all others than public ones are refused when dialled. Port 443 unless named.',
    example: '10.1.0.0/16,10.2.0.7@8443',
  },
  BERTH_EGRESS_DAYS: {
    as: z._default(number(1, 36_500), 90),
    expects: 'a whole number of days from 1 to 36500',
    help: 'How long the record of every connection that sandboxes asked for (`egress_event`) is kept.',
    preset: '90',
  },
  KUBECONFIG: {
    as: text,
    expects: 'a file',
    help: 'For the kubernetes sandboxes of a later version. Read by nothing now.',
    preset: 'in-cluster',
  },
  BERTH_NAMESPACE: {
    as: z._default(z.string().check(z.regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)), 'berth-sandboxes'),
    expects: 'the name of a namespace',
    help: 'For the kubernetes sandboxes of a later version. Read by nothing now.',
    preset: 'berth-sandboxes',
  },
  BERTH_SECRET_KEYS: {
    as: z.optional(z.string().check(z.regex(/^k\d+:[A-Za-z0-9+/=_-]+(,k\d+:[A-Za-z0-9+/=_-]+)*$/))),
    expects: 'a list like k2:<base64>,k1:<base64>',
    help: 'Keys that encrypt secrets at rest; the first one encrypts. For the vault of a later version. Read by nothing now.',
    preset: 'generated into the data directory (embedded only)',
    secret: true,
  },
  [allowExposedName]: {
    as: list,
    expects: 'a list of names',
    help: 'Names X of CONTAINER_ENV_X that look like credentials and are meant to be seen by every agent.',
    example: 'FEATURE_KEY,SORT_KEY',
  },
  BERTH_DRAIN_SECONDS: {
    as: z._default(number(0, 3_600), 30),
    expects: 'a whole number of seconds up to 3600',
    help: 'How long requests and sockets may take to end after SIGTERM.',
    preset: '30',
  },
  LOG_LEVEL: {
    as: z.optional(z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'])),
    expects: 'one of silent, fatal, error, warn, info, debug, trace',
    help: 'What is logged to standard error, one JSON object a line. Without it a terminal gets warnings only.',
    preset: 'info',
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    as: url(/^https?$/),
    expects: 'an http or https URL',
    help: 'For the traces of a later version. Read by nothing now.',
  },
} as const satisfies Record<string, Variable>;

/** Families of variables, named by what follows the prefix. */
export const families = [
  {
    name: 'CONTAINER_ENV_X',
    help: 'Every sandbox sees X with this value. A name or value that looks like a credential stops the start.',
    example: 'CONTAINER_ENV_TZ=Europe/Berlin',
  },
  {
    name: 'CONTAINER_VAULT_X, CONTAINER_VAULT_X_HOSTS',
    help: 'Secrets that sandboxes use without seeing them. They come with a later version; until then they stop the start.',
  },
] as const;

/** Read by the command line tool (see its help), so no mistake in the .env file that both share. */
export const clientVariables: readonly string[] = ['BERTH_SERVER', 'BERTH_TOKEN'];
