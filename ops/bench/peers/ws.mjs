// SPDX-License-Identifier: Apache-2.0
// The npm package ws as a peer: /echo returns each message, any other path gives it to all others.
import {createRequire} from 'node:module';

// Found from the folder that this is started in: there `npm install ws` was run.
const {WebSocketServer, WebSocket} = createRequire(`${process.cwd()}/`)('ws');

const port = Number(process.argv[2] ?? 9002);
const server = new WebSocketServer({host: '127.0.0.1', port, backlog: 4096, perMessageDeflate: false, clientTracking: true});
server.on('connection', (socket, request) => {
    socket.path = request.url;
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => {
        if (socket.path === '/echo') {
            socket.send(data, {binary: isBinary});
            return;
        }
        for (const other of server.clients) {
            if (other !== socket && other.readyState === WebSocket.OPEN) {
                other.send(data, {binary: isBinary});
            }
        }
    });
});
server.on('listening', () => console.log(`ws listens on ${port}`));
