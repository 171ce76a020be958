#!/usr/bin/python3
"""`./dev test-model`: history has one line, whatever drives do.

Draws sequences of drives and sites that go, come back, flap and lie, of kills, stops and starts on any subset of the drives,
within what the policy tolerates and far beyond it, on the real program; writes, overwrites and deletes all the while. After
every step, and of every object once all drives are back: an acknowledged write is never lost, and never denied without a
refusal that says why. A write that was not acknowledged is there whole or not at all.

The seed is printed; --seed repeats the choices (the kernel's scheduling and the drives' timing are not repeated)."""

import argparse
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))

from cloud import ROOT, Cloud  # noqa: E402

import botocore.exceptions  # noqa: E402

BUCKET = "model"
SIZES = (700, 700, 20_000, 100_000)  # up to 32 KiB lies in the metadata, more in shards
KEYS = 60
ALL_BACK_SECONDS = 180
# What a server may answer while drives are away: it says why and is worth another try.
REFUSALS = {503, 507}


class Refused(Exception):
    """The server refused, and said why."""


class Objects:
    """What every key may hold. None: it is not there."""

    def __init__(self):
        self.allowed = {}  # key → the values that it may have, of which the first was acknowledged

    def expected(self, key):
        return self.allowed.get(key, [None])

    def tried(self, key, value):
        self.allowed.setdefault(key, [None]).append(value)

    def acknowledged(self, key, value):
        self.allowed[key] = [value]

    def seen(self, key, value):
        """What was read may not go back to what was before. What was tried and not acknowledged may still happen."""
        before, *tried = self.expected(key)
        if value != before:
            self.allowed[key] = [value, *(each for each in tried if each != value)]


