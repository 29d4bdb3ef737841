import type { RequestError } from '@agentclientprotocol/sdk';
import { isFields } from './tool.ts';

/** An agent's error in its own words: some say more in `data`. */
export function detailOf(error: RequestError): string {
  const { data } = error;
  const details = isFields(data) ? (data['details'] ?? data['message']) : undefined;
  return typeof details === 'string' ? `${error.message}: ${details}` : error.message;
}
