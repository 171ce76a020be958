"""Two policies of one code in one cloud, one without one associate: whatever happens to drives and sites under load, no shard leaves its
policy. Told from the drives' volumes, not from the records."""

import os
import struct
import threading
import time

import botocore.exceptions

from operations_case import CONSORTIUM, PATIENCE_S, OperationsCase, Traffic, lose

PAGE, HEADER = 4096, 256
BULL = """
[[associate]]
id = "bull"
name = "Bull"
seat = "FR"
"""
SITE = """
[[site]]
id = "{0}"
associate = "bull"
country = "FR"
city = "Angers"

  [[site.drive]]
  name = "{0}-1"
  path = "drives/{0}-1"

  [[site.drive]]
  name = "{0}-2"
  path = "drives/{0}-2"
"""
# As "standard", without dassault.
APART = """
[[policy]]
name = "apart"
data_shards = 2
parity_shards = 2
site_losses = 2
drive_losses = 2
inline_limit_bytes = 0
associates = ["etat", "orange", "thales", "bull"]
"""


def sealed_bytes(plain):
    """Of a body, docs/formats/segments.md."""
    return plain + 16 * max(1, -(-plain // 65536))


class ApartTraffic(Traffic):
    SIZES = (1_001, 70_001, 2_000_001)


# Where shards of each bucket's policy may lie.
ALLOWED = {Traffic: {"etat", "orange", "thales", "dassault", "bull", "lyon"},
           ApartTraffic: {"etat", "orange", "thales", "bull", "lyon"}}
BUCKET_OF = {sealed_bytes(plain): traffic for traffic in ALLOWED for plain in traffic.SIZES}
LEAST_ROUNDS_PER_S = 3


class ShardWatch(threading.Thread):
    """Looks for shards on every drive, several times a second. A blob's size tells which bucket wrote it, and so by which policy
    (docs/formats/volume.md): what the records say of it is not asked."""

    def __init__(self, drives):
        super().__init__(daemon=True)
        self.drives = drives
        self.stopping = threading.Event()
        self.rounds = 0
        self.looked_s = 0.0
        self.known = {}
        self.sites_of = {traffic: set() for traffic in ALLOWED}
        self.outside = set()
        self.nobodys = set()
        self.failure = None

    def run(self):
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                self.look()
                self.looked_s += time.monotonic() - began
                self.rounds += 1
        except Exception as error:  # told by finish()
            self.failure = error

    def look(self):
        for volume in self.drives.glob("*/volumes/*.vol"):
            drive = volume.parent.parent.name
            site = drive.split("-")[0]
            for blob, size in self.records(volume, self.known.setdefault(volume, {})):
                traffic = BUCKET_OF.get(size)
                if traffic is None:
                    self.nobodys.add((drive, blob.hex(), size))
                    continue
                self.sites_of[traffic].add(site)
                if site not in ALLOWED[traffic]:
                    self.outside.add((drive, blob.hex()))

    def shards_at(self, site):
        return [record for volume in self.drives.glob(f"{site}-*/volumes/*.vol") for record in self.records(volume)]

    @staticmethod
    def records(volume, known=None):
        """(blob, bytes announced) of each record in it, finished or not, but those that are known: offset → bytes of region. What was
        written is never written over, so a record needs to be seen once."""
        known = {} if known is None else known
        try:
            file = os.open(volume, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            offset = 0
            while True:
                while offset in known:
                    offset += known[offset]
                try:
                    offset = os.lseek(file, offset, os.SEEK_DATA) // PAGE * PAGE
                except OSError:  # nothing but holes behind
                    return
                if offset in known:
                    continue
                head = os.pread(file, HEADER, offset)
                if len(head) < HEADER:
                    return
                step = PAGE
                if head[:8] == b"ANDVREC\n" and struct.unpack_from("<Q", head, 40)[0] == offset:
                    known[offset] = step = max(PAGE, struct.unpack_from("<Q", head, 48)[0])
                    yield head[16:32], struct.unpack_from("<Q", head, 56)[0]
                offset += step
        finally:
            os.close(file)

    def finish(self):
        self.stopping.set()
        self.join(PATIENCE_S)
        if self.failure:
            raise self.failure
        # What lies there at the end was seen for certain.
        self.look()


class Policies(OperationsCase):
    def setUp(self):
        super().setUp()
        self.file = self.folder / "new.toml"
        self.file.write_text(CONSORTIUM.read_text() + BULL + SITE.format("bull"))
        self.cloud.create(self.file).start()

    def apply(self, text):
        self.file.write_text(self.file.read_text() + text)
        self.cloud.operator("consortium", "apply", self.file)

    def drive(self, name):
        return next(drive for drive in self.cloud.status()["drives"] if drive["name"] == name)

    def add_drive(self, site, number, associate=None):
        path = self.cloud.folder / "drives" / f"{site}-{number}"
        path.mkdir(exist_ok=True)
        self.cloud.operator("drive", "add", path.name, "--site", site, "--associate", associate or site, "--path", path)

    def test_a_bucket_names_its_policy_as_its_location(self):
        s3 = self.cloud.client()
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            s3.create_bucket(Bucket="archives", CreateBucketConfiguration={"LocationConstraint": "apart"})
        self.assertEqual(refused.exception.response["Error"]["Code"], "InvalidLocationConstraint")
        self.assertIn("which are: standard", refused.exception.response["Error"]["Message"])
        self.apply(APART)
        s3.create_bucket(Bucket="archives", CreateBucketConfiguration={"LocationConstraint": "apart"})
        s3.create_bucket(Bucket="common")
        self.cloud.stop()
        self.cloud.start()
        for bucket, policy in (("archives", "apart"), ("common", "standard")):
            headers = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
            self.assertEqual(headers["x-andromede-policy"], policy)
            self.assertIsNone(s3.get_bucket_location(Bucket=bucket)["LocationConstraint"])
        self.assertEqual([policy["name"] for policy in self.cloud.status()["policies"]], ["standard", "apart"])
        self.assertIn("policy apart: lost sites survived: 2", self.cloud.operator("status", language="C").stdout)
        text, changed = self.file.read_text(), self.folder / "changed.toml"
        for edited, said in ((text.replace(APART, ""), "policy apart cannot go"),
                             (text.replace("drive_losses = 2\ninline", "drive_losses = 1\ninline"), "policy apart cannot change")):
            self.assertNotEqual(edited, text)
            changed.write_text(edited)
            refused = self.cloud.operator("consortium", "apply", changed, check=False)
            self.assertEqual(refused.returncode, 3, refused.stderr)
            self.assertIn(said, refused.stderr)

    def test_no_shard_leaves_its_policy_whatever_happens_to_drives_under_load(self):
        self.apply(APART)
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="common")
        s3.create_bucket(Bucket="apart", CreateBucketConfiguration={"LocationConstraint": "apart"})
        watch = ShardWatch(self.cloud.folder / "drives")
        traffics = [Traffic(self.cloud.client(), "common"), ApartTraffic(self.cloud.client(), "apart")]
        for thread in (watch, *traffics):
            thread.start()
        self.addCleanup(watch.stopping.set)

        def goes_on(what):
            """Both write and the watch sees all drives once more."""
            stored, rounds = [len(traffic.stored) for traffic in traffics], watch.rounds
            self.cloud.wait_for(f"{what}, and work goes on", lambda: watch.rounds > rounds + 1 and all(
                len(traffic.stored) > before + 3 for traffic, before in zip(traffics, stored)))
            self.assertEqual(watch.outside, set(), what)

        goes_on("all is whole")
        # A drive of the policy's is lost, and then replaced and healed.
        lose(self.cloud.folder / "drives" / "orange-1")
        self.cloud.wait_for("the loss is noticed", lambda: not self.drive("orange-1")["online"])
        goes_on("a drive is lost")
        replaced = self.cloud.folder / "drives" / "orange-1b"
        replaced.mkdir()
        self.cloud.operator("drive", "replace", "orange-1", replaced)
        self.cloud.wait_for("it is healed", self.settled)
        goes_on("a drive is replaced and healed")
        # One is drained.
        self.cloud.operator("drain", "--drive", "etat-2")
        goes_on("a drive is drained")
        # Shards rot, and a scrub repairs them.
        self.rot("bull-1")
        self.cloud.operator("scrub")
        self.assertGreater(self.cloud.status()["repaired"], 0)
        goes_on("rot is scrubbed")
        # Empty drives join, one where the policy may not go.
        self.add_drive("dassault", 3)
        self.add_drive("orange", 3)
        self.cloud.wait_for("they are filled", lambda: self.settled() and all(
            self.drive(name)["shards"] > 0 for name in ("dassault-3", "orange-3")))
        goes_on("drives joined")
        # An associate leaves: the common policy could do without it, the other has nowhere else to go, until it has.
        refused = self.cloud.operator("drain", "thales", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("policy apart: on the 3 sites that would remain", refused.stderr)
        self.assertIn("first add drives at 1 further site", refused.stderr)
        self.assertEqual(self.drive("thales-1")["state"], "active")
        self.apply(SITE.format("lyon"))
        for number in (1, 2):
            self.add_drive("lyon", number, "bull")
        self.cloud.operator("drain", "thales")
        self.assertEqual({self.drive(name)["state"] for name in ("thales-1", "thales-2")}, {"drained"})
        self.assertEqual(watch.shards_at("thales"), [])
        self.cloud.wait_for("all is whole", self.settled)
        goes_on("an associate left")
        for traffic in traffics:
            self.assertEqual(traffic.finish(), [])
        watch.finish()
        self.assertEqual(watch.outside, set())
        # It has seen what it was to see, all of it, and often enough.
        self.assertEqual(watch.sites_of, ALLOWED)
        self.assertEqual(watch.nobodys, set())
        self.assertGreater(watch.rounds / watch.looked_s, LEAST_ROUNDS_PER_S)
        for self.traffic in traffics:
            self.assert_traffic_is_there()
        self.assertTrue(self.cloud.operator_json("journal", "verify")["ok"])

    def rot(self, drive):
        """Changes bytes behind the heads of records."""
        for volume in (self.cloud.folder / "drives" / drive / "volumes").glob("*.vol"):
            with open(volume, "r+b") as file:
                end = file.seek(0, 2)
                for offset in range(0, end - PAGE, PAGE):
                    file.seek(offset)
                    if file.read(8) == b"ANDVREC\n":
                        file.seek(offset + 2 * HEADER + 100)
                        byte = file.read(1)
                        file.seek(-1, 1)
                        file.write(bytes([byte[0] ^ 1]))
