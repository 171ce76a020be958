"""Each release opens the cloud of those before: golden clouds, which released programs made (tests/golden), are opened, read, written
and verified by this one."""

import json
import pathlib
import re
import shutil
import sys
import tarfile
import unittest

from operations_case import BINARY, ROOT, Cloud, lose

sys.path.insert(0, str(ROOT / "tests" / "golden"))

from make import body_of, place_of, told  # noqa: E402

GOLDEN = sorted((ROOT / "tests" / "golden").glob("cloud-*.tar.xz"))


class Upgrade(unittest.TestCase):
    maxDiff = None

    def unpack(self, path):
        version = re.fullmatch(r"cloud-(.+)\.tar\.xz", path.name).group(1)
        folder = place_of(version)
        shutil.rmtree(folder, ignore_errors=True)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        with tarfile.open(path) as archive:
            golden = json.load(archive.extractfile("golden.json"))
            for member in archive.getmembers():
                if member.name.startswith("cloud"):
                    member.name = str(pathlib.PurePath(member.name).relative_to("cloud"))
                    archive.extract(member, folder)
        cloud = Cloud(BINARY, folder)
        text = cloud.config.read_text()
        for table, port in (("s3", cloud.s3_port), ("operator", cloud.operator_port)):
            text = re.sub(rf'(\[{table}\]\nlisten = "127\.0\.0\.1):\d+"', rf'\1:{port}"', text)
        cloud.config.write_text(text)
        self.addCleanup(cloud.kill)
        return cloud, golden

    def assert_as_told(self, cloud, golden):
        s3 = cloud.client()
        for bucket, objects in golden["buckets"].items():
            listed = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
            self.assertEqual(listed, list(objects))
            for key, said in objects.items():
                self.assertEqual(told(s3, bucket, key), said, f"{bucket}/{key}")
        upload = golden["upload"]["id"]
        self.assertEqual([item["UploadId"] for item in s3.list_multipart_uploads(Bucket="archives")["Uploads"]], [upload])
        parts = s3.list_parts(Bucket="archives", Key="under way", UploadId=upload)["Parts"]
        self.assertEqual([{"number": part["PartNumber"], "etag": part["ETag"], "size": part["Size"]} for part in parts],
                         golden["upload"]["parts"])
        self.assertEqual(s3.get_bucket_location(Bucket="apart")["LocationConstraint"], golden["location"])
        second = cloud.client(credentials=cloud.credentials(1))
        self.assertEqual([item["Name"] for item in second.list_buckets()["Buckets"]], ["second-tenant"])
        self.assertIn("auditor", cloud.operator("operator", "list").stdout)
        self.assertIn("000000000077", cloud.operator("account", "list").stdout)

    def write(self, cloud, upload):
        """Over what is there, beside it, and on with what was begun."""
        s3 = cloud.client()
        for bucket in ("archives", "apart"):
            for key, size in (("shards", 90_000), ("empty", 10), ("new", 200_000)):
                body = body_of(f"{bucket} {key} new", size)
                s3.put_object(Bucket=bucket, Key=key, Body=body)
                self.assertEqual(s3.get_object(Bucket=bucket, Key=key)["Body"].read(), body)
            s3.delete_object(Bucket=bucket, Key="inlined")
        etag = s3.upload_part(Bucket="archives", Key="under way", UploadId=upload, PartNumber=2, Body=b"the last")["ETag"]
        s3.complete_multipart_upload(Bucket="archives", Key="under way", UploadId=upload,
                                     MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": etag}]})
        self.assertEqual(s3.get_object(Bucket="archives", Key="under way")["Body"].read(), b"the last")
        s3.create_bucket(Bucket="made-by-a-later-program")
        cloud.operator("account", "close", "000000000077")

    def test_golden_clouds_are_opened_read_written_and_verified(self):
        self.assertTrue(GOLDEN)
        for path in GOLDEN:
            with self.subTest(path.name):
                cloud, golden = self.unpack(path)
                cloud.start()
                self.assert_as_told(cloud, golden)
                journal = cloud.operator_json("journal", "verify")
                self.assertEqual(journal, golden["journal"])
                self.write(cloud, golden["upload"]["id"])
                cloud.kill()
                cloud.start()
                self.assertGreater(cloud.operator_json("journal", "verify")["entries"], journal["entries"])
                self.assertEqual(cloud.client().get_object(Bucket="archives", Key="new")["Body"].read(),
                                 body_of("archives new new", 200_000))
                # Rebuilding reads what that program wrote, and the mirrors are copied.
                for drive in ("orange-1", "thales-2"):
                    lose(cloud.folder / "drives" / drive)
                    cloud.wait_for("noticed", lambda: any(one["name"] == drive and not one["online"] for one in cloud.status()["drives"]))
                    (cloud.folder / "drives" / f"{drive}b").mkdir()
                    cloud.operator("drive", "replace", drive, cloud.folder / "drives" / f"{drive}b")
                cloud.wait_for("healed", lambda: not cloud.status()["degraded"])
                self.assertEqual(told(cloud.client(), "archives", "copied"), golden["buckets"]["archives"]["copied"])
                cloud.stop()


if __name__ == "__main__":
    unittest.main()
