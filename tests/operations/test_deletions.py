"""What deletions leave to be done behind the requests: nothing waits for it, and no kill loses it."""

import concurrent.futures

from operations_case import OperationsCase


class Deletions(OperationsCase):
    UPLOADS = 300

    def shards(self):
        return sum(drive["shards"] for drive in self.cloud.status()["drives"])

    def test_uploads_of_a_deleted_bucket_go_behind_it_and_behind_a_kill(self):
        self.cloud.create().start()
        s3 = self.cloud.client(max_pool_connections=16)
        s3.create_bucket(Bucket="archives")
        before = self.shards()

        def upload(number):
            upload_id = s3.create_multipart_upload(Bucket="archives", Key=f"k{number % 7}")["UploadId"]
            s3.upload_part(Bucket="archives", Key=f"k{number % 7}", UploadId=upload_id, PartNumber=1, Body=b"x" * 40_000)
            return upload_id

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            uploads = list(pool.map(upload, range(self.UPLOADS)))
        self.assertGreaterEqual(self.shards(), before + self.UPLOADS)
        s3.delete_bucket(Bucket="archives")
        self.cloud.kill()
        self.cloud.start()
        with self.assertRaisesRegex(Exception, "NoSuchBucket"):
            s3.list_parts(Bucket="archives", Key="k0", UploadId=uploads[0])
        # A new bucket of the name has nothing of the old one, and keeps what is its own.
        s3.create_bucket(Bucket="archives")
        self.assertNotIn("Uploads", s3.list_multipart_uploads(Bucket="archives"))
        kept = s3.create_multipart_upload(Bucket="archives", Key="k0")["UploadId"]
        part = s3.upload_part(Bucket="archives", Key="k0", UploadId=kept, PartNumber=1, Body=b"y" * 1_000)
        self.cloud.wait_for("the parts' space is given back", lambda: self.shards() <= before)
        s3.complete_multipart_upload(Bucket="archives", Key="k0", UploadId=kept,
                                     MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        self.assertEqual(s3.get_object(Bucket="archives", Key="k0")["Body"].read(), b"y" * 1_000)
        self.cloud.stop()
