#!/usr/bin/python3
"""`./dev test-crash`: concurrent writers, kill -9 at a random moment, restart, verify; again and again.

After each restart: every acknowledged object is there with its bytes, every unacknowledged one is whole or absent, the
journal has no gap. At the end: what crashed uploads left behind is reclaimed, and no shard stays once all is deleted.
The seed is printed; --seed repeats its choices (the kernel's scheduling is not repeated)."""

import argparse
import hashlib
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))

from cloud import ROOT, Cloud  # noqa: E402

import botocore.exceptions  # noqa: E402

BUCKET = "crash"
PART = 5 << 20


class MultipartWriter(threading.Thread):
    """Multipart uploads, one after another, until the server is gone; remembers what was acknowledged."""

    def __init__(self, cloud, seed, acknowledged, started):
        super().__init__()
        self.s3 = cloud.client()
        self.random = random.Random(seed)
        self.acknowledged = acknowledged
        self.started = started

    def run(self):
        number = 0
        try:
            while True:
                number += 1
                self.upload(f"multipart/{self.random.getrandbits(64):016x}-{number}")
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            return  # killed

    def upload(self, key):
        bodies = [self.random.randbytes(PART), self.random.randbytes(self.random.randrange(1, 100_000))]
        self.started[key] = hashlib.sha256(b"".join(bodies)).hexdigest()
        where = {"Bucket": BUCKET, "Key": key}
        where["UploadId"] = self.s3.create_multipart_upload(**where)["UploadId"]
        parts = [{"PartNumber": n, "ETag": self.s3.upload_part(**where, PartNumber=n, Body=body)["ETag"]}
                 for n, body in enumerate(bodies, 1)]
        self.s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        self.acknowledged.add(key)


class CrashTest:
    def __init__(self, arguments, folder):
        self.cloud = Cloud(arguments.binary, folder / "cloud")
        self.load_program = pathlib.Path(arguments.binary).resolve().parents[2] / "bench" / "andromede_load"
        self.log = folder / "acknowledged.log"
        self.random = random.Random(arguments.seed)
        self.acknowledged = set()  # multipart keys
        self.started = {}          # multipart key → digest

    def load_command(self, workload, *options):
        return [str(self.load_program), workload, "--port", str(self.cloud.s3_port), "--access-key",
                self.cloud.credentials()[0], "--bucket", BUCKET, "--log", str(self.log), *map(str, options)]

    def environment(self):
        return {**os.environ, "ANDROMEDE_LOAD_SECRET": self.cloud.credentials()[1]}

    def acknowledged_puts(self):
        return sum(line.startswith("p ") for line in self.log.read_text().splitlines()) if self.log.exists() else 0

    def write_and_kill(self):
        before = self.acknowledged_puts()
        churn = subprocess.Popen(
            self.load_command("churn", "--concurrency", 12, "--keys", 240, "--seconds", 60, "--seed",
                              self.random.getrandbits(32)),
            env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        writer = MultipartWriter(self.cloud, self.random.getrandbits(32), self.acknowledged, self.started)
        writer.start()
        time.sleep(self.random.uniform(0.3, 2.5))
        self.cloud.kill()
        churn.wait()
        writer.join()
        acknowledged = self.acknowledged_puts() - before
        if not acknowledged:
            raise AssertionError("nothing was acknowledged before the kill: the round shows nothing")
        return acknowledged

    def verify(self):
        result = subprocess.run(self.load_command("verify", "--concurrency", 8), env=self.environment(), text=True,
                                capture_output=True, check=False)
        if result.returncode != 0:
            raise AssertionError(f"objects: {result.stdout}{result.stderr}")
        s3 = self.cloud.client()
        for key, digest in list(self.started.items()):
            try:
                body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            except s3.exceptions.NoSuchKey:
                if key in self.acknowledged:
                    raise AssertionError(f"{key}: acknowledged and gone") from None
                continue
            if hashlib.sha256(body).hexdigest() != digest:
                raise AssertionError(f"{key}: not whole")
        journal = self.cloud.operator_json("journal", "verify")
        if not journal["ok"]:
            raise AssertionError(f"journal: {journal}")
        return journal["entries"]

    def shards(self):
        return sum(drive["shards"] for drive in self.cloud.operator_json("status")["drives"])

    def delete_everything(self):
        s3 = self.cloud.client()
        for upload in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
        while contents := s3.list_objects_v2(Bucket=BUCKET).get("Contents"):
            s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": item["Key"]} for item in contents]})

    def check_nothing_leaks(self):
        """A scrub reclaims what crashed uploads left; with every object deleted no shard remains."""
        self.delete_everything()
        self.cloud.operator("scrub")
        end = time.monotonic() + 30
        while (left := self.shards()) and time.monotonic() < end:
            time.sleep(0.5)
        if left:
            raise AssertionError(f"{left} shards stay on the drives with every object deleted")

    def run(self, rounds):
        self.cloud.create().start()
        self.cloud.client().create_bucket(Bucket=BUCKET)
        for number in range(1, rounds + 1):
            acknowledged = self.write_and_kill()
            begin = time.monotonic()
            self.cloud.start()
            recovery = time.monotonic() - begin
            entries = self.verify()
            print(f"round {number:3}/{rounds}: {acknowledged} PUTs acknowledged, killed, ready again after {recovery:.1f} s, "
                  f"{entries} journal entries, {len(self.acknowledged)} multipart objects: all whole", flush=True)
        if not self.acknowledged:
            raise AssertionError("no multipart upload was completed in any round")
        self.check_nothing_leaks()
        self.cloud.stop()
        print(f"{rounds} kills: nothing acknowledged was lost, nothing is half there, no space leaked")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=str(ROOT / "build/release/apps/andromede/andromede"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--keep", action="store_true", help="keep the cloud's folder after a failure")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    folder = ROOT / "build" / f"crash-{os.getpid()}"
    folder.mkdir(parents=True)
    test = CrashTest(arguments, folder)
    try:
        test.run(arguments.rounds)
    except (AssertionError, RuntimeError) as error:
        print(f"FAILED with seed {arguments.seed}: {error}\n{test.cloud.log_tail()}", file=sys.stderr)
        test.cloud.kill()
        if arguments.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            subprocess.run(["rm", "-rf", folder], check=True)
        return 1
    subprocess.run(["rm", "-rf", folder], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
