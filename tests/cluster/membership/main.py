# SPDX-License-Identifier: Apache-2.0
"""A cluster of three: deaths, departures, returns, keys that rotate, and strangers at the port."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error

from certificates import Authority
from nodes import KEY, SLOTS, WAIT_S_MAX, Node, Suite, agree, eventually, free_port, start_cluster

OTHER_KEY = "bb" * 32


def send(node, *datagrams):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for datagram in datagrams:
            udp.sendto(datagram, ("127.0.0.1", node.cluster_port))


class Tap:
    """Stands between a node and its seed and keeps what the node sends."""

    def __init__(self, seed):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.settimeout(WAIT_S_MAX)
        self.seed = seed
        self.address = "127.0.0.1:%d" % self.udp.getsockname()[1]

    def hear(self):
        return self.udp.recvfrom(2048)[0]


def three_nodes_are_one_cluster(nodes):
    """three nodes find each other and share the slots"""
    start_cluster(nodes, 3)
    names = sorted(node.name for node in nodes)
    for node in nodes:
        eventually(lambda node=node: sorted(one["name"] for one in node.info()) == names,
                   "info of %s tells of all nodes" % node.name)
        eventually(lambda node=node: node.placement()["nodes"] == 3, "the map has three nodes")
        share = node.metric("cluster_placement_slots")
        assert abs(share - SLOTS / 3) < SLOTS / 30, share


def a_death_is_noticed(nodes):
    """a node that is killed is found dead, its slots go to the others, and it may come back"""
    start_cluster(nodes, 3)
    victim, others = nodes[2], nodes[:2]
    victim.kill()
    eventually(lambda: all(node.members("dead") == 1 for node in others), "it is found dead")
    eventually(lambda: agree(others), "its slots have a home again")
    eventually(lambda: all(len(node.info()) == 2 for node in others), "info tells of the others")
    victim.start()
    eventually(lambda: agree(nodes), "it is back")


def a_return_before_it_was_missed(nodes):
    """a node that is killed and started at once takes its own place"""
    start_cluster(nodes, 3)
    nodes[2].kill()
    nodes[2].start()
    eventually(lambda: all(node.placement()["nodes"] == 3 and node.members() == 3
                           for node in nodes), "three nodes, and the earlier life is none of them")
    eventually(lambda: sum(node.metric("cluster_placement_slots") for node in nodes) == SLOTS,
               "every slot has one home")


def health_of(node):
    """Its status and what it says."""
    try:
        return 200, node.get("/health")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def a_minority_is_not_healthy(nodes):
    """a node that reaches only a minority of its cluster tells balancers so, until it is better"""
    start_cluster(nodes, 3)
    assert health_of(nodes[0]) == (200, "{}"), health_of(nodes[0])
    for node in nodes[1:]:
        node.kill()
    eventually(lambda: health_of(nodes[0])[0] == 503, "its health is that of a minority")
    assert "most nodes of the cluster" in health_of(nodes[0])[1], health_of(nodes[0])
    nodes[1].start()
    eventually(lambda: health_of(nodes[0])[0] == 200, "two of three are no minority")


def a_departure_is_no_death(nodes):
    """a node that is stopped leaves: nobody takes it for dead"""
    start_cluster(nodes, 3)
    assert nodes[1].stop() == 0
    others = [nodes[0], nodes[2]]
    eventually(lambda: agree(others), "the others have its slots")
    for node in others:
        assert node.members("left") == 1 and node.members("dead") == 0
        assert "status=dead" not in node.log(), node.log()
    assert "all_clients_left=yes" in nodes[1].log()


def strangers_are_refused(nodes):
    """garbage, clear text and datagrams that are too long are counted and change nothing"""
    start_cluster(nodes, 2)
    node = nodes[0]
    send(node, b"", b"hello", os.urandom(1401), b"\x09" + os.urandom(200), b"\x00" + b"x" * 60)
    eventually(lambda: node.refused("size") >= 1, "too short and too long ones are counted")
    eventually(lambda: node.refused("form") >= 1, "an unknown form is counted")
    eventually(lambda: node.refused("clear") == 1, "clear text is counted")
    send(node, *[os.urandom(200) for _ in range(2000)])
    eventually(lambda: agree(nodes), "the cluster is as before")


def another_key_is_refused(nodes):
    """a node with another key is nobody, and one of another cluster is not heard"""
    start_cluster(nodes, 2)
    seeds = [nodes[0].address]
    stranger = Node("stranger", seeds, keys=[OTHER_KEY]).start()
    neighbour = Node("neighbour", seeds, cluster="other").start()
    try:
        eventually(lambda: nodes[0].refused("unknown_key") >= 3, "its key is unknown")
        eventually(lambda: nodes[0].refused("cluster") >= 3, "its cluster is another one")
        eventually(lambda: stranger.members() == 1 and neighbour.members() == 1,
                   "they serve alone")
        for node in nodes:
            assert node.members() == 2 and node.placement()["nodes"] == 2, node.placement()
    finally:
        stranger.end()
        neighbour.end()


def a_replay_is_refused(nodes):
    """a datagram that was heard is taken once; one with a changed bit is not authentic"""
    start_cluster(nodes, 2)
    tap = Tap(nodes[0])
    third = Node("third", [tap.address]).start()
    try:
        heard = tap.hear()
        send(nodes[0], heard)
        eventually(lambda: nodes[0].members() == 3, "the first copy counts: the node is known")
        send(nodes[0], heard, heard)
        eventually(lambda: nodes[0].refused("replay") == 2, "later copies are counted")
        changed = bytearray(tap.hear())
        changed[60] ^= 1
        send(nodes[0], bytes(changed))
        eventually(lambda: nodes[0].refused("not_authentic") == 1, "a changed one is counted")
    finally:
        third.end()
        tap.udp.close()


class Caller:
    """A connection to a node's port for links, by whoever it may be."""

    def __init__(self, node, sent=b""):
        self.tcp = socket.create_connection(("127.0.0.1", node.cluster_port), timeout=WAIT_S_MAX)
        self.tcp.sendall(sent)

    def answer(self):
        """All that the node says until it ends the connection."""
        said = b""
        try:
            while piece := self.tcp.recv(4096):
                said += piece
        except ConnectionResetError:
            pass
        return said


