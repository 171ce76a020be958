"""aws-chunked bodies as the AWS SDKs for Go and Rust send them when they know the length: one chunk, however long."""

import base64
import hashlib
import http.client
import os
import unittest
import urllib.parse
import zlib

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from client_case import ClientCase
from test_boto3 import make_client

PIECE = bytes(range(256)) * 4096
PIECES = 65


class RawChunks(ClientCase):
    def test_one_chunk_of_more_than_64_mib(self):
        s3 = make_client()
        s3.create_bucket(Bucket="raw-chunks")
        size = len(PIECE) * PIECES
        head = f"{size:x}\r\n".encode()
        checksum = 0
        for _ in range(PIECES):
            checksum = zlib.crc32(PIECE, checksum)
        trailer = f"\r\n0\r\nx-amz-checksum-crc32:{base64.b64encode(checksum.to_bytes(4, 'big')).decode()}\r\n\r\n".encode()
        endpoint = os.environ["AWS_ENDPOINT_URL"]
        request = botocore.awsrequest.AWSRequest("PUT", f"{endpoint}/raw-chunks/k", headers={
            "Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": str(size),
            "x-amz-trailer": "x-amz-checksum-crc32"})
        request.context["checksum"] = {"request_algorithm": {"in": "trailer"}}
        credentials = botocore.credentials.Credentials(os.environ["AWS_ACCESS_KEY_ID"],
                                                       os.environ["AWS_SECRET_ACCESS_KEY"])
        botocore.auth.S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
        self.assertEqual(request.headers["X-Amz-Content-SHA256"], "STREAMING-UNSIGNED-PAYLOAD-TRAILER")

        connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint).netloc, timeout=300)
        self.addCleanup(connection.close)
        connection.putrequest("PUT", "/raw-chunks/k")
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(head) + size + len(trailer)))
        connection.endheaders()
        for piece in (head, *[PIECE] * PIECES, trailer):
            connection.send(piece)
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200, answer.read())
        back = hashlib.md5()
        for piece in s3.get_object(Bucket="raw-chunks", Key="k")["Body"].iter_chunks(1 << 20):
            back.update(piece)
        want = hashlib.md5()
        for _ in range(PIECES):
            want.update(PIECE)
        self.assertEqual(back.hexdigest(), want.hexdigest())


if __name__ == "__main__":
    unittest.main()
