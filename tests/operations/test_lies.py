"""A drive that lies: a shard is changed, its checksums with it (docs/formats/volume.md), or a record of the metadata."""

import json
import os
import unittest

from operations_case import OperationsCase

from forged_metadata import opened
from lies import finished_shards, forge_shard


class Lies(OperationsCase):
    def test_a_forged_shard_is_read_around_repaired_and_its_drive_named(self):
        self.cloud.create().start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        body = os.urandom(100_000)
        s3.put_object(Bucket="archives", Key="k", Body=body)
        shards = {}
        for volume in self.volumes():
            for offset, shard in finished_shards(volume):
                if shard in (0, 2):
                    forge_shard(volume, offset)
                    shards[shard] = volume
        self.assertEqual(sorted(shards), [0, 2], "a data and a parity shard")
        self.assertEqual(s3.get_object(Bucket="archives", Key="k")["Body"].read(), body)
        scrub = self.cloud.operator("scrub", check=False)
        self.cloud.wait_for("both are repaired", lambda: self.cloud.status()["repaired"] >= 2)
        reasons = " ".join(self.cloud.status()["reasons"])
        for volume in shards.values():
            self.assertIn(f"drive {volume.parent.parent.name} ", reasons, scrub.stdout + scrub.stderr)
        self.assertEqual(s3.get_object(Bucket="archives", Key="k")["Body"].read(), body)
        self.cloud.stop()
        self.cloud.start()
        self.cloud.wait_for("all is well", self.settled)
        # What was repaired stands without the shards that never lied.
        for volume in self.volumes():
            if any(shard in (1, 3) for _, shard in finished_shards(volume)):
                volume.unlink()
        self.assertEqual(s3.get_object(Bucket="archives", Key="k")["Body"].read(), body)

    def test_records_forged_and_swapped_on_each_mirror_are_answered_right_and_the_mirror_named(self):
        self.cloud.create().start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        bodies = {f"k{i:02}": os.urandom(3000) for i in range(40)}
        for key, body in bodies.items():
            s3.put_object(Bucket="archives", Key=key, Body=body)
        self.cloud.wait_for("all is well", self.settled)
        liars = [drive["name"] for drive in self.cloud.status()["drives"] if drive["metadata_mirror"]]
        self.assertGreaterEqual(len(liars), 2)
        for round, liar in enumerate(liars):
            self.cloud.stop()
            with opened(self.cloud.folder / "drives" / liar) as mirror:
                for family, prefix in (("records", b"o/"), ("inline", b"")):
                    found = [item for item in mirror.records(family).items() if item[0].startswith(prefix)]
                    self.assertGreaterEqual(len(found), 40)
                    for (a, value), (b, other) in zip(found[0::2], found[1::2]):
                        # Swapped; or changed, and the tag of what it was kept.
                        mirror.put(family, a, other if round % 2 else value[:5] + bytes([value[5] ^ 1]) + value[6:])
                        mirror.put(family, b, value if round % 2 else other)
            self.cloud.start()
            for key, body in bodies.items():
                self.assertEqual(s3.get_object(Bucket="archives", Key=key)["Body"].read(), body)
            listed = s3.list_objects_v2(Bucket="archives")["Contents"]
            self.assertEqual([(item["Key"], item["Size"]) for item in listed], [(key, 3000) for key in bodies])
            # What nobody has read of it is found by a scrub.
            self.cloud.operator("scrub", check=False)
            self.cloud.wait_for("the mirror is given up", lambda: self.told("LoseMetadataMirror", liar))
            self.assertIn("forged or swapped record", self.told("LoseMetadataMirror", liar)[-1]["reason"])
            self.cloud.wait_for("all is well", self.settled)
        for key, body in bodies.items():
            self.assertEqual(s3.get_object(Bucket="archives", Key=key)["Body"].read(), body)

    def told(self, event, drive):
        """Of each such entry of the journal about the drive, the parameters."""
        lines = self.cloud.operator("journal", "tail", "-n", "1000", "--json").stdout.splitlines()
        entries = [json.loads(line)["event"] for line in lines]
        found = [entry["requestParameters"] for entry in entries if entry["eventName"] == event]
        return [parameters for parameters in found if parameters["drive"] == drive]

    def volumes(self):
        return sorted((self.cloud.folder / "drives").glob("*/volumes/*.vol"))


if __name__ == "__main__":
    unittest.main()