def hello_of(keys):
    """The first frame that a node with these keys sends to a seed by TCP."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        server.settimeout(WAIT_S_MAX)
        node = Node("caller", ["127.0.0.1:%d" % server.getsockname()[1]], keys=keys)
        try:
            node.start()
            with server.accept()[0] as link:
                link.settimeout(WAIT_S_MAX)
                length = link.recv(4, socket.MSG_WAITALL)
                return length + link.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
        finally:
            node.end()


def frame(kind, body=b""):
    return (len(body) + 1).to_bytes(4, "big") + bytes([kind]) + body


HELLO, WELCOME, REFUSAL, MESSAGE = 1, 2, 3, 6
# Reasons of refusals, as Protobuf messages.
ANOTHER_VERSION, ANOTHER_KEY = b"\x08\x02", b"\x08\x08"


def garbage_is_no_link(nodes):
    """garbage and frames that are too long end a connection, are counted and kept nowhere"""
    start_cluster(nodes, 2)
    node = nodes[0]
    memory = node.resident_kib()
    for sent, reason in ((b"GET / HTTP/1.1\r\n\r\n", "size"), (b"\x7f\xff\xff\xff\x06", "size"),
                         (b"\x04\x00\x00\x00\x01" + os.urandom(100), "size"),
                         (frame(0), "malformed"), (frame(99), "malformed"), (frame(HELLO + 1), "malformed"),
                         (frame(MESSAGE, b"x"), "malformed"), (b"\x00\x00\x00\x00", "malformed")):
        before = node.metric("link_bad_frames", 'reason="%s"' % reason)
        callers = [Caller(node, sent) for _ in range(20)]
        assert all(caller.answer() == b"" for caller in callers), sent
        eventually(lambda reason=reason, before=before:
                   node.metric("link_bad_frames", 'reason="%s"' % reason) == before + 20, repr(sent))
    assert node.resident_kib() - memory < 8 * 1024, "it has kept what it refused"
    eventually(lambda: agree(nodes) and node.metric("link_up") == 1, "the cluster is as before")


def without_the_key_no_link(nodes):
    """who has not the key has no link, neither in clear nor with another key nor by repeating"""
    start_cluster(nodes, 2)
    node = nodes[0]
    eventually(lambda: node.metric("link_up") == 1, "the link is up")
    ups = node.metric("link_ups")
    heard = hello_of([KEY])
    changed = bytearray(heard)
    changed[-1] ^= 1
    for sent in (hello_of([]), hello_of([OTHER_KEY]), bytes(changed), frame(HELLO),
                 frame(HELLO, b"\x01" + os.urandom(120)), frame(HELLO, b"\x02" + heard[6:])):
        before = node.metric("link_refused", 'reason="key"')
        assert Caller(node, sent + frame(MESSAGE, b"\x08\x05")).answer() == frame(REFUSAL, ANOTHER_KEY)
        eventually(lambda before=before: node.metric("link_refused", 'reason="key"') == before + 1,
                   "it is counted")
    first = Caller(node, heard)
    assert first.tcp.recv(5, socket.MSG_WAITALL)[4] == WELCOME
    assert Caller(node, heard).answer() == frame(REFUSAL, ANOTHER_KEY)
    eventually(lambda: node.refused("replay") == 1, "the repeated one is counted")
    eventually(lambda: agree(nodes), "the cluster is as before")
    assert node.metric("link_ups") == ups


def another_version_is_no_link(nodes):
    """a node with whom there is no common version has no link"""
    start_cluster(nodes, 2, keys=[])
    ours = hello_of([])
    assert ours[5:10] == b"\x00\x08\x01\x10\x01", ours
    later = ours[:5] + b"\x00\x08\x63\x10\x63" + ours[10:]
    assert Caller(nodes[0], later).answer() == frame(REFUSAL, ANOTHER_VERSION)
    eventually(lambda: nodes[0].metric("link_refused", 'reason="version"') == 1, "it is counted")
    eventually(lambda: agree(nodes), "the cluster is as before")


def slow_strangers_are_no_hindrance(nodes):
    """many connections that say nothing, or a byte now and then, keep nobody out"""
    start_cluster(nodes, 2)
    node = nodes[0]
    callers = [Caller(node, b"\x00" if i % 2 == 0 else b"") for i in range(200)]
    nodes.append(Node("third", [node.address]).start())
    eventually(lambda: agree(nodes), "a third node is let in")
    eventually(lambda: node.metric("link_up") == 2, "it has its link")
    for caller in callers[::2]:
        try:
            caller.tcp.sendall(b"\x00")
        except OSError:
            pass  # It was among those that were ended for lack of room.
    eventually(lambda: node.metric("link_refused", 'reason="late"') > 0, "they are late")
    eventually(lambda: node.metric("link_refused", 'reason="busy"') >= 200 - 64, "the others find no room")
    eventually(lambda: node.metric("link_handshakes") == 0, "none is left")
    assert all(caller.answer() == b"" for caller in callers)


def keys_rotate(nodes):
    """keys rotate without anybody being missed"""
    start_cluster(nodes, 3)
    for keys in ([KEY, OTHER_KEY], [OTHER_KEY, KEY], [OTHER_KEY]):
        for node in nodes:
            node.keys = keys
            taken = node.log().count("event=cluster_keys")
            node.reload()
            eventually(lambda node=node, taken=taken:
                       node.log().count("event=cluster_keys") > taken, "the keys are taken")
        eventually(lambda: agree(nodes), "the cluster is as before")
    nodes.append(Node("node-4", [nodes[0].address], keys=[OTHER_KEY]).start())
    eventually(lambda: agree(nodes), "a node with the new key alone is let in")
    for node in nodes[:3]:
        # Whoever is slow may be suspected for a moment, as who has another key would be for good.
        assert "status=dead" not in node.log(), node.log()
        assert node.refused("unknown_key") == 0


def seeds_have_names(nodes):
    """a seed may be a name that is looked up"""
    start_cluster(nodes, 1)
    nodes.append(Node("by-name", ["localhost:%d" % nodes[0].cluster_port]).start())
    eventually(lambda: agree(nodes), "it has found the other by its name")


def seeds_have_services(nodes):
    """a seed may be a service: SRV records tell hosts and ports"""
    del nodes
    here = os.path.dirname(os.path.abspath(__file__))
    told = subprocess.run(["unshare", "--net", "--mount", sys.executable, "-B",
                           os.path.join(here, "srv.py")],
                          capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr[-1000:]


def links_are_locked(nodes):
    """links want a certificate of the cluster's authority"""
    with tempfile.TemporaryDirectory(prefix="roost-tls-") as folder:
        start_cluster(nodes, 3, tls=Authority(folder, "own").node("node"))
        for node in nodes:
            eventually(lambda node=node: node.metric("link_up") == 2, "all links are up")
            assert node.metric("link_refused", 'reason="tls"') == 0
        nodes.append(Node("foreign", [nodes[0].address],
                          tls=Authority(folder, "other").node("foreign")).start())
        eventually(lambda: sum(node.metric("link_refused", 'reason="tls"') for node in nodes[:3]) > 0,
                   "a certificate of another authority is counted")
        eventually(lambda: nodes[3].metric("link_up") == 0, "it serves, and has no link")
        assert all(node.metric("link_up") == 2 for node in nodes[:3])


