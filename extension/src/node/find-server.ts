import { resolveServer } from '@berth/client/node';
import type { Target } from '../common/hub.ts';

/**
 * Which server, and as whom. A server that the person named goes before what this machine knows; its token comes from the editor's secret store, or from
 * `berth login` and `local.json` when they are of that same server. A token that was given for one server is never sent to another.
 */
export async function findServer(options: {
  /** From the settings, or chosen in the editor. */
  url: string | null;
  tokenOf: (url: string) => Promise<string | undefined>;
  env: Readonly<Record<string, string | undefined>>;
}): Promise<Target | null> {
  const named = options.url;
  const token = named === null ? undefined : await options.tokenOf(named);
  const found = await resolveServer({
    ...(named === null ? {} : { server: named }),
    ...(token === undefined ? {} : { token }),
    env: options.env,
  });
  if (found === undefined) return null;
  return { url: found.url, token: found.token ?? (await options.tokenOf(found.url)) };
}
