/**
 * Sizes of what the editor loads: the extension's host bundle, and the chat panel's script (minified and gzipped) with its styles.
 * Activation and the page of 10,000 messages are measured where the editor and the browser run: `extension` and `webview` tests.
 *
 *   node bench/extension.ts
 */
import { readFileSync, statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { dist, ensureBuilt } from './support/built.ts';
import { report } from './support/report.ts';

ensureBuilt();
const kb = (...path: string[]): number => statSync(dist(...path)).size / 1024;
const gzippedKb = (...path: string[]): number =>
  gzipSync(readFileSync(dist(...path)), { level: 9 }).length / 1024;

report('extension', [
  {
    what: 'host bundle',
    measured: kb('extension', 'extension.js'),
    unit: 'KB',
    target: { atMost: 350 },
  },
  {
    what: 'panel script, minified',
    measured: kb('panel', 'app.js'),
    unit: 'KB',
    target: { atMost: 350 },
  },
  {
    what: 'panel script, gzipped',
    measured: gzippedKb('panel', 'app.js'),
    unit: 'KB',
    target: { atMost: 110 },
  },
  { what: 'panel styles', measured: kb('panel', 'app.css'), unit: 'KB' },
  { what: 'the package', measured: kb('berth.vsix'), unit: 'KB' },
]);
