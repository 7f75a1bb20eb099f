# SPDX-License-Identifier: Apache-2.0
"""A cluster of three: deaths, departures, returns, keys that rotate, and strangers at the port."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile

from certificates import Authority
from nodes import KEY, SLOTS, Node, Suite, agree, eventually, free_port, start_cluster

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
        self.udp.settimeout(20)
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
        assert node.placement()["nodes"] == 3, node.placement()
        share = node.metric("cluster_placement_slots")
        assert abs(share - SLOTS / 3) < SLOTS / 30, share


def a_death_is_noticed(nodes):
    """a node that is killed is found dead, its slots go to the others, and it may come back"""
    start_cluster(nodes, 3)
    victim, others = nodes[2], nodes[:2]
    victim.kill()
    eventually(lambda: all(node.members("dead") == 1 for node in others), "it is found dead")
    eventually(lambda: agree(others), "its slots have a home again")
    assert all(len(node.info()) == 2 for node in others)
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


def a_departure_is_no_death(nodes):
    """a node that is stopped leaves: nobody takes it for dead"""
    start_cluster(nodes, 3)
    assert nodes[1].stop() == 0
    others = [nodes[0], nodes[2]]
    eventually(lambda: agree(others), "the others have its slots")
    for node in others:
        assert node.members("left") == 1 and node.members("dead") == 0
        assert node.metric("cluster_suspicions") == 0
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
        assert agree(nodes)
    nodes.append(Node("node-4", [nodes[0].address], keys=[OTHER_KEY]).start())
    eventually(lambda: agree(nodes), "a node with the new key alone is let in")
    for node in nodes[:3]:
        assert node.metric("cluster_suspicions") == 0
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
        assert nodes[3].metric("link_up") == 0
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
        eventually(lambda: agree(nodes), "the old certificates are in use")
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
        assert nodes[2].metric("link_up") == 2
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
    assert nodes[0].process.wait(timeout=20) == 1
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
                 a_departure_is_no_death, strangers_are_refused, another_key_is_refused,
                 a_replay_is_refused, keys_rotate, seeds_have_names,
                 seeds_have_services, links_are_locked, certificates_are_renewed,
                 a_certificate_is_read_at_the_start, it_may_be_stopped_while_it_starts,
                 no_key_no_cluster):
        suite.run(case)
    sys.exit(1 if suite.failed else 0)


if __name__ == "__main__":
    main()
