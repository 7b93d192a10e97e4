/** `fairlead endpoint drain|undrain UPSTREAM ENDPOINT`: takes an endpoint out until it is let back in, or a restart. */
import { type AdminTarget, adminPost } from './admin-client.ts';
import { Exit, type Io } from './io.ts';

export interface EndpointOptions extends AdminTarget {
  readonly verb: 'drain' | 'undrain';
  readonly upstream: string;
  readonly endpoint: string;
  readonly reason: string;
}

/** Asks for it and says on stderr what is so now; 0. @throws CliError */
export async function endpointCommand(options: EndpointOptions, io: Io): Promise<number> {
  const { verb, upstream, endpoint, reason } = options;
  const path = `/v1/upstreams/${encodeURIComponent(upstream)}/endpoints/${encodeURIComponent(endpoint)}:${verb}`;
  await adminPost(options, path, { reason }, io.env);
  const name = `${upstream}/${endpoint}`;
  const back = `\`fairlead endpoint undrain ${upstream} ${endpoint}\` lets it back in`;
  io.err(verb === 'drain' ? `${name} gets nothing new; ${back}\n` : `${name} gets requests again\n`);
  return Exit.ok;
}
