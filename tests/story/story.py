#!/usr/bin/python3
"""`./dev story`: the founding article as a program, in its first form: real processes, real clients, under three minutes.

Founded in 2011 by the State, Orange, Dassault Systèmes and Thales; Dassault Systèmes withdraws; the server is killed in the
middle; a drive of Orange's dies; every byte is compared; a new associate joins and redundancy is whole again. Fails loudly
when any step is not so."""

import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))

from cloud import PATIENCE_S, ROOT, Cloud  # noqa: E402

AWS = "/usr/bin/aws"
SUCCESSOR = """
[[associate]]
id = "successeur"
name = "Successeur"
seat = "FR"
capital_meur = 60

[[site]]
id = "successeur"
associate = "successeur"
country = "FR"
city = "Nantes"

  [[site.drive]]
  name = "successeur-1"
  path = "drives/successeur-1"

  [[site.drive]]
  name = "successeur-2"
  path = "drives/successeur-2"
"""


def digests(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(pathlib.Path(folder).rglob("*")) if path.is_file() and not path.is_symlink()}


def require(condition, what):
    if not condition:
        raise AssertionError(what)


class Traffic(threading.Thread):
    """A tenant who goes on working: writes, reads back and compares. Errors while the server is down are expected and
    retried, wrong bytes never."""

    def __init__(self, s3):
        super().__init__(daemon=True)
        self.s3 = s3
        self.stopping = threading.Event()
        self.stored = {}
        self.wrong = []
        self.retried = 0

    def run(self):
        number = 0
        while not self.stopping.is_set():
            number += 1
            key = f"traffic/{number:05}"
            body = os.urandom((1000, 70_000, 400_000)[number % 3])
            self.until_done(self.s3.put_object, Bucket="tenant", Key=key, Body=body)
            self.stored[key] = hashlib.sha256(body).hexdigest()
            self.check(key)

    def until_done(self, call, **arguments):
        while True:
            try:
                return call(**arguments)
            except Exception:  # the server is being killed: any client error may come
                self.retried += 1
                if self.stopping.is_set():
                    raise SystemExit from None
                time.sleep(0.1)

    def read(self, key):
        return self.s3.get_object(Bucket="tenant", Key=key)["Body"].read()

    def check(self, key):
        body = self.until_done(lambda: self.read(key))
        if hashlib.sha256(body).hexdigest() != self.stored[key]:
            self.wrong.append(key)

    def finish(self):
        self.stopping.set()
        self.join(PATIENCE_S)
        require(not self.is_alive(), "a request hangs")
        require(not self.wrong, f"wrong bytes came back: {self.wrong[:5]}")