def certificates_are_renewed(nodes):
    """certificates are read again, bad ones are not taken, and links that are there stay"""
    with tempfile.TemporaryDirectory(prefix="roost-tls-") as folder:
        old, new = Authority(folder, "old"), Authority(folder, "new")
        tls = old.node("node")
        start_cluster(nodes, 2, tls=tls)
        eventually(lambda: all(node.metric("link_up") == 1 for node in nodes), "they have a link")
        with open(tls["cert_pem_file"], encoding="utf-8") as file:
            good = file.read()
        for text, why in (("", "the certificate is no PEM text"), (None, "No such file")):
            replace(tls["cert_pem_file"], text)
            nodes[0].reload()
            eventually(lambda why=why: why in nodes[0].log(), "it says what is wrong: " + why)
        replace(tls["cert_pem_file"], good)
        nodes.append(Node("old", [nodes[0].address], tls=old.node("as-before")).start())
        eventually(lambda: agree(nodes) and all(node.metric("link_up") == 2 for node in nodes),
                   "the old certificates are in use")
        ups = [node.metric("link_ups") for node in nodes[:2]]
        for name, path in new.node("renewed").items():
            shutil.copy(path, tls[name])
        for node in nodes[:2]:
            node.reload()
            eventually(lambda node=node: "event=cluster_certificates" in node.log(), "it takes them")
        assert [node.metric("link_ups") for node in nodes[:2]] == ups
        nodes.append(Node("new", [nodes[0].address], tls=new.node("as-after")).start())
        eventually(lambda: all(node.metric("link_up") == 3 for node in nodes[:2]),
                   "who has the new ones is let in")
        eventually(lambda: nodes[2].metric("link_up") == 2, "it has its links")
        nodes[2].kill()
        nodes[2].start()
        eventually(lambda: nodes[0].metric("link_refused", 'reason="tls"') > 0,
                   "who comes with the old ones is not")


