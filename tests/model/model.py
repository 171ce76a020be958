#!/usr/bin/python3
"""`./dev test-model`: history has one line, whatever drives do.

Draws sequences of drives and sites that go, come back, flap and lie, of kills, stops and starts on any subset of the drives,
within what the policy tolerates and far beyond it, and of operators who decide to go on without drives, wrongly and rightly, on
the real program; writes, overwrites and deletes all the while. After every step, and of every object once all drives are back:
an acknowledged write is never lost, and never denied without a refusal that says why. A write that was not acknowledged is
there whole or not at all. Within what the policy tolerates, and once all is well, writes succeed. What an operator gave up is
the end of history, and nothing out of its middle.

The seed is printed; --seed repeats the choices (the kernel's scheduling and the drives' timing are not repeated). No bound is
a measure of speed: each is far beyond what the slowest machine needs."""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))

from cloud import PATIENCE_S, ROOT, Cloud, ServerEnded  # noqa: E402
from lies import epoch_of, finished_shards, forge_shard, forged_map  # noqa: E402

import botocore.exceptions  # noqa: E402

BUCKET = "model"
SIZES = (700, 700, 20_000, 100_000)  # up to 32 KiB lies in the metadata, more in shards
KEYS = 60
# The policy of the consortium: so many sites may be lost and everything goes on.
SITE_LOSSES = 2
# What a server may answer while drives are away: it says why and is worth another try.
REFUSALS = {503, 507}
# A connection that ends gives no reason; whoever must be served is not content with it.
CUTS = (botocore.exceptions.HTTPClientError, botocore.exceptions.EndpointConnectionError,
        botocore.exceptions.IncompleteReadError)


class Refused(Exception):
    """The server refused, and said why."""


class Objects:
    """What every key may hold. None: it is not there."""

    def __init__(self):
        self.allowed = {}  # key → the values that it may have, of which the first was acknowledged
        self.history = {}  # key → (number, digest, acknowledged) of each write since the last decision, by number
        self.writes = 0

    def expected(self, key):
        return self.allowed.get(key, [None])

    def tried(self, key, value):
        self.allowed.setdefault(key, [None]).append(value)
        self.writes += 1
        self.history.setdefault(key, [(0, None, True)]).append((self.writes, digest(value), False))

    def acknowledged(self, key, value):
        self.allowed[key] = [value]
        self.history[key][-1] = (self.writes, digest(value), True)

    def seen(self, key, value):
        """What was read may not go back to what was before. What was tried and not acknowledged may still happen."""
        before, *tried = self.expected(key)
        if value != before:
            self.allowed[key] = [value, *(each for each in tried if each != value)]

    def moments(self, key, found):
        """When `found` (a digest) may have been the key's: spans of writes' numbers, the end not included."""
        writes = self.history.get(key, [(0, None, True)])
        spans = []
        for at, (number, value, _) in enumerate(writes):
            if value == found:
                spans.append((number, next((later for later, _, sure in writes[at + 1:] if sure), self.writes + 1)))
        return spans

    def cut_off(self, found):
        """The history ended at some moment, by an operator's word: `found` is what every key has (a digest) from now on.
        Answers how many acknowledged writes that took back; raises when there is no moment at which this was so."""
        possible = set(range(self.writes + 1))
        for key, value in found.items():
            moments = {number for begin, end in self.moments(key, value) for number in range(begin, end)}
            if not possible & moments:
                raise AssertionError(f"{key}: {value} was its content at none of the moments {sorted(possible)[:3]}… at which "
                                     f"the others had theirs, but at {sorted(moments)[:5]}")
            possible &= moments
        end = max(possible)
        return sum(1 for writes in self.history.values() for number, _, sure in writes if sure and number > end)

    def begin_anew(self, values):
        """`values`: what every key holds after a decision."""
        self.allowed = {key: [value] for key, value in values.items()}
        self.history = {key: [(0, digest(value), True)] for key, value in values.items()}
        self.writes = 0


