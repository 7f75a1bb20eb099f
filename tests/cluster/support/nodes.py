# SPDX-License-Identifier: Apache-2.0
"""Nodes of a cluster as processes of this machine: their life, and what they tell of themselves."""

import json
import itertools
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import traceback
import urllib.request

# Longer than nodes take to agree on who is there, also on a machine that is slow or stands still for a while.
WAIT_S_MAX = 120
# Nodes suspect one another when an answer takes longer than this; so it says nothing of them if a case fails for which
# the machine stood still as long.
STILL_S_MAX = 0.15
ATTEMPTS_MAX = 5
SLOTS = 16384
KEY = "aa" * 32


# The blocks of tests/conformance/support/ports.mjs, which says why.
BLOCKS = range(47001, 60601, 400)
BLOCK_PORTS = 400


def listener(port):
    """A socket that listens, or None: somebody else does."""
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        tcp.bind(("127.0.0.1", port))
        tcp.listen()
        return tcp
    except OSError:
        tcp.close()
        return None


class Block:
    """The ports of this process, which has them while it listens on the first one."""

    owner = None
    ports = None

    @classmethod
    def claim(cls):
        for first in BLOCKS:
            cls.owner = listener(first)
            if cls.owner is not None:
                cls.ports = itertools.cycle(range(first + 2, first + BLOCK_PORTS, 2))
                return
        raise AssertionError("all blocks of ports are taken")


def free_port():
    """A port that is free for TCP and UDP on the loopback, and that is not given again soon."""
    if Block.owner is None:
        Block.claim()
    for port in Block.ports:
        tcp = listener(port)
        if tcp is None:
            continue
        tcp.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def eventually(condition, what, seconds=WAIT_S_MAX):
    """Waits for a condition; whatever fails meanwhile counts as not yet."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = condition()
            if last:
                return last
        except (OSError, ValueError, LookupError) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError("never: %s (last: %r)" % (what, last))


class Node:
    """One roostd. `keys`: an empty list is a gossip in clear; `tls`: None are links in clear."""

    def __init__(self, name, seeds, keys=(KEY,), cluster="roost", port=None, tls=None):
        self.name = name
        self.http_port = free_port()
        self.cluster_port = port or free_port()
        self.seeds = seeds
        self.keys = list(keys)
        self.cluster = cluster
        self.tls = tls
        self.process = None
        self.folder = tempfile.TemporaryDirectory(prefix="roost-")
        self.log_path = os.path.join(self.folder.name, "log")

    @property
    def address(self):
        return "127.0.0.1:%d" % self.cluster_port

    def write_config(self):
        config = {
            "node": {"name": self.name},
            "http_server": {"port": self.http_port},
            "runtime": {"shards": 1},
            "log": {"level": "info"},
            "cluster": {
                "enabled": True,
                "insecure": self.tls is None,
                "name": self.cluster,
                "bind": self.address,
                "join": self.seeds,
                "join_interval": "1s",
                "keys": self.keys,
            },
        }
        if self.tls is not None:
            config["cluster"]["tls"] = self.tls
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump(config, file)

    @property
    def config_path(self):
        return os.path.join(self.folder.name, "roost.json")

    def start(self):
        self.write_config()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [os.environ["ROOSTD"], "--dev", "--config", self.config_path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def stop(self):
        """In order; returns the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=WAIT_S_MAX)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def reload(self):
        self.write_config()
        self.process.send_signal(signal.SIGHUP)

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.folder.cleanup()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def get(self, path):
        url = "http://127.0.0.1:%d%s" % (self.http_port, path)
        with urllib.request.urlopen(url, timeout=WAIT_S_MAX) as answer:
            return answer.read().decode()

    def metric(self, name, labels=""):
        wanted = "roost_%s%s " % (name, "{%s}" % labels if labels else "")
        for line in self.get("/metrics").splitlines():
            if line.startswith(wanted):
                return int(line[len(wanted):])
        raise KeyError(wanted)

    def members(self, state="alive"):
        return self.metric("cluster_members", 'state="%s"' % state)

    def refused(self, reason):
        return self.metric("gossip_refused", 'reason="%s"' % reason)

    def resident_kib(self):
        with open("/proc/%d/status" % self.process.pid, encoding="utf-8") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1))

    def info(self):
        request = urllib.request.Request(
            "http://127.0.0.1:%d/api/info" % self.http_port, data=b"{}",
            headers={"X-API-Key": "dev-api-key"})
        with urllib.request.urlopen(request, timeout=WAIT_S_MAX) as answer:
            return json.load(answer)["result"]["nodes"]

    def placement(self):
        """The last line that it logged of its map, as numbers."""
        lines = re.findall(r"event=placement (version=.*)", self.log())
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", lines[-1])}


def agree(nodes):
    """Each sees all of them alive, and together they have every slot once."""
    return all(node.members() == len(nodes) for node in nodes) and \
        sum(node.metric("cluster_placement_slots") for node in nodes) == SLOTS


class StallWatch(threading.Thread):
    """Knows the longest time for which this process did not run."""

    def __init__(self):
        super().__init__(daemon=True)
        self.longest = 0
        self.seen = time.monotonic()
        self.start()

    def run(self):
        while True:
            now = time.monotonic()
            self.longest = max(self.longest, now - self.seen)
            self.seen = now
            time.sleep(0.01)


def why_it_fails(case):
    """What went wrong, and the end of each node's log; or None. What the case started is ended."""
    nodes = []
    try:
        case(nodes)
        return None
    except Exception as error:  # pylint: disable=broad-except
        why = " ".join(str(error).split()) or \
            "line %d: %r" % (traceback.extract_tb(error.__traceback__)[1].lineno, error)
        return why, ["-- %s\n%s" % (node.name, node.log()[-3000:]) for node in nodes]
    finally:
        for node in nodes:
            node.end()


class Suite:
    """Runs cases in order, and prints a line for each."""

    def __init__(self):
        self.failed = 0
        self.watch = StallWatch()

    def run(self, case):
        title = case.__doc__.strip().splitlines()[0].rstrip(".")
        for _ in range(ATTEMPTS_MAX):
            self.watch.longest = 0
            wrong = why_it_fails(case)
            if wrong is None:
                print("ok %s" % title, flush=True)
                return
            if self.watch.longest < STILL_S_MAX:
                break
            print("# %s: again, as the machine stood still for %.3f s: %s" %
                  (title, self.watch.longest, wrong[0]), flush=True)
        self.failed += 1
        print("not ok %s: %s" % (title, wrong[0]), flush=True)
        print("\n".join(wrong[1]), flush=True)


def start_cluster(nodes, count, **options):
    """`count` nodes that know the first two."""
    ports = [free_port() for _ in range(count)]
    seeds = ["127.0.0.1:%d" % port for port in ports[:2]]
    for i in range(count):
        nodes.append(Node("node-%d" % (i + 1), seeds, port=ports[i], **options).start())
    eventually(lambda: agree(nodes), "%d nodes agree" % count)
    return nodes
