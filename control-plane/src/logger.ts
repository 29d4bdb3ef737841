import { pino, type Logger } from 'pino';

/** One line each on standard error. Values under these names never reach a log, wherever they stand. */
const secretNames = [
  'authorization',
  'cookie',
  'token',
  'credential',
  'apiKey',
  'password',
  'secret',
  'egressToken',
  'key',
];

export const createLogger = (level: string): Logger =>
  pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: '[secret]',
      },
    },
    pino.destination({ fd: 2, sync: true }),
  );
