import { readFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import type { Fetch } from './request.ts';

/** A file of certificates in PEM, for a server whose certificate a private authority signed. Throws with one sentence for a person. */
export function readCaFile(path: string): string {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`the file of certificates ${path} cannot be read`, { cause: error });
  }
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (blocks === null) throw new Error(`${path} holds no certificate in PEM`);
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch (error) {
    throw new Error(`${path} holds a certificate that cannot be read`, { cause: error });
  }
  return pem;
}

/** What Node trusts, and these. */
export const withUsual = (pem: string): string[] => [...rootCertificates, pem];

const bodyless = new Set([101, 204, 205, 304]);

/**
 * `fetch` that also trusts the certificates of `ca`. Node's own takes no authority for one call, and a host that others share (the editor's) must not be
 * made to trust it everywhere.
 */
export function fetchTrusting(ca: readonly string[]): Fetch {
  return (url, init) =>
    new Promise((resolve, reject) => {
      const target = new URL(url);
      // The platform's own class puts body and headers together: lengths, types, streams.
      const made = new Request(url, init);
      const headers = Object.fromEntries(made.headers);
      const options = {
        method: made.method,
        headers,
        ...(init.signal ? { signal: init.signal } : {}),
      };
      const request =
        target.protocol === 'https:'
          ? tlsRequest(target, { ...options, ca: [...ca] })
          : plainRequest(target, options);
      request.once('error', reject);
      request.once('response', (response) => {
        const status = response.statusCode ?? 0;
        const answer = new Headers();
        for (let at = 0; at + 1 < response.rawHeaders.length; at += 2)
          answer.append(response.rawHeaders[at] ?? '', response.rawHeaders[at + 1] ?? '');
        const empty = bodyless.has(status) || made.method === 'HEAD';
        if (empty) response.resume();
        const body = empty ? null : (Readable.toWeb(response) as ReadableStream<Uint8Array>);
        resolve(new Response(body, { status, headers: answer }));
      });
      if (made.body === null) request.end();
      else Readable.fromWeb(made.body as never).pipe(request);
    });
}
