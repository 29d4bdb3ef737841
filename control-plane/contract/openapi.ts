import * as z from 'zod/mini';
import * as contract from './index.ts';
import { problems } from './problems.ts';
import type { Answer, QueryParameter, RequestHeader, Route } from './routes.ts';
import { paramNames, problemsOf, routes } from './routes.ts';
import { agentPage } from './routes/agents.ts';
import { harnessList, health, tokenList } from './routes/identity.ts';
import {
  approvalPage,
  eventPage,
  sessionExport,
  sessionPage,
  turnPage,
} from './routes/sessions.ts';
import { terminalList, written } from './routes/workspace.ts';

type Json = Record<string, unknown>;

/** Shapes with a name of their own in the document; the others stand where they are used. */
const named = {
  Agent: contract.agent,
  AgentPage: agentPage,
  Approval: contract.approval,
  ApprovalPage: approvalPage,
  Changes: contract.changes,
  ContentBlock: contract.contentBlock,
  CreateAgent: contract.createAgent,
  CreateSession: contract.createSession,
  CreateSignInLink: contract.createSignInLink,
  CreateTerminal: contract.createTerminal,
  CreateTicket: contract.createTicket,
  CreateToken: contract.createToken,
  CreateTurn: contract.createTurn,
  CreatedToken: contract.createdToken,
  DecideApproval: contract.decideApproval,
  Event: contract.eventEnvelope,
  EventPage: eventPage,
  FileList: contract.fileList,
  Harness: contract.harness,
  HarnessList: harnessList,
  Health: health,
  LogLines: contract.logLines,
  Me: contract.me,
  Meta: contract.meta,
  PatchAgent: contract.patchAgent,
  PatchSession: contract.patchSession,
  PatchTurn: contract.patchTurn,
  Problem: contract.problemBody,
  Session: contract.session,
  SessionExport: sessionExport,
  SessionPage: sessionPage,
  SettleTurn: contract.settleTurn,
  SignInLink: contract.signInLink,
  Terminal: contract.terminal,
  TerminalList: terminalList,
  TerminalScreen: contract.terminalScreen,
  Ticket: contract.ticket,
  Token: contract.token,
  TokenList: tokenList,
  Turn: contract.turn,
  TurnPage: turnPage,
  Written: written,
} as const satisfies Record<string, z.ZodMiniType>;

const names = new Map<z.ZodMiniType, string>(
  Object.entries(named).map(([name, schema]) => [schema, name]),
);
const reference = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

/** Both directions are described as they stand on the wire, which is the schemas' input side: transforms only normalise. */
function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(named)) registry.add(schema, { id: name });
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => {
      const { $schema: _dialect, $id: _id, ...rest } = schema as Json;
      return [name, rest];
    }),
  );
}

function schemaOf(schema: z.ZodMiniType): Json {
  const name = names.get(schema);
  if (name !== undefined) return reference(name);
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  }) as Json;
  return rest;
}

function querySchema(parameter: QueryParameter): Json {
  switch (parameter.kind) {
    case 'int':
      return {
        type: 'integer',
        minimum: parameter.min,
        maximum: parameter.max,
        ...(parameter.default === undefined ? {} : { default: parameter.default }),
      };
    case 'flag':
      return { type: 'boolean' };
    case 'one-of':
      return { type: 'string', enum: [...parameter.values] };
    case 'uuid':
      return { type: 'string', format: 'uuid' };
    case 'text':
      return {
        type: 'string',
        minLength: 1,
        maxLength: parameter.max,
        pattern: '^[^\\u0000]*$',
      };
  }
}

const headerParameters: Record<RequestHeader, Json> = {
  'Idempotency-Key': {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'The same key and body give the first answer again, for 24 hours.',
    schema: { type: 'string', format: 'uuid' },
  },
  'If-Match': {
    name: 'If-Match',
    in: 'header',
    // Needed, but its absence has an answer of its own: 428.
    required: false,
    description: 'The version that is changed, as the `ETag` gave it. Without it: 428.',
    schema: { type: 'string', pattern: '^"[0-9]{1,9}"$' },
  },
  'If-Match-ETag': {
    name: 'If-Match',
    in: 'header',
    required: false,
    description: 'Refuses when the file is another one by now.',
    schema: { type: 'string', pattern: '^(\\*|"[!#-~]{1,200}")$' },
  },
  Prefer: {
    name: 'Prefer',
    in: 'header',
    required: false,
    // No pattern: whatever else it says is ignored, as RFC 7240 has it.
    description: '`wait=<seconds>`, at most 600: answers once the turn ended.',
    schema: { type: 'string' },
  },
  'Last-Event-ID': {
    name: 'Last-Event-ID',
    in: 'header',
    required: false,
    description: 'Streams only: goes on after this number. Anything else is ignored.',
    schema: { type: 'string' },
  },
};

