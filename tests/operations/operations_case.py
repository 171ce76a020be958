"""What every operations test shares: a cloud of its own on the real binary, S3 clients, and background traffic."""

import hashlib
import os
import pathlib
import shutil
import sys
import threading
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "harness"))

from cloud import CONSORTIUM, PATIENCE_S, ROOT, Cloud  # noqa: E402, F401

BINARY = os.environ.get("ANDROMEDE_BINARY", str(ROOT / "build/release/apps/andromede/andromede"))


def lose(drive):
    """Removes a drive's folder, again while the server still makes files there."""
    while drive.exists():
        shutil.rmtree(drive, ignore_errors=True)


class Traffic(threading.Thread):
    """Writes objects of several sizes, reads each back and compares, until stopped. Nothing may fail, not once."""

    SIZES = (1_000, 70_000, 2_000_000)

    def __init__(self, s3, bucket):
        super().__init__(daemon=True)
        self.s3, self.bucket = s3, bucket
        self.stopping = threading.Event()
        self.stored = {}
        self.failures = []

    def run(self):
        number = 0
        while not self.stopping.is_set():
            number += 1
            body = os.urandom(self.SIZES[number % len(self.SIZES)])
            key = f"traffic/{number:05}"
            try:
                self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
                self.stored[key] = hashlib.sha256(body).hexdigest()
                if self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() != body:
                    self.failures.append(f"{key}: other bytes came back")
            except Exception as error:  # every failure of a client's is one of the test's
                self.failures.append(f"{key}: {error}")

    def finish(self):
        self.stopping.set()
        self.join(PATIENCE_S)
        return self.failures + (["a request hangs"] if self.is_alive() else [])


class OperationsCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = ROOT / "build" / f"operations-{os.getpid()}-{self.id().rsplit('.', 1)[1]}"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.cloud = Cloud(BINARY, self.folder / "cloud")
        self.addCleanup(self.end_cloud)

    def end_cloud(self):
        status = self.cloud.process and self.cloud.process.poll()
        self.cloud.kill()
        if status:
            self.fail(f"the server ended by itself with {status}: {self.cloud.log_tail()}")

    def start_traffic(self, bucket):
        self.traffic = Traffic(self.cloud.client(attempts=1), bucket)
        self.traffic.start()
        self.cloud.wait_for("traffic flows", lambda: len(self.traffic.stored) >= 5)

    def finish_traffic(self):
        self.assertEqual(self.traffic.finish(), [])

    def assert_traffic_is_there(self):
        s3 = self.cloud.client()
        for key, digest in self.traffic.stored.items():
            body = s3.get_object(Bucket=self.traffic.bucket, Key=key)["Body"].read()
            self.assertEqual(hashlib.sha256(body).hexdigest(), digest, key)

    def settled(self):
        status = self.cloud.status()
        return not status["degraded"] and not status["changes"] and not any(job["state"] == "running" for job in status["jobs"])

    def drives(self, *names):
        return [self.cloud.folder / "drives" / name for name in names]

    def metrics(self):
        """Name with labels → value."""
        url = f"http://127.0.0.1:{self.cloud.operator_port}/metrics"
        lines = urllib.request.urlopen(url, timeout=PATIENCE_S).read().decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line and not line.startswith("#")}

    def metric(self, name):
        """The sum over all labels."""
        return sum(value for key, value in self.metrics().items() if key.split("{")[0] == name)
