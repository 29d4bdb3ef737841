import { execFileSync, spawn } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

/** A repository behind HTTPS on this machine, under this machine's own name. */
export interface GitServer extends AsyncDisposable {
  readonly host: string;
  /** What the host's name leads to here, and its port: for the operator's list. */
  readonly address: string;
  readonly port: number;
  readonly url: string;
  /** Its certificate, PEM. */
  readonly certificate: string;
  readonly requests: string[];
}

export async function startGitServer(files: Record<string, string>): Promise<GitServer> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-git-'));
  const host = hostname().toLowerCase();
  const { address } = await lookup(host, { family: 4 });
  await makeRepository(join(folder, 'work'), join(folder, 'code.git'), files);
  const [key, certificate] = await makeCertificate(folder, host);
  const requests: string[] = [];

  // CGI, as git's own web server program speaks it.
  const server = createServer({ key, cert: certificate }, (request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    const url = new URL(request.url ?? '/', 'https://git');
    const backend = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: folder,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
        REQUEST_METHOD: request.method,
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    request.pipe(backend.stdin);
    let head = Buffer.alloc(0);
    backend.stdout.on('data', (chunk: Buffer) => {
      if (response.headersSent) {
        response.write(chunk);
        return;
      }
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      let status = 200;
      for (const line of head.toString('latin1', 0, end).split('\r\n')) {
        const [name = '', value = ''] = line.split(/:\s*/, 2);
        if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.writeHead(status);
      response.write(head.subarray(end + 4));
    });
    backend.stdout.on('end', () => response.end());
  });
  server.listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return {
    host,
    address,
    port: bound.port,
    url: `https://${host}:${String(bound.port)}/code.git`,
    certificate,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function makeRepository(
  work: string,
  bare: string,
  files: Record<string, string>,
): Promise<void> {
  const git = (...args: string[]): void => {
    execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@t', ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  };
  git('init', '-q', '-b', 'main', work);
  for (const [name, content] of Object.entries(files)) await writeFile(join(work, name), content);
  git('-C', work, 'add', '.');
  git('-C', work, 'commit', '-qm', 'first');
  git('clone', '-q', '--bare', work, bare);
}

async function makeCertificate(folder: string, host: string): Promise<[string, string]> {
  const key = join(folder, 'key.pem');
  const certificate = join(folder, 'certificate.pem');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const names = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`];
  execFileSync(
    'openssl',
    ['req', '-x509', '-days', '2', ...curve, ...names, '-keyout', key, '-out', certificate],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  return [await readFile(key, 'utf8'), await readFile(certificate, 'utf8')];
}