const answerHeaders: Record<string, Json> = {
  'X-Request-Id': { description: 'Names this request in the logs.', schema: { type: 'string' } },
  ETag: { description: 'The version.', schema: { type: 'string' } },
  Location: { description: 'Where the new thing is.', schema: { type: 'string' } },
  'Preference-Applied': { description: 'The server waited.', schema: { type: 'string' } },
  'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } },
};
const pick = (headers: readonly string[]): Json =>
  Object.fromEntries(headers.map((name) => [name, answerHeaders[name]]));

function answerOf(answer: Answer): Json {
  const types = answer.types ?? (answer.schema === undefined ? [] : ['application/json']);
  const content = types.map((type) => {
    if (type === 'application/json' && answer.schema !== undefined)
      return [type, { schema: schemaOf(answer.schema) }];
    return [type, { schema: { type: 'string' } }];
  });
  return {
    description: answer.about,
    headers: pick(['X-Request-Id', ...(answer.headers ?? [])]),
    ...(content.length === 0 ? {} : { content: Object.fromEntries(content) as Json }),
  };
}

function problemAnswers(route: Route): Json {
  const byStatus = new Map<number, string[]>();
  for (const code of problemsOf(route)) {
    const { status } = problems[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      String(status),
      {
        description: codes.map((code) => `\`${code}\``).join(', '),
        headers: pick(['X-Request-Id', ...(status === 429 ? ['Retry-After'] : [])]),
        content: { 'application/problem+json': { schema: reference('Problem') } },
      },
    ]),
  );
}

function bodyOf(route: Route): Json {
  if (route.body !== undefined) {
    return {
      requestBody: {
        required: route.body.optional !== true,
        content: { 'application/json': { schema: schemaOf(route.body.schema) } },
      },
    };
  }
  if (route.stream === undefined) return {};
  const content = route.stream.map((type) => [
    type,
    { schema: { type: 'string', format: 'binary' } },
  ]);
  return { requestBody: { required: true, content: Object.fromEntries(content) as Json } };
}

function linksOf(route: Route): Json {
  if (route.links === undefined) return {};
  const links = Object.entries(route.links).map(([operationId, parameter]) => [
    operationId,
    { operationId, parameters: { [parameter]: '$response.body#/id' } },
  ]);
  return { links: Object.fromEntries(links) as Json };
}

function operationOf(operationId: string, route: Route): Json {
  const parameters = [
    ...paramNames(route.path).map((name) => ({
      name,
      in: 'path',
      required: true,
      schema: name === 'tokenId' ? { type: 'string' } : { type: 'string', format: 'uuid' },
    })),
    ...Object.entries(route.query ?? {}).map(([name, parameter]) => ({
      name,
      in: 'query',
      required: 'required' in parameter && parameter.required,
      description: parameter.about,
      schema: querySchema(parameter),
    })),
    ...(route.headers ?? []).map((header) => headerParameters[header]),
  ];
  const answers = Object.entries(route.answers).map(([status, answer]) => [
    status,
    status === '201' ? { ...answerOf(answer), ...linksOf(route) } : answerOf(answer),
  ]);
  return {
    operationId,
    tags: [route.tag],
    summary: route.summary,
    security:
      route.action === null
        ? []
        : route.bearerOnly === true
          ? [{ token: [] }]
          : [{ token: [] }, { browser: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...bodyOf(route),
    responses: { ...(Object.fromEntries(answers) as Json), ...problemAnswers(route) },
  };
}

/** The OpenAPI 3.1 document of everything in `routes`. */
export function openApiDocument(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const [operationId, route] of Object.entries(routes)) {
    paths[route.path] = {
      ...paths[route.path],
      [route.method]: operationOf(operationId, route),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Berth',
      version,
      description:
        'Sessions of coding agents. Errors are RFC 9457 problems; their codes are in docs/problems.md.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: componentSchemas(),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: '`berth_<id>_<secret>`' },
        browser: { type: 'apiKey', in: 'cookie', name: 'berth_session' },
      },
    },
  };
}
