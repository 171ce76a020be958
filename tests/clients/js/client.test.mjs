// The AWS SDK for JavaScript v3 with its default integrity settings against a running server (AWS_ENDPOINT_URL and
// credentials in the environment). Run by test_javascript.py with the node of this folder.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import test, { before } from "node:test";
import {
  CreateBucketCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command,
  PutObjectCommand, S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

const Bucket = "javascript";
const client = new S3Client({ forcePathStyle: true });
const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function* pieces(body, size) {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

async function read(Key) {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from(await answer.Body.transformToByteArray());
}

before(async () => {
  await client.send(new CreateBucketCommand({ Bucket }));
});

for (const size of [0, 1, 65_535, 65_536, 1_000_000]) {
  test(`a buffer of ${size} bytes comes back`, async () => {
    const Body = randomBytes(size);
    const Key = `buffer/é ${size}`;
    await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType: "text/x-test", Metadata: { a: "b" } }));
    assert.equal(digest(await read(Key)), digest(Body));
    const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
    assert.equal(head.ContentLength, size);
    assert.equal(head.ContentType, "text/x-test");
    assert.deepEqual(head.Metadata, { a: "b" });
    assert.ok(head.ChecksumCRC32, "the default integrity checksum is stored");
  });
}

for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "SHA1", "SHA256"]) {
  test(`a stream with a ${ChecksumAlgorithm} trailer comes back`, async () => {
    const body = randomBytes(300_000);
    const Key = `stream/${ChecksumAlgorithm}`;
    await client.send(new PutObjectCommand({
      Bucket, Key, Body: Readable.from(pieces(body, 50_000)), ContentLength: body.length, ChecksumAlgorithm,
    }));
    assert.equal(digest(await read(Key)), digest(body));
  });
}

test("a stream of unknown length goes up by lib-storage, in parts when it is long", async () => {
  for (const size of [100_000, 17_000_000]) {
    const body = randomBytes(size);
    const Key = `unknown/${size}`;
    await new Upload({ client, params: { Bucket, Key, Body: Readable.from(pieces(body, 300_000)) } }).done();
    assert.equal(digest(await read(Key)), digest(body));
  }
});

test("a list of a thousand and one keys has two pages, and they are deleted in two requests", async () => {
  const keys = Array.from({ length: 1001 }, (_, i) => `many/${String(i).padStart(5, "0")}`);
  for (let at = 0; at < keys.length; at += 50) {
    await Promise.all(keys.slice(at, at + 50).map((Key) => client.send(new PutObjectCommand({ Bucket, Key, Body: Key }))));
  }
  const found = [];
  for (let ContinuationToken; ;) {
    const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "many/", ContinuationToken }));
    found.push(...page.Contents.map((item) => item.Key));
    if (!page.IsTruncated) break;
    ContinuationToken = page.NextContinuationToken;
  }
  assert.deepEqual(found, keys);
  for (let at = 0; at < keys.length; at += 1000) {
    const Objects = keys.slice(at, at + 1000).map((Key) => ({ Key }));
    const answer = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
    assert.equal(answer.Errors, undefined);
  }
  const left = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "many/" }));
  assert.equal(left.KeyCount, 0);
});

test("a key that is not there gives NoSuchKey", async () => {
  await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key: "absent" })), { name: "NoSuchKey" });
});
