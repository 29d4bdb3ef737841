import type { Logger } from 'pino';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { createGateway, type Gateway } from './gateway/index.ts';
import type { Runners } from './runners/index.ts';
import type { SessionsFeature } from './sessions/index.ts';

/** The gateway with what it asks of runners and sessions; the same notice goes to a session once a minute. */
export function openGateway(parts: {
  config: Config;
  clock: Clock;
  logger: Logger;
  runners: Pick<Runners, 'authenticate' | 'serves'>;
  sessions: SessionsFeature;
}): Gateway {
  const { config, runners, sessions, clock } = parts;
  const toldAt = new Map<string, number>();
  const quietMs = 60_000;
  return createGateway({
    ...(config.gateway === undefined ? {} : { url: config.gateway.url }),
    ...(config.gateway?.apiKey === undefined ? {} : { key: config.gateway.apiKey }),
    clock,
    logger: parts.logger,
    ports: {
      authenticate: (credential) => runners.authenticate(credential),
      // Behind a balancer a call may come to another process than the session's link: that one reads the rows.
      session: async (runnerId, sessionId) => {
        const here = runners.serves(runnerId, sessionId);
        const context =
          (here ? sessions.sessionContext(sessionId) : undefined) ??
          (await sessions.readContext(runnerId, sessionId));
        return context === undefined ? undefined : { models: context.allowedModels };
      },
      used: (sessionId, usage) => sessions.recordUsage(sessionId, usage),
      notice: (sessionId, code, text) => {
        const key = `${sessionId} ${code}`;
        if (clock.now() - (toldAt.get(key) ?? -quietMs) < quietMs) return;
        if (toldAt.size > 10_000) toldAt.clear();
        toldAt.set(key, clock.now());
        sessions.notice(sessionId, code, text);
      },
    },
  });
}
