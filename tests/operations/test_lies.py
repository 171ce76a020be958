"""A drive that lies: a shard is changed, its checksums with it (docs/formats/volume.md)."""

import os
import unittest

from operations_case import OperationsCase

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

    def volumes(self):
        return sorted((self.cloud.folder / "drives").glob("*/volumes/*.vol"))


if __name__ == "__main__":
    unittest.main()
