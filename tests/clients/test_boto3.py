"""boto3 of Debian 12: the parts of the API that the command lines do not reach."""

import concurrent.futures
import hashlib
import io
import os
import unittest

import boto3
import botocore
import botocore.config

from client_case import ClientCase


def make_client(**options):
    return boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                        config=botocore.config.Config(retries={"max_attempts": 0}, **options))


class Boto3(ClientCase):
    def setUp(self):
        super().setUp()
        self.s3 = make_client()
        self.bucket = "boto-" + self.id().rsplit(".", 1)[1].replace("_", "-")
        self.s3.create_bucket(Bucket=self.bucket)

    def test_connection_goes_on_behind_an_empty_file(self):
        # botocore sends files, empty ones too, with Expect: 100-continue.
        one_connection = make_client(max_pool_connections=1, read_timeout=300)
        for name, size in (("empty", 0), ("full", 100_000), ("empty again", 0), ("full again", 1)):
            path = self.folder / name
            path.write_bytes(bytes(size))
            with open(path, "rb") as file:
                put = one_connection.put_object(Bucket=self.bucket, Key=name, Body=file)
            self.assertEqual(put["ETag"], f'"{hashlib.md5(bytes(size)).hexdigest()}"')

    def assert_code(self, code, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)

    def test_conditional_writes(self):
        etag = self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"1")["ETag"]

        def put(body, header, value):
            client = make_client()
            client.meta.events.register("before-sign.s3.PutObject",
                                        lambda request, **_: request.headers.add_header(header, value))
            return client.put_object(Bucket=self.bucket, Key="k", Body=body)

        self.assert_code("PreconditionFailed", put, body=b"2", header="If-None-Match", value="*")
        put(b"3", "If-Match", etag)
        self.assert_code("PreconditionFailed", put, body=b"4", header="If-Match", value=etag)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="k")["Body"].read(), b"3")

    def test_conditional_deletes(self):
        client = make_client()
        client.meta.events.register("before-sign.s3.DeleteObject",
                                    lambda request, **_: request.headers.add_header("If-Match", etag))
        etag = '"other"'
        self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"1")
        self.assert_code("PreconditionFailed", client.delete_object, Bucket=self.bucket, Key="k")
        etag = "*"
        client.delete_object(Bucket=self.bucket, Key="k")
        self.assert_code("NoSuchKey", client.delete_object, Bucket=self.bucket, Key="k")
        self.s3.delete_object(Bucket=self.bucket, Key="k")

    def test_names_with_control_characters(self):
        keys = ["a\x01b", "a\x1fb", "a\nb", "a\tb"]
        for key in keys:
            self.s3.put_object(Bucket=self.bucket, Key=key)
        listed = self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]
        self.assertEqual(sorted(item["Key"] for item in listed), sorted(keys))
        for key in keys:
            self.s3.delete_object(Bucket=self.bucket, Key=key)
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket=self.bucket))

    def test_copies_onto_themselves(self):
        self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"1", Metadata={"m": "v"},
                           WebsiteRedirectLocation="/elsewhere")
        copy = {"Bucket": self.bucket, "Key": "k", "CopySource": f"{self.bucket}/k"}
        self.assert_code("InvalidRequest", self.s3.copy_object, **copy)
        self.s3.copy_object(**copy, StorageClass="STANDARD_IA")
        head = self.s3.head_object(Bucket=self.bucket, Key="k")
        self.assertEqual((head["StorageClass"], head["Metadata"]), ("STANDARD_IA", {"m": "v"}))
        self.assertNotIn("WebsiteRedirectLocation", head)
        self.s3.copy_object(**copy, WebsiteRedirectLocation="/there")
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="k")["WebsiteRedirectLocation"], "/there")

    def test_only_one_of_many_creates(self):
        def create(number):
            client = make_client()
            client.meta.events.register("before-sign.s3.PutObject",
                                        lambda request, **_: request.headers.add_header("If-None-Match", "*"))
            try:
                client.put_object(Bucket=self.bucket, Key="once", Body=str(number).encode())
                return number
            except botocore.exceptions.ClientError as error:
                self.assertIn(error.response["Error"]["Code"], ("PreconditionFailed", "ConditionalRequestConflict"))
                return None

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            winners = [number for number in pool.map(create, range(64)) if number is not None]
        self.assertEqual(len(winners), 1)
        body = self.s3.get_object(Bucket=self.bucket, Key="once")["Body"].read()
        self.assertEqual(body, str(winners[0]).encode())

    def test_conditional_reads_and_ranges(self):
        body = os.urandom(300_000)
        etag = self.s3.put_object(Bucket=self.bucket, Key="k", Body=body)["ETag"]
        self.assertEqual(etag.strip('"'), hashlib.md5(body).hexdigest())
        for header, want in (("bytes=0-0", body[:1]), ("bytes=65535-65537", body[65535:65538]),
                             ("bytes=-10", body[-10:]), ("bytes=299999-400000", body[-1:]), ("bytes=100-", body[100:])):
            answer = self.s3.get_object(Bucket=self.bucket, Key="k", Range=header)
            self.assertEqual(answer["Body"].read(), want)
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 206)
        self.assert_code("InvalidRange", self.s3.get_object, Bucket=self.bucket, Key="k", Range="bytes=300000-")
        self.assert_code("304", self.s3.get_object, Bucket=self.bucket, Key="k", IfNoneMatch=etag)
        self.assert_code("PreconditionFailed", self.s3.get_object, Bucket=self.bucket, Key="k", IfMatch='"0"')

    def test_multipart_with_copy_and_part_reads(self):
        first, second = os.urandom(5 << 20), os.urandom(1000)
        self.s3.put_object(Bucket=self.bucket, Key="source", Body=first)
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="k", Metadata={"m": "v"})["UploadId"]
        where = {"Bucket": self.bucket, "Key": "k", "UploadId": upload}
        copied = self.s3.upload_part_copy(**where, PartNumber=1, CopySource=f"{self.bucket}/source")["CopyPartResult"]
        put = self.s3.upload_part(**where, PartNumber=2, Body=second)
        parts = [{"PartNumber": 1, "ETag": copied["ETag"]}, {"PartNumber": 2, "ETag": put["ETag"]}]
        self.assert_code("InvalidPartOrder", self.s3.complete_multipart_upload, **where,
                         MultipartUpload={"Parts": parts[::-1]})
        done = self.s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        want = hashlib.md5(hashlib.md5(first).digest() + hashlib.md5(second).digest()).hexdigest() + "-2"
        self.assertEqual(done["ETag"].strip('"'), want)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="k")["Body"].read(), first + second)
        part = self.s3.get_object(Bucket=self.bucket, Key="k", PartNumber=2)
        self.assertEqual((part["Body"].read(), part["PartsCount"]), (second, 2))

    def test_small_parts_and_unknown_uploads_are_refused(self):
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="k")["UploadId"]
        where = {"Bucket": self.bucket, "Key": "k", "UploadId": upload}
        parts = [{"PartNumber": n, "ETag": self.s3.upload_part(**where, PartNumber=n, Body=b"x")["ETag"]} for n in (1, 2)]
        self.assert_code("EntityTooSmall", self.s3.complete_multipart_upload, **where, MultipartUpload={"Parts": parts})
        self.s3.abort_multipart_upload(**where)
        self.assert_code("NoSuchUpload", self.s3.list_parts, **where)

    def test_listing_with_delimiter_over_pages(self):
        keys = [f"{folder}/{name}" for folder in "abc" for name in "12345"] + ["top", "été"]
        for key in keys:
            self.s3.put_object(Bucket=self.bucket, Key=key)
        found, prefixes, token = [], [], {}
        while True:
            page = self.s3.list_objects_v2(Bucket=self.bucket, Delimiter="/", MaxKeys=2, **token)
            found += [item["Key"] for item in page.get("Contents", [])]
            prefixes += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
            if not page["IsTruncated"]:
                break
            token = {"ContinuationToken": page["NextContinuationToken"]}
        self.assertEqual((found, prefixes), (["top", "été"], ["a/", "b/", "c/"]))

    def test_many_deletes_in_one_request(self):
        keys = [f"k{i}" for i in range(100)]
        for key in keys:
            self.s3.put_object(Bucket=self.bucket, Key=key)
        answer = self.s3.delete_objects(Bucket=self.bucket,
                                        Delete={"Objects": [{"Key": key} for key in [*keys, "absent"]]})
        self.assertEqual(len(answer["Deleted"]), 101)
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket=self.bucket))

    def test_transfer_of_a_stream(self):
        body = os.urandom(30_000_000)
        self.s3.upload_fileobj(io.BytesIO(body), self.bucket, "stream")
        back = io.BytesIO()
        self.s3.download_fileobj(self.bucket, "stream", back)
        self.assertEqual(back.getvalue(), body)

    def test_virtual_host_addressing(self):
        client = make_client(s3={"addressing_style": "virtual"})
        client.meta.events.register("before-sign.s3", lambda request, **_: None)
        host = f"{self.bucket}.localhost:{os.environ['AWS_ENDPOINT_URL'].rsplit(':', 1)[1]}"
        result = self.run_client("/usr/bin/curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Host: {host}",
                                 os.environ["AWS_ENDPOINT_URL"] + "/absent")
        self.assertEqual(result.stdout, "403", "an anonymous request to a bucket by host name is refused, not misread")


if __name__ == "__main__":
    unittest.main()
