// `npm test`: format, lint, types, then every test project. Arguments go to vitest, which then runs alone: npm test -- control-plane/src/store
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runBounded } from './run-bounded.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const results = join(root, 'test-results');
/** With how many minutes each may take: several times what it takes, and together less than CI waits. */
const projects = { unit: 5, pg: 6, box: 8, e2e: 20, seen: 35 };
const bin = (...path) => join(root, 'node_modules', ...path);

const node = (...args) =>
  spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status === 0;

const filters = process.argv.slice(2);
const checks = {
  format: () => node(bin('prettier/bin/prettier.cjs'), '--check', '--log-level=warn', '.'),
  lint: () => node(bin('eslint/bin/eslint.js'), '.'),
  types: () => node(join(root, 'scripts/types.mjs')),
};

const failed = [];
if (filters.length === 0) {
  for (const [name, check] of Object.entries(checks)) {
    console.error(`test: ${name} …`);
    if (!check()) failed.push(name);
  }
}

rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
const total = { passed: 0, failed: 0 };
/** What failed, to be said at the very end, where it is seen without reading the rest. */
const stories = [];
for (const [project, minutes] of Object.entries(projects)) {
  if (filters.includes('--project') && !filters.includes(project)) continue;
  console.error(`test: ${project} …`);
  const report = join(results, `${project}.json`);
  const args = [
    ...[bin('vitest/vitest.mjs'), 'run', '--project', project],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    '--passWithNoTests',
    ...filters.filter((filter) => filter !== '--project' && !(filter in projects)),
  ];
  const ending = await runBounded(args, {
    cwd: root,
    minutes,
    finished: () => existsSync(report),
  });
  const counts = count(report);
  total.passed += counts.passed;
  total.failed += counts.failed;
  stories.push(...counts.stories);
  if (ending === 'late') failed.push(`${project} (not done after ${minutes} minutes)`);
  // Node itself may hang while it exits (nodejs/node#54918). The report is whole, and says what there is to say.
  else if (ending === 'hung') console.error(`test: ${project} was done but did not exit: killed`);
  if (ending === 'hung' ? !counts.success : ending === 'failed')
    // Also an error outside every test, a suite that cannot be loaded, a leaked rejection.
    failed.push(`${project} (${counts.failed} tests)`);
}

for (const story of stories) console.error(`\ntest: ✗ ${story}`);
if (failed.length > 0) console.error(`\ntest: failed: ${failed.join(', ')}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = failed.length > 0 || total.passed + total.failed === 0 ? 1 : 0;

function count(report) {
  try {
    const json = JSON.parse(readFileSync(report, 'utf8'));
    const { numPassedTests: passed, numFailedTests: failed, success } = json;
    return { passed, failed, success, stories: json.testResults.flatMap(failures) };
  } catch {
    return { passed: 0, failed: 0, success: false, stories: [] }; // it died before it could report; its exit code says so
  }
}

/** Which tests of a file failed, each with the beginning of why; a file that could not be loaded at all is one. */
function failures({ name, status, message, assertionResults }) {
  const file = relative(root, name);
  const told = assertionResults
    .filter((test) => test.status === 'failed')
    .map((test) => `${file} > ${test.fullName}\n${beginning(test.failureMessages.join('\n'))}`);
  return status === 'failed' && told.length === 0 ? [`${file}\n${beginning(message)}`] : told;
}

function beginning(text) {
  return text.split('\n').slice(0, 12).join('\n').slice(0, 1500);
}
