// SPDX-License-Identifier: Apache-2.0
// A backend: Node's own HTTP server, whose answers a case gives.
import http from 'node:http';
import https from 'node:https';
import { CERTIFICATE, KEY } from './certificate.mjs';

export class Backend {
  requests = []; // What was asked: { path, headers, body, socket }.
  answers = new Map(); // Path -> the answer, or a function of the request that gives it.
  sockets = new Set();

  static async start(context, { tls = false } = {}) {
    const backend = new Backend();
    const serve = (request, response) => backend.#serve(request, response);
    backend.server = tls ? https.createServer({ cert: CERTIFICATE, key: KEY }, serve)
      : http.createServer(serve);
    backend.server.on('connection', (socket) => {
      backend.sockets.add(socket);
      socket.on('close', () => backend.sockets.delete(socket));
    });
    await new Promise((resolve) => { backend.server.listen(0, '127.0.0.1', resolve); });
    backend.url = `http${tls ? 's' : ''}://localhost:${backend.server.address().port}`;
    context.defer(() => backend.stop());
    return backend;
  }

  on(path, answer) {
    this.answers.set(path, answer);
  }

  #serve(request, response) {
    const parts = [];
    request.on('data', (bytes) => parts.push(bytes));
    request.on('end', async () => {
      const asked = { path: request.url, headers: request.headers, method: request.method,
        body: JSON.parse(Buffer.concat(parts).toString()), socket: request.socket, response };
      this.requests.push(asked);
      const answer = this.answers.get(request.url) ?? { result: {} };
      const given = typeof answer === 'function' ? await answer(asked) : answer;
      if (given !== undefined && !response.writableEnded) { // Or it was answered otherwise.
        response.setHeader('Content-Type', 'application/json');
        response.end(JSON.stringify(given));
      }
    });
  }

  asked(path) {
    return this.requests.filter((one) => one.path === path);
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }
}
