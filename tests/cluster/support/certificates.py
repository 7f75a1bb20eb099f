# SPDX-License-Identifier: Apache-2.0
"""Authorities and certificates of nodes, made by the openssl program. Run with a folder and a name it prints what
cluster.tls wants for a node of a new authority."""

import json
import os
import subprocess
import sys


def run(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """Signs certificates; all files are in one folder."""

    def __init__(self, folder, name):
        self.key = os.path.join(folder, name + "-ca.key")
        self.certificate = os.path.join(folder, name + "-ca.pem")
        self.folder = folder
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=" + name, "-keyout", self.key, "-out", self.certificate)

    def node(self, name):
        """What cluster.tls wants for a node with a certificate of this authority."""
        path = os.path.join(self.folder, name)
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=" + name, "-keyout", path + ".key", "-out", path + ".csr")
        run("x509", "-req", "-in", path + ".csr", "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-days", "2", "-out", path + ".pem")
        return {"cert_pem_file": path + ".pem", "key_pem_file": path + ".key",
                "ca_pem_file": self.certificate}


if __name__ == "__main__":
    print(json.dumps(Authority(sys.argv[1], "authority").node(sys.argv[2])))
