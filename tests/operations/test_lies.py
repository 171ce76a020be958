"""A drive that lies: a shard is changed, its checksums with it (docs/formats/volume.md)."""

import os
import struct
import unittest

from operations_case import OperationsCase

BLOCK, HEADER = 65536, 256


def crc32c(*parts):
    crc = 0xFFFFFFFF
    for part in parts:
        for byte in part:
            crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def crc_entry(byte):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


CRC_TABLE = [crc_entry(byte) for byte in range(256)]


def forge(volume):
    """Changes the one block of the volume's first record; answers which shard it is."""
    with open(volume, "r+b") as file:
        head = bytearray(file.read(2 * HEADER))
        assert head[:8] == b"ANDVREC\n" and head[HEADER:HEADER + 8] == b"ANDVSEAL"
        shard, data = head[10], head[11]
        size, = struct.unpack_from("<Q", head, HEADER + 32)
        assert 0 < size <= data * BLOCK, "one stripe"
        block = bytearray(file.read(-(-(-(-size // data)) // 64) * 64))
        block[1000] ^= 1
        checksum = struct.pack("<I", crc32c(head[16:32], bytes([shard, 0, 0, 0]), struct.pack("<I", 0), block))
        struct.pack_into("<I", head, HEADER + 48, crc32c(checksum))
        struct.pack_into("<I", head, HEADER + 252, crc32c(head[HEADER:HEADER + 252]))
        file.seek(0)
        file.write(head + block + checksum)
    return shard


class Lies(OperationsCase):
    def test_a_forged_shard_is_read_around_repaired_and_its_drive_named(self):
        self.cloud.create().start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        body = os.urandom(100_000)
        s3.put_object(Bucket="archives", Key="k", Body=body)
        shards = {forge(volume): volume for volume in self.volumes() if self.shard_of(volume) in (0, 2)}
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
            if self.shard_of(volume) in (1, 3):
                volume.unlink()
        self.assertEqual(s3.get_object(Bucket="archives", Key="k")["Body"].read(), body)

    def volumes(self):
        return sorted((self.cloud.folder / "drives").glob("*/volumes/*.vol"))

    @staticmethod
    def shard_of(volume):
        head = volume.read_bytes()[:11]
        return head[10] if head[:8] == b"ANDVREC\n" else None


if __name__ == "__main__":
    unittest.main()
