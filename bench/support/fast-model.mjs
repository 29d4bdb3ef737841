// A model that answers at once, in a process of its own: JSON, or a stream whose chunks say when they were sent.
import { createServer } from 'node:http';

const everyMs = 5;
const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    if (request.method === 'GET') {
      response.writeHead(404).end();
      return;
    }
    const body = JSON.parse(Buffer.concat(parts).toString());
    if (body.stream !== true) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        '{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":1}}',
      );
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let left = body.n ?? 100;
    const timer = setInterval(() => {
      // The monotonic clock of Linux is one for all processes.
      const content = process.hrtime.bigint().toString();
      response.write(
        `data: {"choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":null}]}\n\n`,
      );
      if (--left > 0) return;
      clearInterval(timer);
      response.end(
        'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":1}}\n\ndata: [DONE]\n\n',
      );
    }, everyMs);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('disconnect', () => process.exit());