def replace(path, text):
    """Puts a text where a file is; None: nothing."""
    if text is None:
        os.remove(path)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def it_may_be_stopped_while_it_starts(nodes):
    """a node that still looks for others is stopped at once"""
    nodes.append(Node("early", ["does-not-exist.invalid:1", "127.0.0.1:%d" % free_port()]).start())
    eventually(lambda: "event=descriptors" in nodes[0].log(), "it starts")
    assert nodes[0].stop() == 0
    assert "event=ready" not in nodes[0].log(), nodes[0].log()
    assert "all_clients_left=yes" in nodes[0].log()


def a_certificate_is_read_at_the_start(nodes):
    """a node whose certificate cannot be read does not start, and says which"""
    nodes.append(Node("node", [], tls={"cert_pem_file": "/dev/null", "key_pem_file": "/dev/null",
                                       "ca_pem_file": "/nowhere.pem"}).start())
    assert nodes[0].process.wait(timeout=WAIT_S_MAX) == 1
    assert "cluster.tls.ca_pem_file: /nowhere.pem: No such file" in nodes[0].log()


def no_key_no_cluster(nodes):
    """without a key a node does not start, unless it is told to be insecure"""
    del nodes
    flags = ["--cluster.enabled=true", "--cluster.bind=127.0.0.1:%d" % free_port(), "--check"]
    refused = subprocess.run([os.environ["ROOSTD"], "--dev", *flags], capture_output=True,
                             text=True, check=False)
    assert refused.returncode == 2, refused.returncode
    assert "cluster.keys: found none" in refused.stderr, refused.stderr
    told = subprocess.run([os.environ["ROOSTD"], "--dev", "--cluster.insecure=true", *flags],
                          capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


def main():
    suite = Suite()
    for case in (three_nodes_are_one_cluster, a_death_is_noticed, a_return_before_it_was_missed,
                 a_minority_is_not_healthy,
                 a_departure_is_no_death, strangers_are_refused, another_key_is_refused,
                 a_replay_is_refused, garbage_is_no_link,
                 without_the_key_no_link, another_version_is_no_link,
                 slow_strangers_are_no_hindrance, keys_rotate, seeds_have_names,
                 seeds_have_services, links_are_locked, certificates_are_renewed,
                 a_certificate_is_read_at_the_start, it_may_be_stopped_while_it_starts,
                 no_key_no_cluster):
        suite.run(case)
    sys.exit(1 if suite.failed else 0)


if __name__ == "__main__":
    main()
