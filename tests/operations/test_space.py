"""Space on the drives, held by what is announced and not sent."""

import contextlib
import os
import pathlib
import socket
import subprocess
import unittest
import urllib.parse

import botocore.exceptions
from operations_case import CONSORTIUM, PATIENCE_S, OperationsCase

ANNOUNCED = 5 << 30
SENT = 6_000_000
UPLOADS = 3


class Space(OperationsCase):
    def taken(self):
        """Bytes of blocks below the drives, volumes only."""
        files = (self.cloud.folder / "drives").glob("*/volumes/*")
        return sum(path.stat().st_blocks * 512 for path in files)

    def test_uploads_that_announce_much_and_send_little_take_little(self):
        self.cloud.create().start()
        s3 = self.cloud.client(signature_version="s3v4")
        s3.create_bucket(Bucket="archives")
        url = urllib.parse.urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": "archives", "Key": "k"}))
        held = []
        for _ in range(UPLOADS):
            connection = socket.create_connection((url.hostname, url.port), timeout=PATIENCE_S)
            self.addCleanup(connection.close)
            held.append(connection)
            connection.sendall(f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n"
                               f"Content-Length: {ANNOUNCED}\r\n\r\n".encode() + os.urandom(SENT))
        self.cloud.wait_for("what was sent is stored", lambda: self.taken() >= UPLOADS * SENT)
        # Two data and two parity shards; as much again is reserved ahead.
        self.assertLess(self.taken(), UPLOADS * (2 * 2 * SENT + 4 * (8 << 20)))
        body = os.urandom(10_000_000)
        s3.put_object(Bucket="archives", Key="other", Body=body)
        self.assertEqual(s3.get_object(Bucket="archives", Key="other")["Body"].read(), body)
        s3.delete_object(Bucket="archives", Key="other")
        for connection in held:
            connection.close()
        # One open volume a drive keeps blocks ahead for what is small.
        self.cloud.wait_for("it is given back", lambda: self.taken() <= 8 * (65 << 20) and self.shards() == 0)

    def mount_drives(self, size):
        """Each drive a file system of its own, in memory: only there is "full" what it is on a disk."""
        text = CONSORTIUM.read_text()
        mounted = {}
        for site in ("etat", "orange", "dassault", "thales"):
            for number in (1, 2):
                name = f"{site}-{number}"
                path = self.folder / "mounts" / name
                path.mkdir(parents=True)
                if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True,
                                  check=False).returncode != 0:
                    self.skipTest("mounting needs privileges")
                self.addCleanup(subprocess.run, ["umount", "-l", path], capture_output=True, check=False)
                text = text.replace(f'"drives/{name}"', f'"{path}"')
                mounted[name] = path
        file = self.folder / "mounted.toml"
        file.write_text(text)
        self.cloud.create(file)
        return mounted

    def fill(self, folder):
        """As somebody else does, to the last byte."""
        for piece in (1 << 20, 4096):
            with open(pathlib.Path(folder) / f"filler-{piece}", "wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(b"\1" * piece)

    def online(self):
        return {drive["name"] for drive in self.cloud.status()["drives"] if drive["online"]}

    def test_full_drives_take_the_map_when_one_of_them_is_lost(self):
        mounted = self.mount_drives("330m")
        self.cloud.start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        bodies = {f"k{number}": os.urandom(1000 if number % 2 else 300_000) for number in range(10)}
        for key, body in bodies.items():
            s3.put_object(Bucket="archives", Key=key, Body=body)
        for path in mounted.values():
            self.fill(path)
        epoch = self.cloud.status()["epoch"]
        status = self.cloud.status()
        lost = next(drive["name"] for drive in status["drives"] if not drive["metadata_mirror"])
        subprocess.run(["umount", "-l", mounted[lost]], check=True)
        self.cloud.wait_for("the loss is written down", lambda: self.cloud.status()["epoch"] > epoch)
        self.assertEqual(self.online(), set(mounted) - {lost})
        for key, body in bodies.items():
            self.assertEqual(s3.get_object(Bucket="archives", Key=key)["Body"].read(), body)
        with self.assertRaises(botocore.exceptions.ClientError):
            s3.put_object(Bucket="archives", Key="more", Body=b"no room")
        s3.delete_object(Bucket="archives", Key="k0")
        # A start writes maps too, and what is full comes back as it went.
        self.cloud.stop()
        self.cloud.start(until="live")
        self.assertEqual(self.online(), set(mounted) - {lost})
        self.assertEqual(self.cloud.client().get_object(Bucket="archives", Key="k1")["Body"].read(), bodies["k1"])
        for name in set(mounted) - {lost}:
            for filler in mounted[name].glob("filler-*"):
                filler.unlink()
        self.cloud.wait_for("writes go on", lambda: self.cloud.status()["writes_refused"] is None)
        s3.put_object(Bucket="archives", Key="more", Body=b"room")

    def shards(self):
        return sum(drive["shards"] for drive in self.cloud.status()["drives"])


if __name__ == "__main__":
    unittest.main()
