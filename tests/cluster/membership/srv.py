# SPDX-License-Identifier: Apache-2.0
"""Two nodes that find each other by SRV records, of a DNS server that is made here.

Runs as root in network and mount namespaces of its own (see main.py), where the server may have
port 53 and the system's resolver may be told of it.
"""

import os
import socket
import struct
import subprocess
import tempfile
import threading

from nodes import Node, agree, eventually

SERVICE = "_roost._udp.cluster.test"
HOST = "n1.cluster.test"
SRV, A = 33, 1


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def answer(query, port):
    """The records that are asked for; a name that nobody knows has none."""
    end = query.index(b"\0", 12) + 1
    question = query[12:end + 4]
    kind = struct.unpack("!H", query[end:end + 2])[0]
    name = query[12:end]
    record = b""
    if kind == SRV and name == encode_name(SERVICE):
        data = struct.pack("!HHH", 1, 1, port) + encode_name(HOST)
    elif kind == A and name == encode_name(HOST):
        data = socket.inet_aton("127.0.0.1")
    else:
        data = b""
    if data:
        record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 5, len(data)) + data
    return query[:2] + b"\x85\x80" + struct.pack("!HHHH", 1, 1 if record else 0, 0, 0) + \
        question + record


def serve(udp, port):
    while True:
        query, peer = udp.recvfrom(2048)
        udp.sendto(answer(query, port), peer)


def main():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as resolv:
        resolv.write("nameserver 127.0.0.1\n")
        resolv.flush()
        subprocess.run(["mount", "--bind", resolv.name, os.path.realpath("/etc/resolv.conf")],
                       check=True)
        first = Node("first", [])
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 53))
        threading.Thread(target=serve, args=(udp, first.cluster_port), daemon=True).start()
        second = Node("second", [SERVICE])
        try:
            first.start()
            second.start()
            eventually(lambda: agree([first, second]), "both are one cluster")
        except AssertionError:
            print(first.log(), second.log())
            raise
        finally:
            first.end()
            second.end()


if __name__ == "__main__":
    main()
