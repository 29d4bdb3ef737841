// Programs of others that the e2e tests turn against us: Schemathesis (the API), amicontained and CDK (the sandbox, from inside only: as
// root on a host amicontained renames the host). Each into a cache outside the repository; where Python or Go is missing, one line says so
// and the tests that need the program say that they were skipped.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const cacheRoot = () =>
  process.env.BERTH_TEST_CACHE ||
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'berth');

/** [name, Go package]; the version is in the go.mod of tools/probes/<name>. */
const goProbes = {
  amicontained: 'github.com/genuinetools/amicontained',
  cdk: 'github.com/cdk-team/CDK/cmd/cdk',
};

export const probePath = (name) => join(cacheRoot(), 'probes', name, name);
export const schemathesisPath = () => join(cacheRoot(), 'schemathesis', 'bin', 'schemathesis');

const quietly = (program, args, options = {}) =>
  spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', ...options });

/** Runs `make` unless the same sources were installed before. */
function once(folder, source, make) {
  const ready = join(folder, '.ready');
  const wanted = readdirSync(source)
    .map((name) => readFileSync(join(source, name), 'utf8'))
    .join('\0');
  if (existsSync(ready) && readFileSync(ready, 'utf8') === wanted) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  make();
  writeFileSync(ready, wanted);
}

export function ensureProbes(root) {
  if (quietly('go', ['version']).status !== 0) {
    console.error('pretest: without Go, amicontained and CDK do not look at the sandbox');
    return;
  }
  for (const [name, goPackage] of Object.entries(goProbes)) {
    const folder = join(cacheRoot(), 'probes', name);
    const source = join(root, 'tools', 'probes', name);
    once(folder, source, () => {
      console.error(`pretest: building ${name} …`);
      cpSync(source, folder, { recursive: true });
      // Static: inside, only /usr of the host is there.
      const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' };
      const built = quietly('go', ['build', '-o', name, goPackage], { cwd: folder, env });
      if (built.status !== 0) throw new Error(`${name} could not be built: ${built.stderr}`);
    });
  }
}

export function ensureSchemathesis(root) {
  const folder = join(cacheRoot(), 'schemathesis');
  const source = join(root, 'tools', 'schemathesis');
  if (
    quietly('python3', ['-c', 'import sys, venv, ensurepip; assert sys.version_info >= (3, 10)'])
      .status !== 0
  ) {
    console.error('pretest: without Python 3.10 and its venv, Schemathesis does not test the API');
    return;
  }
  once(folder, source, () => {
    console.error('pretest: installing Schemathesis …');
    const run = (program, ...args) => {
      const ran = quietly(program, args);
      if (ran.status !== 0) throw new Error(`Schemathesis could not be installed: ${ran.stderr}`);
    };
    run('python3', '-m', 'venv', folder);
    run(
      join(folder, 'bin', 'pip'),
      ...[
        'install',
        '--quiet',
        '--disable-pip-version-check',
        '-r',
        join(source, 'requirements.txt'),
      ],
    );
  });
}
