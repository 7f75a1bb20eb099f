// SPDX-License-Identifier: Apache-2.0
// The npm package socket.io as a peer: rooms are channels, and an echo goes back to who sent it.
import {createRequire} from 'node:module';
import {createServer} from 'node:http';

// Found from the folder that this is started in: there `npm install socket.io` was run.
const {Server} = createRequire(`${process.cwd()}/`)('socket.io');

const port = Number(process.argv[2] ?? 9003);
const http = createServer();
const server = new Server(http, {transports: ['websocket'], serveClient: false, perMessageDeflate: false});
server.on('connection', (socket) => {
    const {room} = socket.handshake.auth;
    if (room !== undefined) {
        socket.join(room);
    }
    socket.on('echo', (data) => socket.emit('message', data));
    socket.on('publish', (channel, data) => server.to(channel).emit('message', data));
});
http.listen({host: '127.0.0.1', port, backlog: 4096}, () => console.log(`socket.io listens on ${port}`));
