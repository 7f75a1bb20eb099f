// SPDX-License-Identifier: Apache-2.0
// The npm package ws as a peer: /echo returns each message, any other path gives it to all others there.
import {createRequire} from 'node:module';

// Found from the folder that this is started in: there `npm install ws` was run.
const {WebSocketServer, WebSocket} = createRequire(`${process.cwd()}/`)('ws');

const port = Number(process.argv[2] ?? 9002);
const rooms = new Map();
const server = new WebSocketServer({host: '127.0.0.1', port, backlog: 4096, perMessageDeflate: false});
server.on('connection', (socket, request) => {
    socket.on('error', () => {});
    if (request.url === '/echo') {
        socket.on('message', (data, isBinary) => socket.send(data, {binary: isBinary}));
        return;
    }
    const room = rooms.get(request.url) ?? new Set();
    rooms.set(request.url, room.add(socket));
    socket.on('close', () => room.delete(socket));
    socket.on('message', (data, isBinary) => {
        for (const other of room) {
            if (other !== socket && other.readyState === WebSocket.OPEN) {
                other.send(data, {binary: isBinary});
            }
        }
    });
});
server.on('listening', () => console.log(`ws listens on ${port}`));
