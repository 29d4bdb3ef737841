import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createBeats } from './link.ts';
import { problems } from './problems.ts';
import { openApiDocument } from './openapi.ts';
import type { Route } from './routes.ts';
import { paramNames, problemsOf, routes } from './routes.ts';

test('docs/problems.md lists exactly the problems of the table', () => {
  const file = new URL('../../docs/problems.md', import.meta.url);
  const documented = readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, code, status, title] = /^\| `([a-z-]+)` *\| (\d+) *\| ([^|]+)\|/.exec(line) ?? [];
      return code === undefined ? [] : [[code, Number(status), title?.trim()]];
    });
  const table = Object.entries(problems).map(([code, { status, title }]) => [code, status, title]);
  expect(documented).toEqual(table);
});

const all = Object.entries(routes as Record<string, Route>);

test('every problem of the table can be given by some route, or is the router’s own', () => {
  const given = new Set(all.flatMap(([, route]) => problemsOf(route)));
  const routersOwn = ['method-not-allowed'];
  expect([...given, ...routersOwn].sort()).toEqual(Object.keys(problems).sort());
});

test('links lead to routes that take the parameter', () => {
  for (const [, route] of all) {
    for (const [operationId, parameter] of Object.entries(route.links ?? {})) {
      const target = (routes as Record<string, Route>)[operationId];
      expect(target && paramNames(target.path)).toContain(parameter);
    }
  }
});

test('the document holds together: every reference leads somewhere, every component is used', () => {
  const document = openApiDocument('1.2.3');
  const text = JSON.stringify(document);
  const used = new Set([...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map((m) => m[1]));
  const { components } = document as { components: { schemas: Record<string, object> } };
  expect([...used].sort()).toEqual(Object.keys(components.schemas).sort());
});

test('what a person writes is described as strictly as it is checked', () => {
  const { components } = openApiDocument('1') as {
    components: {
      schemas: Record<string, { additionalProperties?: boolean; required?: string[] }>;
    };
  };
  expect(components.schemas['CreateAgent']).toMatchObject({
    additionalProperties: false,
    required: ['name', 'harness'],
  });
  // Answers may grow; readers ignore what they do not know.
  expect(components.schemas['Agent']).not.toHaveProperty('additionalProperties');
});

test('beats: given up after so many in silence; whoever is heard, or is not listened to, starts anew', () => {
  const beats = createBeats(2);
  expect([beats.beat(true), beats.beat(true)]).toEqual([true, true]);
  beats.heard();
  expect([beats.beat(true), beats.beat(true)]).toEqual([true, true]);
  expect(beats.beat(false)).toBe(true);
  expect([beats.beat(true), beats.beat(true), beats.beat(true)]).toEqual([true, true, false]);
});
