"""Space on the drives, held by what is announced and not sent."""

import os
import socket
import unittest
import urllib.parse

from operations_case import PATIENCE_S, OperationsCase

ANNOUNCED = 5 << 30
SENT = 6_000_000
UPLOADS = 3


class Space(OperationsCase):
    def taken(self):
        """Bytes of blocks below the drives, volumes only."""
        files = (self.cloud.folder / "drives").glob("*/volumes/*")
        return sum(path.stat().st_blocks * 512 for path in files)

    def test_uploads_that_announce_much_and_send_little_take_little(self):
        self.cloud.create().start()
        s3 = self.cloud.client(signature_version="s3v4")
        s3.create_bucket(Bucket="archives")
        url = urllib.parse.urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": "archives", "Key": "k"}))
        held = []
        for _ in range(UPLOADS):
            connection = socket.create_connection((url.hostname, url.port), timeout=PATIENCE_S)
            self.addCleanup(connection.close)
            held.append(connection)
            connection.sendall(f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n"
                               f"Content-Length: {ANNOUNCED}\r\n\r\n".encode() + os.urandom(SENT))
        self.cloud.wait_for("what was sent is stored", lambda: self.taken() >= UPLOADS * SENT)
        # Two data and two parity shards; as much again is reserved ahead.
        self.assertLess(self.taken(), UPLOADS * (2 * 2 * SENT + 4 * (8 << 20)))
        body = os.urandom(10_000_000)
        s3.put_object(Bucket="archives", Key="other", Body=body)
        self.assertEqual(s3.get_object(Bucket="archives", Key="other")["Body"].read(), body)
        s3.delete_object(Bucket="archives", Key="other")
        for connection in held:
            connection.close()
        # One open volume a drive keeps blocks ahead for what is small.
        self.cloud.wait_for("it is given back", lambda: self.taken() <= 8 * (65 << 20) and self.shards() == 0)

    def shards(self):
        return sum(drive["shards"] for drive in self.cloud.status()["drives"])


if __name__ == "__main__":
    unittest.main()
