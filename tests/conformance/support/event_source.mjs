// SPDX-License-Identifier: Apache-2.0
// What npm centrifuge needs of an EventSource, which node does not have: events without names or
// ids. A stream that ends is an error; it does not connect again by itself.
import http from 'node:http';

export class EventSource {
  #request;
  #rest = '';
  #is_closed = false;

  constructor(url) {
    this.#request = http.get(url, { headers: { Accept: 'text/event-stream' }, agent: false });
    this.#request.on('response', (response) => this.#on_response(response));
    this.#request.on('error', (error) => this.#fail(error));
  }

  #on_response(response) {
    const type = response.headers['content-type'] ?? '';
    if (response.statusCode !== 200 || !type.startsWith('text/event-stream')) {
      response.resume();
      this.#fail(new Error(`${response.statusCode} ${type}`));
      return;
    }
    this.onopen?.();
    response.setEncoding('utf8');
    response.on('data', (text) => this.#on_text(text));
    response.on('error', (error) => this.#fail(error));
    response.on('end', () => this.#fail(new Error('the stream ended')));
  }

  #on_text(text) {
    const events = (this.#rest + text).replaceAll('\r\n', '\n').split('\n\n');
    this.#rest = events.pop();
    for (const event of events) {
      const lines = event.split('\n').filter((line) => line.startsWith('data:'));
      if (lines.length > 0 && !this.#is_closed) {
        this.onmessage?.({ data: lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n') });
      }
    }
  }

  #fail(error) {
    if (!this.#is_closed) {
      this.close();
      this.onerror?.(error);
    }
  }

  terminate() {
    this.#request.destroy(new Error('cut'));
  }

  close() {
    this.#is_closed = true;
    this.#request.destroy();
  }
}