class World:
    """One cloud, its drives' folders, and the model beside it."""

    def __init__(self, binary, folder, seed, say):
        self.seed, self.say = seed, say
        self.random = random.Random(seed)
        self.cloud = Cloud(binary, folder / "cloud")
        self.away = folder / "away"
        self.old = folder / "old"
        self.objects = Objects()
        self.history = []
        self.counts = {}
        self.number = 0
        self.s3 = None
        self.forged = {}  # drive → its true map
        self.old_copy = None  # of one drive: its name; the copy lies in the folder `old`

    # --- the world ---

    def create(self):
        self.cloud.create()
        self.away.mkdir()
        self.drives_folder = self.cloud.folder / "drives"
        self.names = sorted(path.name for path in self.drives_folder.iterdir())
        self.sites = sorted({name.rsplit("-", 1)[0] for name in self.names})
        self.start()
        self.client().create_bucket(Bucket=BUCKET)

    def client(self):
        if self.s3 is None:
            self.s3 = self.cloud.client(attempts=1, connect_timeout=5, read_timeout=60)
        return self.s3

    def running(self):
        return self.cloud.process is not None

    def here(self):
        return [name for name in self.names if (self.drives_folder / name).exists()]

    def gone(self):
        return [name for name in self.names if not (self.drives_folder / name).exists()]

    def note(self, what):
        self.history.append(what)
        self.counts[what.split(" ")[0]] = self.counts.get(what.split(" ")[0], 0) + 1

    def take(self, name):
        # A write under way may make the folder anew in the moment after it went.
        source = self.drives_folder / name
        if not source.exists():
            return
        source.rename(self.away / name)

    def bring(self, name):
        target = self.drives_folder / name
        if (self.away / name).exists():
            if target.exists():
                shutil.rmtree(target)
            (self.away / name).rename(target)

    # --- steps: each is drawn with a weight ---

    def step_drive_goes(self):
        if here := self.here():
            name = self.random.choice(here)
            self.note(f"goes {name}")
            self.take(name)
            self.settle()

    def step_site_goes(self):
        site = self.random.choice(self.sites)
        self.note(f"site-goes {site}")
        for name in self.here():
            if name.startswith(site + "-"):
                self.take(name)
        self.settle()

    def step_drive_comes(self):
        if gone := self.gone():
            name = self.random.choice(gone)
            self.note(f"comes {name}")
            self.bring(name)
            self.settle()

    def step_site_comes(self):
        if gone := self.gone():
            site = self.random.choice(gone).rsplit("-", 1)[0]
            self.note(f"site-comes {site}")
            for name in gone:
                if name.startswith(site + "-"):
                    self.bring(name)
            self.settle()

    def step_flap(self):
        if here := self.here():
            name = self.random.choice(here)
            self.note(f"flap {name}")
            self.take(name)
            time.sleep(self.random.choice((0.05, 0.6, 1.5)))
            self.bring(name)
            self.settle()

    def step_kill(self):
        if self.running():
            self.note("kill")
            self.cloud.kill()

    def step_stop(self):
        if self.running():
            self.note("stop")
            self.cloud.stop(seconds=60)

    def step_start_on_subset(self):
        """A start on any subset of the drives, also far beyond what the policy tolerates."""
        if self.running():
            self.cloud.kill() if self.random.random() < 0.5 else self.cloud.stop(seconds=60)
        wanted = {site for site in self.sites if self.random.random() < 0.6}
        kept = {name for name in self.names if name.rsplit("-", 1)[0] in wanted and self.random.random() < 0.9}
        self.note("start-on " + (",".join(sorted(kept)) or "nothing"))
        for name in self.names:
            self.bring(name) if name in kept else self.take(name)
        self.start()

    def step_start(self):
        if not self.running():
            self.note("start")
            self.start()

    def step_forge_map(self):
        """A drive lies about its map, with a right checksum, until the drives are all brought back."""
        here = [name for name in self.here() if name not in self.forged]
        if self.forged or not here:
            return
        name = self.random.choice(here)
        if self.running():
            self.take(name)
            self.settle()
        path = (self.drives_folder if (self.drives_folder / name).exists() else self.away) / name / "map"
        if path.exists():
            self.note(f"forge {name}")
            true_map = path.read_bytes()
            self.forged[name] = true_map
            path.write_bytes(forge(true_map, self.random))
        self.bring(name)
        self.settle()

    def settle(self):
        time.sleep(self.random.choice((0, 0.3, 1.2, 2.5)))

    # --- the server ---

    def start(self):
        """Starts the server, which may refuse; it then says which drives it misses."""
        missing = self.gone()
        try:
            self.cloud.start(seconds=20)
        except RuntimeError as error:
            if self.cloud.process is not None and self.cloud.process.poll() is None:
                # It serves and is not ready: reads go on, writes are refused.
                self.note("serves-unready")
                return
            self.cloud.process = None
            text = str(error)
            self.note("start-refused")
            if not missing and not self.forged:
                raise AssertionError(f"a start with every drive there was refused: {text}") from None
            if missing and not any(name in text or name.rsplit("-", 1)[0] in text for name in missing):
                raise AssertionError(f"a start was refused and no missing drive is named: {text}") from None

    def request(self, call):
        """The call's answer; Refused when the server said why it does not answer."""
        try:
            return call()
        except botocore.exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status in REFUSALS and error.response["Error"].get("Message", True):
                raise Refused(str(error)) from None
            if status == 404:
                return None
            raise AssertionError(f"an answer that is neither: {error}") from None

    def write(self):
        key = f"k{self.random.randrange(KEYS):03}"
        self.number += 1
        if self.random.random() < 0.15:
            value, call = None, lambda: self.client().delete_object(Bucket=BUCKET, Key=key)
        else:
            body = self.random.randbytes(self.random.choice(SIZES))
            value, call = body, lambda: self.client().put_object(Bucket=BUCKET, Key=key, Body=body)
        self.objects.tried(key, value)
        try:
            answer = self.request(call)
            if answer is None:
                raise AssertionError(f"{key}: the bucket is denied")
            self.objects.acknowledged(key, value)
            self.note("write")
        except (Refused, botocore.exceptions.HTTPClientError):
            self.note("write-refused")

    def read(self, key, strict=False):
        try:
            answer = self.request(lambda: self.client().get_object(Bucket=BUCKET, Key=key))
            value = None if answer is None else answer["Body"].read()
        except (Refused, botocore.exceptions.HTTPClientError) as refusal:
            if strict:
                raise AssertionError(f"{key}: refused though every drive is back: {refusal}") from None
            self.note("read-refused")
            return
        expected = self.objects.expected(key)
        if not any(value == each for each in expected):
            raise AssertionError(f"{key}: {describe(value)} was read; it may be {', '.join(map(describe, expected))}")
        self.objects.seen(key, value)
        self.note("read")

    def traffic(self):
        if not self.running():
            return
        if self.cloud.process.poll() is not None:
            raise AssertionError(f"the server ended by itself: {self.cloud.log_tail()}")
        for _ in range(self.random.randrange(1, 8)):
            self.write()
        for _ in range(4):
            self.read(f"k{self.random.randrange(KEYS):03}")

    def all_back(self):
        """Every drive returns, the lying one with its true map: everything acknowledged is there and the cloud heals."""
        self.note("all-back")
        if self.running():
            self.cloud.kill() if self.random.random() < 0.5 else self.cloud.stop(seconds=60)
        for name in self.names:
            self.bring(name)
        for name, true_map in self.forged.items():
            (self.drives_folder / name / "map").write_bytes(true_map)
        self.forged.clear()
        rolled_back = self.put_old_copy_back()
        self.start()
        if not self.running():
            raise AssertionError(f"with every drive there it does not start: {self.cloud.log_tail()}")
        self.cloud.wait_for("the cloud is healthy with every drive back", self.healthy, ALL_BACK_SECONDS)
        for number in range(KEYS):
            self.read(f"k{number:03}", strict=True)
        if rolled_back:
            # What its records lack nobody misses before a read or a scrub.
            self.cloud.operator("scrub")
        verified = self.cloud.operator_json("journal", "verify")
        if not verified["ok"]:
            raise AssertionError(f"the journal does not verify: {verified}")

    def put_old_copy_back(self):
        """Now and then one drive, and one only, becomes what it was some rounds ago. Answers whether it did."""
        put_back = self.old_copy is not None and self.random.random() < 0.5
        if put_back:
            self.note(f"old-copy {self.old_copy}")
            shutil.rmtree(self.drives_folder / self.old_copy)
            self.old.rename(self.drives_folder / self.old_copy)
            self.old_copy = None
        elif self.old_copy is None:
            self.old_copy = self.random.choice(self.names)
            subprocess.run(["cp", "-a", self.drives_folder / self.old_copy, self.old], check=True)
        return put_back

    def healthy(self):
        status = self.cloud.status()
        return not status["degraded"] and not any(job["state"] == "running" for job in status["jobs"])

    STEPS = ((step_drive_goes, 4), (step_site_goes, 3), (step_drive_comes, 4), (step_site_comes, 3), (step_flap, 3),
             (step_kill, 2), (step_stop, 1), (step_start_on_subset, 3), (step_start, 6), (step_forge_map, 1))

    def run(self, until):
        self.create()
        while time.monotonic() < until:
            for _ in range(self.random.randrange(5, 25)):
                step = self.random.choices([step for step, _ in self.STEPS], [weight for _, weight in self.STEPS])[0]
                step(self)
                self.traffic()
                if time.monotonic() > until:
                    break
            self.all_back()
        self.cloud.stop(seconds=60)


