#!/usr/bin/env node
// Speaks the protocol of Prisma's native schema-engine binary, with the same engine built as WebAssembly inside.
// Only the Prisma CLI calls it; see prisma.mjs. Requests are served strictly one after another.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import { createAdapters, parseUrl } from './prisma-engine-adapter.mjs';

const require = createRequire(import.meta.url);

async function loadEngine() {
  const folder = dirname(require.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
  const bytes = await readFile(join(folder, 'schema_engine_bg.wasm'));
  let panic = '';
  globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => (panic = message) };
  const { instance } = await globalThis.WebAssembly.instantiate(bytes, {
    './schema_engine_bg.js': bindings,
  });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return { takePanic: () => [panic, (panic = '')][0] };
}

async function engineHash() {
  const folder = dirname(require.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  return version.split(/[.-]/).at(-1);
}

/** One engine and one set of connections per call: nothing of one request can leak into the next. */
async function call(loaded, { datasource, datamodels }, method, params) {
  const adapters = createAdapters(datasource);
  const factory = bindMigrationAwareSqlAdapterFactory(adapters.factory);
  try {
    const engine = await bindings.SchemaEngine.new(
      { datamodels: datamodels.length > 0 ? datamodels : undefined },
      () => undefined,
      factory,
    );
    if (method === 'evaluateDataLoss' || method === 'createMigration') {
      // This build finds the state after the known migrations only in its cache; this call fills it.
      await engine.devDiagnostic({
        migrationsList: params.migrationsList,
        filters: params.filters,
      });
    }
    const name = method === 'getDatabaseVersion' ? 'version' : method;
    if (typeof engine[name] !== 'function') {
      throw Object.assign(new Error(`the engine has no method ${method}`), { code: -32601 });
    }
    return await engine[name](params);
  } catch (error) {
    const message = loaded.takePanic() || error.message || String(error);
    throw Object.assign(new Error(message, { cause: error }), {
      code: error.code ?? error.error_code,
      meta: error.meta,
    });
  } finally {
    await adapters.close();
  }
}

async function serve(options) {
  // The CLI closes standard input and sends SIGTERM at once; what was asked for must still be finished.
  process.on('SIGTERM', () => undefined);
  const loaded = await loadEngine();
  const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  let printed = 0;
  const handle = async ({ id, method, params }) => {
    try {
      if (method === 'createDatabase') {
        throw Object.assign(new Error('createDatabase is not served here'), { code: -32601 });
      }
      const result = await call(loaded, options, method, params);
      if (method === 'diff' && result?.stdout) {
        printed += 1;
        send({
          jsonrpc: '2.0',
          id: 1_000_000_000 + printed,
          method: 'print',
          params: { content: result.stdout },
        });
      }
      send({ jsonrpc: '2.0', id, result: result ?? null });
    } catch (error) {
      const data = {
        is_panic: false,
        message: error.message,
        meta: error.meta ?? null,
        error_code: error.code ?? null,
      };
      send({ jsonrpc: '2.0', id, error: { code: 4466, message: error.message, data } });
    }
  };
  let queue = Promise.resolve();
  for await (const line of createInterface({ input: process.stdin })) {
    if (!line.trim()) continue;
    const request = JSON.parse(line);
    if (request.method) queue = queue.then(() => handle(request)); // else: the answer to our print
  }
  await queue;
}

const cliCodes = { '3D000': 'P1003', '28P01': 'P1000', '42P04': 'P1009' };

async function cli(command, datasource) {
  process.stderr.write('\n'); // the CLI drops the first line
  try {
    const config = parseUrl(datasource.url);
    const client = new pg.Client(
      command === 'can-connect-to-database' ? config : { ...config, database: 'postgres' },
    );
    await client.connect();
    const name = pg.escapeIdentifier(config.database ?? '');
    if (command === 'create-database') await client.query(`create database ${name}`);
    if (command === 'drop-database') await client.query(`drop database ${name}`);
    await client.end();
  } catch (error) {
    const fields = { message: error.message, error_code: cliCodes[error.code] ?? 'P1001' };
    const line = { level: 'ERROR', target: 'schema_engine::logger', fields };
    process.stderr.write(`${JSON.stringify(line)}\n`);
    process.exitCode = 1;
  }
}

const { values, positionals } = parseArgs({
  options: {
    version: { type: 'boolean' },
    datasource: { type: 'string' },
    datamodels: { type: 'string', multiple: true },
  },
  allowPositionals: true,
  strict: false,
});
if (values.version) {
  console.log(`schema-engine-cli ${await engineHash()}`);
} else {
  const datasource = values.datasource ? JSON.parse(values.datasource) : {};
  if (positionals[0] === 'cli') {
    await cli(positionals[1], datasource);
  } else {
    const datamodels = [];
    for (const file of values.datamodels ?? []) {
      datamodels.push([file, await readFile(file, 'utf8')]);
    }
    await serve({ datasource, datamodels });
  }
  process.exit();
}
