#!/usr/bin/python3
"""`./dev test-crash`: concurrent writers, kill -9 at a random moment, restart, verify; again and again.

The kill comes after the first acknowledgement, however long a machine takes for it: a red run means a fault.
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

from cloud import PATIENCE_S, ROOT, Cloud  # noqa: E402

BUCKET = "crash"
PART = 5 << 20


class MultipartWriter(threading.Thread):
    """Multipart uploads, one after another, until the server is gone; remembers what was acknowledged, and what failed
    before the kill."""

    def __init__(self, cloud, seed, acknowledged, started):
        super().__init__()
        self.s3 = cloud.client()
        self.random = random.Random(seed)
        self.acknowledged = acknowledged
        self.started = started
        self.kill_comes = threading.Event()
        self.failure = None

    def run(self):
        number = 0
        try:
            while True:
                number += 1
                self.upload(f"multipart/{self.random.getrandbits(64):016x}-{number}")
        except Exception as error:  # any error of a client's may come of the kill, and is a fault before it
            if not self.kill_comes.is_set():
                self.failure = error

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

    def write_and_kill(self, number):
        """Kills at a random moment after the first acknowledgement, however long a machine takes for that."""
        puts, uploads = self.acknowledged_puts(), len(self.acknowledged)
        churn = subprocess.Popen(
            self.load_command("churn", "--concurrency", 12, "--keys", 240, "--seed", self.random.getrandbits(32)),
            env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        writer = MultipartWriter(self.cloud, self.random.getrandbits(32), self.acknowledged, self.started)
        delay_s = self.random.uniform(0, 2.5)
        writer.start()
        try:
            # In every second round of a whole multipart upload too; in the others the kill may come within the first.
            self.wait_for_acknowledgement(churn, writer, lambda: self.acknowledged_puts() > puts and (
                number % 2 == 0 or len(self.acknowledged) > uploads))
            time.sleep(delay_s)
            failed_before = churn.poll() is not None
        finally:
            writer.kill_comes.set()
            self.cloud.kill()
            errors = churn.communicate()[1]
            writer.join()
        if failed_before or writer.failure:
            raise AssertionError(f"writers failed before the kill: {writer.failure or errors}")
        return self.acknowledged_puts() - puts

    @staticmethod
    def wait_for_acknowledgement(churn, writer, acknowledged):
        end = time.monotonic() + PATIENCE_S
        while not acknowledged():
            if churn.poll() is not None or not writer.is_alive():
                return  # the caller tells why
            if time.monotonic() > end:
                raise AssertionError(f"nothing was acknowledged within {PATIENCE_S} s")
            time.sleep(0.02)

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
        self.cloud.wait_for("no shard stays on the drives with every object deleted", lambda: self.shards() == 0)

    def run(self, rounds):
        self.cloud.create().start()
        self.cloud.client().create_bucket(Bucket=BUCKET)
        for number in range(1, rounds + 1):
            acknowledged = self.write_and_kill(number)
            begin = time.monotonic()
            self.cloud.start()
            recovery = time.monotonic() - begin
            entries = self.verify()
            print(f"round {number:3}/{rounds}: {acknowledged} PUTs acknowledged, killed, ready again after {recovery:.1f} s, "
                  f"{entries} journal entries, {len(self.acknowledged)} multipart objects: all whole", flush=True)
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