def forge(true_map, rng):
    """The map with another epoch and a right CRC-32C: what somebody without the cloud's key can write."""
    data = bytearray(true_map)
    data[26:34] = struct.pack("<Q", rng.choice((2**64 - 1, int.from_bytes(data[26:34], "little") + 1)))
    data[-4:] = struct.pack("<I", crc32c(bytes(data[:-4])))
    return bytes(data)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def describe(value):
    return "nothing" if value is None else f"{len(value)} bytes {value[:4].hex()}…"


def run_world(world, until, failures):
    try:
        world.run(until)
    except Exception as error:  # told with its seed; every world goes on to its end
        failures.append((world, error))
        world.cloud.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=str(ROOT / "build/release/apps/andromede/andromede"))
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--worlds", type=int, default=3, help="clouds at the same time")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--keep", action="store_true", help="keep the folders after a failure")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.worlds} clouds, {arguments.seconds} s", flush=True)
    folder = ROOT / "build" / f"model-{os.getpid()}"
    until = time.monotonic() + arguments.seconds
    failures, worlds, threads = [], [], []
    for number in range(arguments.worlds):
        place = folder / str(number)
        place.mkdir(parents=True)
        world = World(arguments.binary, place, arguments.seed + number, print)
        worlds.append(world)
        threads.append(threading.Thread(target=run_world, args=(world, until, failures)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    counts = {}
    for world in worlds:
        for what, count in world.counts.items():
            counts[what] = counts.get(what, 0) + count
    print(json.dumps(dict(sorted(counts.items()))))
    for world, error in failures:
        print(f"FAILED with seed {world.seed}: {type(error).__name__}: {error}\nsteps: {' | '.join(drop_traffic(world.history)[-40:])}\n"
              f"{world.cloud.log_tail()}", file=sys.stderr)
    if not (failures and arguments.keep):
        shutil.rmtree(folder)
    else:
        print(f"kept: {folder}", file=sys.stderr)
    if not failures:
        print("no acknowledged write was lost, or denied without a refusal that says why")
    return 1 if failures else 0


def drop_traffic(history):
    return [what for what in history if what not in ("write", "read", "write-refused", "read-refused")]


if __name__ == "__main__":
    sys.exit(main())