class Story:
    def __init__(self, binary, folder):
        self.folder = folder
        self.cloud = Cloud(binary, folder / "cloud")
        self.begin = time.monotonic()
        self.number = 0

    def tell(self, text):
        self.number += 1
        print(f"\n[{time.monotonic() - self.begin:5.1f} s] {self.number}. {text}", flush=True)

    def note(self, text):
        print(f"          {text}", flush=True)

    def aws(self, *words):
        result = subprocess.run([AWS, "--endpoint-url", self.cloud.endpoint, *map(str, words)], text=True,
                                env=self.cloud.environment(), capture_output=True, check=False)
        require(result.returncode == 0, f"aws {' '.join(map(str, words))}: {result.stderr.strip()}")
        return result.stdout

    def found(self):
        self.tell("2011. The State, Orange, Dassault Systèmes and Thales found the consortium: one site, two drives each.")
        self.cloud.create().start()
        status = self.cloud.status()
        require(len(status["drives"]) == 8 and not status["degraded"], f"eight healthy drives: {status}")
        self.note(f"Every object survives the loss of any {status['policies'][0]['actual']['site_losses']} sites.")

    def store(self):
        self.tell("A ministry stores its documents with the aws cli.")
        source = self.folder / "documents"
        source.mkdir()
        total = 0
        for path in sorted(pathlib.Path("/usr/share/doc").rglob("*")) + sorted(pathlib.Path("/usr/include").rglob("*.h")):
            if path.is_file() and not path.is_symlink() and path.stat().st_size > 0:
                target = source / path.relative_to("/usr")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                total += path.stat().st_size
                if total > 12_000_000:
                    break
        (source / "film.bin").write_bytes(os.urandom(60_000_000))
        self.documents = digests(source)
        self.aws("s3", "mb", "s3://tenant")
        self.aws("s3", "sync", "--quiet", source, "s3://tenant/documents")
        self.note(f"{len(self.documents)} files, {(total + 60_000_000) / 1e6:.0f} MB.")

    def withdraw(self):
        self.tell("Dassault Systèmes announces its withdrawal, while the tenants write and read.")
        self.traffic = Traffic(self.cloud.client())
        self.traffic.start()
        before = self.cloud.status()
        refused = self.cloud.operator("drain", "dassault", check=False)
        require(refused.returncode == 3, f"a withdrawal that lowers the promise is refused: {refused}")
        after = self.cloud.status()
        require(self.shards_at_dassault() > 0 and after["epoch"] == before["epoch"], f"a refused withdrawal changes nothing: {after}")
        self.note("Refused at first, before a byte moves:")
        self.note("  " + refused.stderr.strip().splitlines()[0])
        self.note("The three who stay accept to survive the loss of one site until a successor joins.")
        # Slowly, so that the kill comes in the middle.
        self.cloud.operator("drain", "dassault", "--accept-site-losses", "1", "--bandwidth", "2MB", "--no-wait")
        self.shards_before = self.shards_at_dassault()

    def dassault(self):
        return [d for d in self.cloud.status()["drives"] if d["site"] == "dassault"]

    def shards_at_dassault(self):
        return sum(d["shards"] for d in self.dassault())

    def kill_and_resume(self):
        self.tell("In the middle of it the server is killed (kill -9).")
        self.cloud.wait_for("shards move away", lambda: self.shards_at_dassault() < self.shards_before)
        moving = self.dassault()
        self.cloud.kill()
        left = sum(d["shards"] for d in moving)
        require(left > 0 and all(d["state"] == "draining" for d in moving), f"the kill came in the middle: {moving}")
        self.note(f"Still {left} shards of Dassault Systèmes' at that moment. The server starts again, and resumes by itself.")
        self.cloud.start()

        self.cloud.wait_for("Dassault Systèmes' drives are drained",
                            lambda: all(d["state"] == "drained" for d in self.dassault()))
        drives = self.dassault()
        require(all(d["shards"] == 0 and not d["metadata_mirror"] for d in drives), f"nothing is left there: {drives}")
        left = [path for name in ("dassault-1", "dassault-2")
                for path in (self.cloud.folder / "drives" / name).rglob("*") if path.is_file() and path.name not in ("label", "map", "map.replacing")]
        require(not left, f"no file of data or metadata is left on their drives: {left}")
        self.note("Proven: no shard, no metadata mirror, no file but the drives' labels is left. They are taken away.")
        for name in ("dassault-1", "dassault-2"):
            shutil.rmtree(self.cloud.folder / "drives" / name)

    def lose_a_drive(self):
        self.tell("A drive of Orange's dies.")
        shutil.rmtree(self.cloud.folder / "drives" / "orange-1")
        self.cloud.wait_for("the loss is noticed", lambda: self.cloud.status()["degraded"])
        self.note("Status says degraded: " + "; ".join(self.cloud.status()["reasons"]))
        self.traffic.finish()
        self.note(f"Meanwhile {len(self.traffic.stored)} objects were written and read, {self.traffic.retried} tries repeated.")

    def compare(self):
        self.tell("Every byte is read back and compared.")
        back = self.folder / f"back{self.number}"
        self.aws("s3", "sync", "--quiet", "s3://tenant/documents", back)
        require(digests(back) == self.documents, "the documents that came back are not those that were stored")
        shutil.rmtree(back)
        s3 = self.traffic.s3
        for key, digest in self.traffic.stored.items():
            body = s3.get_object(Bucket="tenant", Key=key)["Body"].read()
            require(hashlib.sha256(body).hexdigest() == digest, f"{key} is not what was stored")
        self.note(f"{len(self.documents)} documents and {len(self.traffic.stored)} objects: identical.")

    def replace(self):
        self.tell("A new associate joins: two drives at a new site. Orange replaces its drive.")
        changed = self.folder / "consortium.toml"
        changed.write_text((self.cloud.folder / "consortium.toml").read_text() + SUCCESSOR)
        self.cloud.operator("consortium", "apply", changed)
        for name in ("successeur-1", "successeur-2"):
            (self.cloud.folder / "drives" / name).mkdir()
            self.cloud.operator("drive", "add", name, "--site", "successeur", "--associate", "successeur", "--path",
                                self.cloud.folder / "drives" / name)
        (self.cloud.folder / "drives" / "orange-1b").mkdir()
        self.cloud.operator("drive", "replace", "orange-1", self.cloud.folder / "drives" / "orange-1b")

        def whole():
            status = self.cloud.status()
            return not status["degraded"] and status["policies"][0]["actual"]["site_losses"] == 2 and not any(
                job["state"] == "running" for job in status["jobs"])

        self.cloud.wait_for("redundancy is whole again", whole)
        status = self.cloud.status()
        self.note("Redundancy is whole again: any two of the four sites may fail. Shards by drive:")
        for drive in status["drives"]:
            if drive["state"] == "active":
                self.note(f"  {drive['name']:14} {drive['shards']:6} shards {drive['live_bytes'] / 1e6:8.1f} MB")

    def prove_whole(self):
        self.tell("To prove it, two whole sites are switched off: the State and Thales.")
        for name in ("etat-1", "etat-2", "thales-1", "thales-2"):
            drive = self.cloud.folder / "drives" / name
            drive.rename(drive.with_name(name + ".off"))
        self.cloud.wait_for("the loss is noticed", lambda: self.cloud.status()["degraded"])
        self.compare()
        journal = self.cloud.operator_json("journal", "verify")
        require(journal["ok"], f"the journal: {journal}")
        self.note(f"The journal: {journal['entries']} entries, no gap, every link holds.")

    def run(self):
        self.found()
        self.store()
        self.withdraw()
        self.kill_and_resume()
        self.lose_a_drive()
        self.compare()
        self.replace()
        self.prove_whole()
        self.cloud.stop()
        print(f"\nThe story holds ({time.monotonic() - self.begin:.0f} s).")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=str(ROOT / "build/release/apps/andromede/andromede"))
    arguments = parser.parse_args()
    folder = ROOT / "build" / f"story-{os.getpid()}"
    folder.mkdir(parents=True)
    story = Story(arguments.binary, folder)
    try:
        story.run()
    except (AssertionError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"\nTHE STORY BREAKS at step {story.number}: {error}\n{story.cloud.log_tail()}", file=sys.stderr)
        return 1
    finally:
        story.cloud.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
