#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A broadcast server that loses, repeats or swaps messages, as its path says: what the bench must notice."""

import asyncio
import base64
import hashlib
import sys

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
EVERY = 3


class Room:
    """All connections of one path, and the lie told there."""

    def __init__(self, lie):
        self.lie = lie
        self.members = set()
        self.count = 0
        self.held = None

    def spread(self, sender, frame):
        self.count += 1
        frames = [frame]
        if self.count % EVERY == 0:
            if self.lie == "lose":
                frames = []
            elif self.lie == "repeat":
                frames = [frame, frame]
            elif self.lie == "swap":
                self.held = frame
                frames = []
        elif self.held is not None:
            frames = [frame, self.held]
            self.held = None
        for member in self.members - {sender}:
            for out in frames:
                member.write(out)


ROOMS = {}


async def read_payload(reader):
    """The payload of one masked frame of less than 64 KiB, or None when the peer leaves."""
    head = await reader.readexactly(2)
    length = head[1] & 0x7F
    if length == 126:
        length = int.from_bytes(await reader.readexactly(2), "big")
    mask = await reader.readexactly(4)
    payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(await reader.readexactly(length)))
    return None if head[0] & 0x0F == 8 else payload


async def serve(reader, writer):
    request = await reader.readuntil(b"\r\n\r\n")
    path = request.split(b" ")[1].decode()
    key = [line.split(b": ", 1)[1] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key")][0]
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    room = ROOMS.setdefault(path, Room(path.strip("/")))
    room.members.add(writer)
    try:
        while (payload := await read_payload(reader)) is not None:
            head = bytes([0x82, len(payload)]) if len(payload) < 126 else b"\x82\x7e" + len(payload).to_bytes(2, "big")
            room.spread(writer, head + payload)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    room.members.discard(writer)
    writer.close()


async def main():
    port = int(sys.argv[sys.argv.index("--port") + 1])
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
