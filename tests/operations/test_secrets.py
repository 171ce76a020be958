"""Secrets stay where they belong: no core dump is made of a process that holds them, and one taken by force has none."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest
import urllib.request

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from operations_case import BINARY, CONSORTIUM, PATIENCE_S, OperationsCase


def opened(key, sealed, context):
    """docs/formats/segments.md, "Small sealed secrets"."""
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], context)


class Secrets(OperationsCase):
    def all_secrets(self):
        """Name → the bytes that must not be found: every secret that the server was given or made."""
        folder = self.cloud.folder
        seal = (folder / "keys/root.seal").read_bytes()
        sealed = (folder / "keys/root.sealed").read_bytes()
        root = opened(seal[20:52], sealed[20:80], sealed[:20])
        secrets = {
            "sealing key": seal[20:52],
            "root key": root,
            "directory key": opened(root, (folder / "keys/directory.wrapped").read_bytes(), b"identity directory"),
            "operator token": (folder / "operator.token").read_bytes().strip(),
            "TLS key": self.scalar(folder / "tls/server.key"),
        }
        for number, line in enumerate((folder / "tls/server.key").read_bytes().splitlines()[1:-1]):
            secrets[f"TLS key, line {number}"] = line
        for number in (0, 1):
            secrets[f"secret access key {number}"] = self.cloud.credentials(number)[1].encode()
        for key, account, wrapped in self.tenant_keys():
            secrets[f"tenant key {account}"] = opened(root, wrapped, b"tenant key " + key + account)
        return secrets

    def scalar(self, path):
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        return key.private_numbers().private_value.to_bytes(32, "big")

    def tenant_keys(self):
        """docs/formats/tenant-key.md: as they lie in a mirror's log."""
        found = {}
        for path in (self.cloud.folder / "drives").rglob("*"):
            if path.is_file():
                for record in re.finditer(rb"K\x03(.{16})\x0c(\d{12})\x3c(.{60})", path.read_bytes(), re.DOTALL):
                    found[record[2]] = record.groups()
        self.assertEqual(len(found), 2)
        return found.values()

    def core(self):
        taken = subprocess.run(["gcore", "-o", self.folder / "core", str(self.cloud.process.pid)], check=False,
                               capture_output=True, text=True)
        if "not permitted" in taken.stderr:
            self.skipTest("here nobody may take a core of such a process, not even root")
        self.assertEqual(taken.returncode, 0, taken.stderr)
        path = self.folder / f"core.{self.cloud.process.pid}"
        content = path.read_bytes()
        path.unlink()
        return content

    def test_a_core_of_the_running_server_holds_no_secret(self):
        self.cloud.create(CONSORTIUM, "--local-ca").start()
        secrets = self.all_secrets()
        authority = str(self.cloud.folder / "tls/ca.crt")
        s3 = self.cloud.client(endpoint_url=f"https://127.0.0.1:{self.cloud.s3_port}", verify=authority)
        s3.create_bucket(Bucket="archives")
        for size in (1_000, 3_000_000):
            s3.put_object(Bucket="archives", Key="k", Body=bytes(size))
            s3.get_object(Bucket="archives", Key="k")["Body"].read()
        self.cloud.status()
        token = secrets["operator token"].decode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.cloud.operator_port}/v1/heal", b"{}",
                                         {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=PATIENCE_S).read()
        self.cloud.wait_for("healing ended", self.settled)
        # What is made while it serves, and shown once.
        made = self.cloud.operator_json("key", "create", "100000000001")
        secrets["new secret access key"] = made["secret_access_key"].encode()
        s3 = self.cloud.client(endpoint_url=f"https://127.0.0.1:{self.cloud.s3_port}", verify=authority,
                               credentials=(made["access_key_id"], made["secret_access_key"]))
        s3.list_buckets()
        secrets["new operator's token"] = self.cloud.operator_json("operator", "create", "claire")["token"].encode()
        content = self.core()
        # That the core can be searched at all: what is no secret is found.
        self.assertIn(self.cloud.credentials(0)[0].encode(), content)
        self.assertIn(b"Andromede local CA", content)
        found = [name for name, secret in secrets.items() if secret in content or secret[::-1] in content]
        self.assertEqual(found, [])

    def test_no_core_is_made_of_whoever_sees_a_secret(self):
        # As somebody without rights: to root's processes the mark below makes no difference.
        user = 65534 if os.getuid() == 0 else None
        program = self.folder / "andromede"
        shutil.copy(BINARY, program)
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        for path in (self.folder, program, fifo):
            path.chmod(0o777)
        commands = (["serve"], ["welcome"], ["status"], ["journal", "tail"],
                    ["init", "--folder", "made", "--consortium", fifo])
        for words in commands:
            # Each waits for its first file, which it must not open before.
            process = subprocess.Popen([program, *words, "--config", fifo], cwd=self.folder, user=user,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                with open(fifo, "w"):
                    proc = pathlib.Path(f"/proc/{process.pid}")
                    self.assertRegex((proc / "limits").read_text(), r"Max core file size +0 +0 ", words)
                    # The kernel gives the files of a process that may not be dumped to root.
                    self.assertEqual((proc / "environ").stat().st_uid, 0, words)
            finally:
                process.kill()
                process.wait()


if __name__ == "__main__":
    unittest.main()
