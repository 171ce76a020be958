"""Who may use and who may operate a running cloud: accounts, access keys and operators made, disabled, revoked."""

import contextlib
import http.client
import json
import os
import socket
import stat
import subprocess
import threading
import time
import unittest

import botocore.exceptions

from operations_case import BINARY, PATIENCE_S, OperationsCase


class Access(OperationsCase):
    def setUp(self):
        super().setUp()
        self.cloud.create().start()

    def client_of(self, key, secret):
        return self.cloud.client(credentials=(key, secret))

    def refusal(self, ask):
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            ask()
        return refused.exception.response["Error"]["Code"]

    def last_event(self):
        return self.cloud.operator_json("journal", "tail", "-n", "1")["event"]

    def new_account(self):
        account = self.cloud.operator_json("account", "create", "Ville de Lyon")["account"]
        made = self.cloud.operator_json("key", "create", account)
        return account, made["access_key_id"], made["secret_access_key"]

    def test_an_operator_needs_no_access_to_the_clouds_folder(self):
        token = self.folder / "claire.token"
        self.cloud.operator("operator", "create", "claire", "--out", token)
        own = self.folder / "claire.toml"
        own.write_text(f'[operator]\nlisten = "127.0.0.1:{self.cloud.operator_port}"\n')
        status = subprocess.run([BINARY, "status"], text=True, capture_output=True, check=False, timeout=PATIENCE_S, cwd=self.folder,
                                env={**os.environ, "ANDROMEDE_CONFIG": str(own), "ANDROMEDE_TOKEN_FILE": str(token)})
        self.assertEqual(status.returncode, 0, status.stderr)
        self.assertIn("orange-1", status.stdout)

    def test_an_account_is_opened_used_and_closed(self):
        account, key, secret = self.new_account()
        self.assertRegex(account, r"^\d{12}$")
        s3 = self.client_of(key, secret)
        s3.create_bucket(Bucket="lyon")
        s3.put_object(Bucket="lyon", Key="k", Body=b"bonjour")
        refused = self.cloud.operator("account", "close", account, check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("lyon", refused.stderr)
        s3.delete_object(Bucket="lyon", Key="k")
        s3.delete_bucket(Bucket="lyon")
        self.cloud.operator("account", "close", account)
        self.assertEqual(self.last_event()["eventName"], "CloseAccount")
        # On a connection that is open: at once.
        self.assertEqual(self.refusal(s3.list_buckets), "InvalidAccessKeyId")
        self.cloud.stop()
        self.cloud.start()
        self.assertEqual(self.refusal(s3.list_buckets), "InvalidAccessKeyId")
        listed = {entry["account"]: entry for entry in self.cloud.operator_json("account", "list")}
        self.assertIsNotNone(listed[account]["closed"])
        self.assertEqual(listed[account]["keys"], [])
        self.assertEqual(self.cloud.operator("account", "create", "Again", "--account", account, check=False).returncode, 1)
        self.assertTrue(self.cloud.operator_json("journal", "verify")["ok"])

    def test_a_key_is_refused_from_the_next_request_on(self):
        account, key, secret = self.new_account()
        s3 = self.client_of(key, secret)
        s3.create_bucket(Bucket="lyon")
        url = self.cloud.client(credentials=(key, secret), signature_version="s3v4").generate_presigned_url(
            "put_object", {"Bucket": "lyon", "Key": "slow"})
        body = os.urandom(3_000_000)
        upload = socket.create_connection(("127.0.0.1", self.cloud.s3_port), PATIENCE_S)
        self.addCleanup(upload.close)
        target = url.split(str(self.cloud.s3_port), 1)[1]
        upload.sendall(f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.cloud.s3_port}\r\nExpect: 100-continue\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n".encode())
        # The server says so once it has decided who asks and what they may.
        self.assertIn(b"100 Continue", upload.recv(4096))
        self.cloud.operator("key", "disable", key)
        self.assertEqual(self.last_event()["requestParameters"], {"accountId": account, "accessKeyId": key})
        self.assertEqual(self.refusal(s3.list_buckets), "InvalidAccessKeyId")
        upload.sendall(body)
        self.assertIn(b"200 OK", upload.recv(4096), "what had begun may end")
        self.cloud.operator("key", "enable", key)
        self.assertEqual(s3.get_object(Bucket="lyon", Key="slow")["Body"].read(), body)
        other = self.cloud.operator_json("key", "create", account)
        self.cloud.operator("key", "delete", key)
        self.assertEqual(self.refusal(s3.list_buckets), "InvalidAccessKeyId")
        s3 = self.client_of(other["access_key_id"], other["secret_access_key"])
        self.assertEqual(s3.get_object(Bucket="lyon", Key="slow")["Body"].read(), body)
        self.cloud.kill()
        self.cloud.start()
        self.assertEqual([entry["access_key_id"] for entry in self.cloud.operator_json("key", "list", account)],
                         [other["access_key_id"]])
        self.assertEqual(self.refusal(self.client_of(key, secret).list_buckets), "InvalidAccessKeyId")

    def test_a_secret_is_shown_once_to_its_caller_only(self):
        account = self.cloud.operator_json("account", "create", "Ville de Lyon")["account"]
        out = self.folder / "lyon.credentials"
        shown = self.cloud.operator("key", "create", account, "--out", out).stdout
        self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o600)
        profile = dict(line.split(" = ") for line in out.read_text().splitlines()[1:])
        secret = profile["aws_secret_access_key"]
        self.assertNotIn(secret, shown)
        self.client_of(profile["aws_access_key_id"], secret).list_buckets()
        self.assertIn(f"AWS_SHARED_CREDENTIALS_FILE={out} AWS_PROFILE={account} AWS_DEFAULT_REGION=us-east-1 "
                      f"aws --endpoint-url {self.cloud.endpoint} s3 ls\n", shown)
        again = self.cloud.operator("key", "create", account, "--out", out, check=False)
        self.assertNotEqual(again.returncode, 0)
        self.assertEqual(len(self.cloud.operator_json("key", "list", account)), 1, "no key was made for nothing")
        # Where it cannot be written, no key stays behind.
        lost = self.cloud.operator("key", "create", account, "--out", "/proc/nowhere", check=False)
        self.assertEqual(lost.returncode, 1, lost.stderr)
        self.assertEqual(len(self.cloud.operator_json("key", "list", account)), 1)
        token = self.cloud.operator("operator", "create", "paul").stdout.strip()
        everything = self.cloud.log.read_text() + self.cloud.operator("journal", "tail", "-n", "1000", "--json").stdout
        self.assertNotIn(secret, everything)
        self.assertNotIn(token.rsplit(".", 1)[1], everything)
        self.cloud.stop()
        for path in (self.cloud.folder / "drives").rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                self.assertNotIn(secret.encode(), content, path)
                self.assertNotIn(token.rsplit(".", 1)[1].encode(), content, path)

    def test_limits_and_names_are_told(self):
        account = self.cloud.operator_json("account", "create", "Ville de Lyon")["account"]
        for words, code, said in (
                (("account", "create", ""), 2, "1 to"),
                (("account", "create", "x", "--account", "12"), 2, "twelve digits"),
                (("account", "close", "999999999999"), 1, "999999999999"),
                (("key", "create", "no such"), 1, "no account"),
                (("key", "disable", "AKIAABCDEFGHIJKLMNOP"), 1, "AKIAABCDEFGHIJKLMNOP"),
                (("operator", "create", "Paul"), 2, "lower-case"),
                (("operator", "revoke", "nobody"), 1, "nobody"),
                (("operator", "revoke", "operator"), 3, "create one first")):
            result = self.cloud.operator(*words, check=False)
            self.assertEqual(result.returncode, code, f"{words}: {result.stderr}")
            self.assertIn(said, result.stderr, words)
        for _ in range(20):
            self.cloud.operator("key", "create", account)
        refused = self.cloud.operator("key", "create", account, check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("20", refused.stderr)
        french = subprocess.run([BINARY, "account", "close", account, "--config", self.cloud.config], text=True,
                                capture_output=True, check=True, env={**os.environ, "LC_ALL": "fr_FR.UTF-8"}).stdout
        self.assertIn(f"Compte {account} fermé", french)

    def test_each_operator_acts_under_the_name_of_a_token_of_their_own(self):
        self.assertEqual([entry["name"] for entry in self.cloud.operator_json("operator", "list")], ["operator"])
        file = self.folder / "paul.token"
        told = self.cloud.operator("operator", "create", "paul", "--out", file).stdout
        self.assertIn(f"--token-file {file}", told)
        self.assertIn(f"ANDROMEDE_TOKEN_FILE={file}", told)
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.cloud.operator("account", "create", "Lyon", "--token-file", file)
        self.assertEqual(self.last_event()["userIdentity"], {"type": "Operator", "userName": "paul"})
        os.environ["ANDROMEDE_TOKEN_FILE"] = str(file)
        self.addCleanup(os.environ.pop, "ANDROMEDE_TOKEN_FILE", None)
        self.cloud.operator("account", "create", "Nantes")
        self.assertEqual(self.last_event()["userIdentity"]["userName"], "paul")
        del os.environ["ANDROMEDE_TOKEN_FILE"]
        # What a client says of itself counts for nothing.
        status, _ = self.call("GET", "/v1/status", file.read_text().strip(), {"X-Andromede-Operator": "mallory"})
        self.assertEqual(status, 200)
        self.cloud.operator("operator", "revoke", "paul")
        self.assertEqual(self.last_event()["userIdentity"]["userName"], "operator")
        refused = self.cloud.operator("status", "--token-file", file, check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        file.chmod(0o644)
        refused = self.cloud.operator("status", "--token-file", file, check=False)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("chmod 600", refused.stderr)

    def test_what_is_no_token_is_told(self):
        file = self.folder / "wrong.token"
        for content in ("one\ntwo\n", "", "with blank\n", "\n"):
            file.write_text(content)
            file.chmod(0o600)
            self.refused_token(file, f"{file} is not an operator's token: one line is expected")
        self.refused_token(self.folder, f"{self.folder} is a folder: name a file")
        missing = self.refused_token(self.folder / "nowhere", "--token-file or ANDROMEDE_TOKEN_FILE")
        self.assertIn("operator create NAME --offline", missing)
        right = (self.cloud.folder / "operator.token").read_text().strip()
        file.write_text(right + "\r\n")
        self.cloud.operator("status", "--token-file", file)

    def refused_token(self, file, words):
        refused = self.cloud.operator("status", "--token-file", file, check=False, language="C.UTF-8")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn(words, refused.stderr)
        self.assertNotIn("chmod", refused.stderr)
        return refused.stderr

    def test_who_lost_every_token_makes_another_while_nothing_serves(self):
        (self.cloud.folder / "operator.token").unlink()
        serving = self.cloud.operator("operator", "create", "claire", "--offline", check=False)
        self.assertNotEqual(serving.returncode, 0)
        self.assertIn("this cloud is being served", serving.stderr)
        self.cloud.stop()
        file = self.folder / "claire.token"
        self.cloud.operator("operator", "create", "claire", "--offline", "--out", file)
        self.cloud.start()
        tail = self.cloud.operator("journal", "tail", "-n", "1", "--json", "--token-file", file).stdout
        event = json.loads(tail)["event"]
        self.assertEqual(event["eventName"], "CreateOperator")
        self.assertEqual(event["userIdentity"]["userName"], "key-holder")

    def test_the_journal_is_followed_through_a_pipe(self):
        follow = subprocess.Popen([BINARY, "journal", "tail", "-n", "1", "--follow", "--config", self.cloud.config], text=True,
                                  stdout=subprocess.PIPE)
        impatience = threading.Timer(PATIENCE_S, follow.kill)
        impatience.start()
        with follow:
            self.assertNotEqual(follow.stdout.readline(), "")
            self.cloud.operator("account", "create", "Lyon")
            self.assertIn("CreateTenantKey", follow.stdout.readline())
            self.assertIn("CreateAccount", follow.stdout.readline())
            follow.kill()
        impatience.cancel()

    def test_what_an_offline_opening_finds_is_journaled_before_what_it_is_for(self):
        mirror = next(drive["name"] for drive in self.cloud.status()["drives"] if drive["metadata_mirror"])
        self.cloud.stop()
        self.drives(mirror)[0].rename(self.folder / "away")
        self.cloud.operator("operator", "create", "claire", "--offline", "--out", self.folder / "claire.token")
        self.cloud.start()
        lines = self.cloud.operator("journal", "tail", "-n", "100", "--json").stdout.splitlines()
        events = [json.loads(line)["event"] for line in lines]
        names = [event["eventName"] for event in events]
        lost, created = names.index("LoseMetadataMirror"), len(names) - 1 - names[::-1].index("CreateOperator")
        self.assertLess(lost, created)
        self.assertEqual(events[lost]["requestParameters"]["drive"], mirror)
        self.assertEqual(events[created]["requestParameters"]["operatorName"], "claire")

    def call(self, method, path, token, headers=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.cloud.operator_port, timeout=PATIENCE_S)) as connection:
            connection.request(method, path, headers={"Authorization": f"Bearer {token}", **(headers or {})})
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def test_wrong_tokens_cost_little_and_fill_no_journal(self):
        before = self.cloud.status()["journal_sequence"]
        began = time.monotonic()
        answers = [self.call("GET", "/v1/status", "aop.operator." + "x" * 32)[0] for _ in range(300)]
        self.assertEqual(set(answers), {401, 429})
        status = self.cloud.status()
        # One a minute at most, should a minute end just now.
        self.assertLessEqual(status["journal_sequence"] - before, 2 + (time.monotonic() - began) // 60)
        self.assertEqual(self.metric("andromede_operator_refused_tokens_total"), 300)


if __name__ == "__main__":
    unittest.main()
