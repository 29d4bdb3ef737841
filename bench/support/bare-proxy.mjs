// The least that a route between agent and model can be in Node: read the call, send it on, read the answer, give it back. Nobody is asked who they are.
import http from 'node:http';

const agent = new http.Agent({ keepAlive: true });
const port = Number(process.argv[2]);
function readAll(message, take) {
  const parts = [];
  message.on('data', (part) => parts.push(part));
  message.on('end', () => take(Buffer.concat(parts)));
}
const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  readAll(request, (bytes) => {
    const body = JSON.stringify(JSON.parse(bytes.toString()));
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const { method, url: path } = request;
    const up = http.request({ agent, hostname: '127.0.0.1', port, method, path, headers });
    up.on('response', (answer) => {
      readAll(answer, (whole) => {
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': whole.length,
        });
        response.end(whole);
      });
    });
    up.end(body);
  });
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('disconnect', () => process.exit());