def digest(value):
    return None if value is None else hashlib.md5(value).hexdigest()


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
        self.liar = None  # the drive that changed shards
        self.old_copy = None  # of one drive: its name; the copy lies in the folder `old`
        self.touched = set()  # the sites of which something was away or lied since all was well
        self.asked = None  # the drives that a refused start wants named, while nothing has moved since

    # --- the world ---

    def create(self):
        self.cloud.create()
        self.away.mkdir()
        self.drives_folder = self.cloud.folder / "drives"
        self.names = sorted(path.name for path in self.drives_folder.iterdir())
        self.sites = sorted({site_of(name) for name in self.names})
        self.start()
        self.client().create_bucket(Bucket=BUCKET)

    def client(self):
        if self.s3 is None:
            self.s3 = self.cloud.client(attempts=1)
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
        self.asked = None
        self.touched.add(site_of(name))
        source.rename(self.away / name)

    def bring(self, name):
        target = self.drives_folder / name
        if (self.away / name).exists():
            self.asked = None
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
            site = site_of(self.random.choice(gone))
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
            self.cloud.stop()

    def step_start_on_subset(self):
        """A start on any subset of the drives, also far beyond what the policy tolerates."""
        if self.running():
            self.cloud.kill() if self.random.random() < 0.5 else self.cloud.stop()
        wanted = {site for site in self.sites if self.random.random() < 0.6}
        kept = {name for name in self.names if site_of(name) in wanted and self.random.random() < 0.9}
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
            self.touched.add(site_of(name))
            path.write_bytes(forged_map(true_map, self.random.choice((2**64 - 1, epoch_of(true_map) + 1))))
        self.bring(name)
        self.settle()

    def step_lie(self):
        """A drive changes some of its shards, their checksums with them; one drive, until all are brought back."""
        name = self.liar or self.random.choice(self.names)
        folder = (self.drives_folder if (self.drives_folder / name).exists() else self.away) / name
        shards = []
        for volume in sorted((folder / "volumes").glob("*.vol")):
            with contextlib.suppress(FileNotFoundError):
                shards += [(volume, offset) for offset, _ in finished_shards(volume)]
        if not shards:
            return
        self.note(f"lie {name}")
        self.liar = name
        self.touched.add(site_of(name))
        for volume, offset in self.random.sample(shards, min(len(shards), self.random.randrange(1, 6))):
            with contextlib.suppress(FileNotFoundError):  # a server that runs gives volumes back
                forge_shard(volume, offset, self.random.randrange(1 << 20))

    def step_proceed(self):
        """An operator decides to go on without drives: rightly, where a start was refused for want of that; or wrongly, which
        is refused with a reason and changes nothing."""
        if self.asked and not self.forged and self.random.random() < 0.4:
            self.go_on_without(self.asked)
            return
        here = self.here()
        wrong = [["nobody"]]
        if here:
            wrong.append([self.random.choice(here)])
        if self.asked and not self.forged:
            wrong.append([*self.asked[:-1], "nobody"])
            wrong.append([*self.asked, self.random.choice(here)])
            if len(self.asked) > 1:
                wrong.append(self.asked[1:])
        names = self.random.choice(wrong)
        self.note("proceed-refused " + ",".join(names))
        before = None if self.running() else self.maps()
        refused = self.cloud.operator("drive", "proceed", "--without", ",".join(names), check=False)
        if refused.returncode <= 0 or not refused.stderr.strip():
            raise AssertionError(f"drive proceed --without {','.join(names)}: exit {refused.returncode}, {refused.stderr!r}")
        if before is not None and self.maps() != before:
            raise AssertionError(f"a decision that was refused changed maps: {refused.stderr}")

    def maps(self):
        return {name: path.read_bytes() for name in self.here() if (path := self.drives_folder / name / "map").exists()}

    def settle(self):
        time.sleep(self.random.choice((0, 0.3, 1.2, 2.5)))

    # --- the server ---

    def start(self):
        """Starts the server, which may refuse; it then says which drives it misses."""
        suspects = {*self.gone(), *self.forged}
        self.asked = None
        log_bytes = self.cloud.log.stat().st_size if self.cloud.log.exists() else 0
        try:
            self.cloud.start(until="live")
        except ServerEnded as error:
            self.note("start-refused")
            reason = self.words_since(log_bytes)
            if error.status < 0 or not reason:
                raise AssertionError(f"a start ended without a reason: {error}") from None
            if not suspects:
                raise AssertionError(f"a start with every drive there was refused: {reason}") from None
            if not self.forged.keys() >= {*self.here()} and not any(re.search(rf"\b{name}\b", reason) for name in suspects):
                raise AssertionError(f"a start was refused and no missing drive is named: {reason}") from None
            named = re.search(r"--without ([a-z0-9,-]+)", reason)
            if named and set(named[1].split(",")) <= suspects:
                self.asked = named[1].split(",")
            return
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.cloud.operator_port}/health/ready", timeout=PATIENCE_S)
        except urllib.error.HTTPError as unready:
            # Reads go on, writes are refused.
            self.note("serves-unready")
            if not unready.read().strip():
                raise AssertionError("it is not ready, and does not say why") from None

    def words_since(self, log_bytes):
        """What was said to the operator, which is not the log."""
        lines = self.cloud.log.read_bytes()[log_bytes:].decode(errors="replace").splitlines()
        return " ".join(line for line in lines if not line.startswith("{")).strip()

    def request(self, call, refusals=REFUSALS):
        """The call's answer; None: there is no such object; Refused when the server said why it does not answer."""
        try:
            return call()
        except botocore.exceptions.ClientError as error:
            status, said = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]
            # To a HEAD no reason can be given.
            if status in refusals and (said.get("Message") or error.operation_name == "HeadObject"):
                raise Refused(str(error)) from None
            if status == 404 and said["Code"] in ("NoSuchKey", "404"):
                return None
            raise AssertionError(f"an answer that is neither: {error}") from None
        except botocore.exceptions.ReadTimeoutError:
            raise AssertionError("a request hangs") from None
        except CUTS as error:
            self.note("cut")
            raise Refused(f"cut: {error}") from None

    def write(self):
        key = f"k{self.random.randrange(KEYS):03}"
        self.change(key, None if self.random.random() < 0.15 else self.random.randbytes(self.random.choice(SIZES)))

    def change(self, key, value):
        """Writes, or deletes when `value` is None. Answers why it was refused, or None."""
        if value is None:
            def call():
                return self.client().delete_object(Bucket=BUCKET, Key=key)
        else:
            def call():
                return self.client().put_object(Bucket=BUCKET, Key=key, Body=value)
        self.objects.tried(key, value)
        try:
            if self.request(call) is None:
                raise AssertionError(f"{key}: the object is denied to a write")
        except Refused as refusal:
            self.note("write-refused")
            return refusal
        self.objects.acknowledged(key, value)
        self.note("write")
        return None

    def must_change(self, key, value, why):
        """Whoever says that all is well takes writes; a machine that is slow may make drives seem away for a moment."""
        for _ in range(3):
            self.cloud.wait_for(why, self.healthy)
            if (refusal := self.change(key, value)) is None:
                return
        raise AssertionError(f"{key}: {why}, and a write is refused: {refusal}")

    def insist(self):
        """Within the losses that the policy tolerates a write succeeds, soon if not at once, and is read."""
        self.note("insist")
        key = f"k{self.random.randrange(KEYS):03}"
        value = self.random.randbytes(self.random.choice(SIZES))
        refusals = []

        def both():
            refused = self.change(key, value) if key not in written else None
            if refused is None:
                written.add(key)
                refused = self.read(key)
            refusals.append(refused)
            return refused is None

        written = set()
        try:
            self.cloud.wait_for("a write, though no more is lost than is tolerated", both)
        except AssertionError as error:
            raise AssertionError(f"{key}: without {self.gone()}, since all was well {sorted(self.touched)}: "
                                 f"{refusals[-1]}: {error}") from None

    def read(self, key, strict=False):
        """Checks what is there. Answers why it was refused, or None."""
        try:
            answer = self.request(lambda: self.client().get_object(Bucket=BUCKET, Key=key))
            value = None if answer is None else answer["Body"].read()
        except (Refused, *CUTS) as refusal:
            if strict:
                raise AssertionError(f"{key}: refused though every drive is back: {refusal}") from None
            self.note("read-refused")
            return refusal
        expected = self.objects.expected(key)
        if not any(value == each for each in expected):
            raise AssertionError(f"{key}: {describe(value)} was read; it may be {', '.join(map(describe, expected))}")
        self.objects.seen(key, value)
        self.note("read")
        return None

    def traffic(self):
        if not self.running():
            return
        if self.cloud.process.poll() is not None:
            raise AssertionError(f"the server ended by itself: {self.cloud.log_tail()}")
        for _ in range(self.random.randrange(1, 8)):
            self.write()
        for _ in range(4):
            self.read(f"k{self.random.randrange(KEYS):03}")
        if len(self.touched) <= SITE_LOSSES and self.random.random() < 0.5:
            self.insist()

    def all_back(self):
        """Every drive returns, the lying one with its true map: everything acknowledged is there and the cloud heals."""
        self.note("all-back")
        if self.running():
            self.cloud.kill() if self.random.random() < 0.5 else self.cloud.stop()
        for name in self.names:
            self.bring(name)
        for name, true_map in self.forged.items():
            (self.drives_folder / name / "map").write_bytes(true_map)
        self.forged.clear()
        rolled_back = self.liar is None and self.old_copy is not None and self.random.random() < 0.5
        if rolled_back:
            # Only what is whole again survives one more loss: until then this drive's metadata may be the last.
            self.must_start()
            self.cloud.wait_for("the cloud is healthy before a drive is rolled back", self.healthy)
            self.cloud.kill() if self.random.random() < 0.5 else self.cloud.stop()
            self.put_old_copy_back()
        elif self.liar is None and self.old_copy is None:
            self.keep_a_copy()
        self.must_start()
        if self.liar is not None:
            self.end_of_lies()
        self.cloud.wait_for("the cloud is healthy with every drive back", self.healthy)
        for number in range(KEYS):
            self.read(f"k{number:03}", strict=True)
        if rolled_back:
            # What its records lack nobody misses before a read or a scrub.
            self.cloud.wait_for("every shard is read", self.scrubbed)
        self.all_is_well()

    def must_start(self):
        self.start()
        if not self.running():
            raise AssertionError(f"with every drive there it does not start: {self.cloud.log_tail()}")

    def end_of_lies(self):
        """Every lie is found, and repaired from the other drives. That there was one is told until the server starts again."""
        self.cloud.wait_for("nothing is under way", self.at_rest)
        for number in range(KEYS):
            self.read(f"k{number:03}", strict=True)
        self.cloud.wait_for("every shard is read", self.scrubbed)
        self.cloud.wait_for("every lie is repaired", lambda: self.at_rest() and all(
            "with right checksums" in reason for reason in self.cloud.status()["reasons"]))
        self.liar = None
        self.cloud.stop()
        self.must_start()

    def scrubbed(self):
        scrub = self.cloud.operator("scrub", "--json", check=False)
        return scrub.returncode == 0 and json.loads(scrub.stdout)["state"] == "done"

    def all_is_well(self):
        """With every drive there and healed: writes succeed again, and the journal is whole."""
        verified = self.cloud.operator_json("journal", "verify")
        if not verified["ok"]:
            raise AssertionError(f"the journal does not verify: {verified}")
        for size in sorted({*SIZES, 0}):
            self.must_change(f"k{self.random.randrange(KEYS):03}", self.random.randbytes(size), "the cloud is healthy")
        self.must_change(f"k{self.random.randrange(KEYS):03}", None, "the cloud is healthy")
        self.touched.clear()

    def go_on_without(self, names):
        """What was acknowledged and lies on those drives alone is given up, by a person. The others' history goes on from where
        it is, whole; those that went on without them stay out, as they are, until they are replaced."""
        self.note("proceed " + ",".join(names))
        self.cloud.operator("drive", "proceed", "--without", ",".join(names))
        self.start()
        if not self.running():
            raise AssertionError(f"decided, and yet it does not start: {self.cloud.log_tail()}")
        found = {key: self.ask_digest(key) for key in (f"k{number:03}" for number in range(KEYS))}
        given_up = self.objects.cut_off(found)
        self.counts["given-up"] = self.counts.get("given-up", 0) + given_up
        for name in self.names:
            self.bring(name)
        self.cloud.wait_for("each drive joins, or stays out for its own history", lambda: not self.waiting())
        for name in sorted(self.kept_out()):
            self.note("replace")
            shutil.rmtree(self.drives_folder / name)
            (self.drives_folder / name).mkdir()
            self.cloud.operator("drive", "replace", name, self.drives_folder / name)
        if self.old_copy is not None:
            # Of a history that is none any more.
            shutil.rmtree(self.old)
            self.old_copy = None
        self.begin_anew(found)

    def begin_anew(self, found):
        """What has too few shards left is nobody's any more."""
        self.cloud.wait_for("nothing is under way", self.at_rest)
        # Of the shards that are left one may be a lie, and no other tells which: internal error.
        lost = REFUSALS if self.liar is None else (*REFUSALS, 500)
        values = {}
        for key, expected in found.items():
            try:
                answer = self.request(lambda key=key: self.client().get_object(Bucket=BUCKET, Key=key), lost)
                value = None if answer is None else answer["Body"].read()
                if digest(value) != expected:
                    raise AssertionError(f"{key}: {describe(value)} was read, not {expected}")
            except (Refused, *CUTS):
                self.note("lost")
                self.cloud.wait_for(f"{key} is deleted", lambda key=key: self.change(key, None) is None)
                value = None
            values[key] = value
        self.objects.begin_anew(values)
        if self.liar is not None:
            self.end_of_lies()
        self.cloud.wait_for("the cloud is healthy after a decision", self.healthy)
        self.all_is_well()

    def ask_digest(self, key):
        """Of the content, without the content; None: there is no such object."""
        answers = []

        def ask():
            try:
                answers.append(self.request(lambda: self.client().head_object(Bucket=BUCKET, Key=key)))
                return True
            except Refused:
                return False

        self.cloud.wait_for(f"metadata of {key}", ask)
        return None if answers[0] is None else answers[0]["ETag"].strip('"')

    def waiting(self):
        """The drives that are neither online nor kept out."""
        return {drive["name"] for drive in self.cloud.status()["drives"]
                if drive["name"] in self.names and not drive["online"]} - self.kept_out()

    def kept_out(self):
        reasons = [reason for reason in self.cloud.status()["reasons"] if "a history of its own" in reason]
        return {name for name in self.names if any(re.search(rf"\b{name}\b", reason) for reason in reasons)}

    def keep_a_copy(self):
        """Of one drive, and one only, as it is now."""
        self.old_copy = self.random.choice(self.names)
        subprocess.run(["cp", "-a", self.drives_folder / self.old_copy, self.old], check=True)

    def put_old_copy_back(self):
        """That drive becomes what it was some rounds ago."""
        self.note(f"old-copy {self.old_copy}")
        shutil.rmtree(self.drives_folder / self.old_copy)
        self.old.rename(self.drives_folder / self.old_copy)
        self.old_copy = None

    def healthy(self):
        return not self.cloud.status()["degraded"] and self.at_rest()

    def at_rest(self):
        status = self.cloud.status()
        return all(drive["online"] for drive in status["drives"] if drive["name"] in self.names) and not any(
            job["state"] == "running" for job in status["jobs"])

    STEPS = ((step_drive_goes, 4), (step_site_goes, 3), (step_drive_comes, 4), (step_site_comes, 3), (step_flap, 3),
             (step_kill, 2), (step_stop, 1), (step_start_on_subset, 3), (step_start, 6), (step_forge_map, 1), (step_lie, 1),
             (step_proceed, 3))

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
        self.cloud.stop()


def site_of(drive):
    return drive.rsplit("-", 1)[0]


def describe(value):
    return "nothing" if value is None else f"{len(value)} bytes {value[:4].hex()}…"


def run_world(world, until, failures):
    try:
        world.run(until)
    except Exception as error:  # told with its seed; every world goes on to its end
        print(f"failed with seed {world.seed}: {error}", file=sys.stderr, flush=True)
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
    began = time.monotonic()
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
    print(f"seed {arguments.seed}: {json.dumps(dict(sorted(counts.items())))}, {time.monotonic() - began:.0f} s")
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
