#!/usr/bin/env python3
"""Makes a golden cloud: the folder of a cloud that a released program made and used, packed, with what is in it.

    tests/golden/make.py --binary build/release/apps/andromede/andromede

writes tests/golden/cloud-VERSION.tar.xz. Run it once, with the program as it is released; from then on every later program must
open, read, write and verify that cloud (tests/operations/test_upgrade.py). One that is there is never written over."""

import argparse
import hashlib
import io
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "harness"))

from cloud import CONSORTIUM, Cloud  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
# The founding consortium, and a second policy: everything whole on three sites, without dassault, nothing inlined.
APART = """
[[policy]]
name = "apart"
data_shards = 1
parity_shards = 2
site_losses = 2
drive_losses = 2
inline_limit_bytes = 0
associates = ["etat", "orange", "thales"]
"""
# Bodies are the same whenever this runs; what the cloud makes of them is not.
SEED = 2011
SIZES = {"empty": 0, "inlined": 3_000, "shards": 50_000, "clés/é à ü/☃": 9_000}


def place_of(version):
    """Where that cloud was made and is opened: drives are used where the cloud's map has them, and nowhere else."""
    return pathlib.Path("/tmp") / f"andromede-golden-{version}"


def body_of(name, size):
    return random.Random(f"{SEED} {name}").randbytes(size)


def told(s3, bucket, key):
    """What is to be the same of an object, whichever program reads it."""
    answer = s3.get_object(Bucket=bucket, Key=key)
    return {"sha256": hashlib.sha256(answer["Body"].read()).hexdigest(), "etag": answer["ETag"],
            "modified": answer["LastModified"].isoformat(), "metadata": answer["Metadata"],
            "type": answer["ContentType"], "class": answer.get("StorageClass", "STANDARD")}


def fill(cloud):
    """Something of everything that is stored, changed as well as made."""
    s3 = cloud.client()
    s3.create_bucket(Bucket="archives")
    s3.create_bucket(Bucket="apart", CreateBucketConfiguration={"LocationConstraint": "apart"})
    s3.create_bucket(Bucket="removed")
    s3.delete_bucket(Bucket="removed")
    for name, size in SIZES.items():
        s3.put_object(Bucket="archives", Key=f"{name}-before", Body=body_of(f"{name}-before", size))
        s3.put_object(Bucket="archives", Key=name, Body=body_of(name, size), Metadata={"made-by": "golden"},
                      ContentType="application/x-golden", ChecksumAlgorithm="SHA256")
        s3.put_object(Bucket="apart", Key=name, Body=body_of(f"apart {name}", size), StorageClass="STANDARD_IA")
        s3.put_object(Bucket="archives", Key=f"{name}-before", Body=body_of(f"{name}-again", size // 2))
    s3.copy_object(Bucket="archives", Key="copied", CopySource={"Bucket": "apart", "Key": "shards"})
    s3.put_object(Bucket="archives", Key="deleted", Body=b"deleted")
    s3.delete_object(Bucket="archives", Key="deleted")
    upload = s3.create_multipart_upload(Bucket="archives", Key="parts")["UploadId"]
    etag = s3.upload_part(Bucket="archives", Key="parts", UploadId=upload, PartNumber=7, Body=body_of("part", 40_000))["ETag"]
    s3.complete_multipart_upload(Bucket="archives", Key="parts", UploadId=upload,
                                 MultipartUpload={"Parts": [{"PartNumber": 7, "ETag": etag}]})
    upload = s3.create_multipart_upload(Bucket="archives", Key="under way")["UploadId"]
    for number, size in ((1, 5_000), (2, 2_000)):
        s3.upload_part(Bucket="archives", Key="under way", UploadId=upload, PartNumber=number, Body=body_of(f"way {number}", size))
    cloud.client(credentials=cloud.credentials(1)).create_bucket(Bucket="second-tenant")
    cloud.operator("operator", "create", "auditor")
    cloud.operator("account", "create", "Made later", "--account", "000000000077")
    return upload


def describe(cloud, upload):
    s3 = cloud.client()
    return {
        "buckets": {bucket: {item["Key"]: told(s3, bucket, item["Key"])
                             for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])}
                    for bucket in ("archives", "apart")},
        "upload": {"id": upload, "parts": [{"number": part["PartNumber"], "etag": part["ETag"], "size": part["Size"]} for part in
                                           s3.list_parts(Bucket="archives", Key="under way", UploadId=upload)["Parts"]]},
        "location": s3.get_bucket_location(Bucket="apart")["LocationConstraint"],
        "journal": cloud.operator_json("journal", "verify"),
    }


def pack(folder, description, path):
    with tarfile.open(path, "w:xz", preset=9) as archive:
        text = json.dumps(description, indent=1, ensure_ascii=False).encode()
        info = tarfile.TarInfo("golden.json")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
        archive.add(folder, "cloud")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--binary", required=True)
    options = arguments.parse_args()
    version = subprocess.run([options.binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    path = FOLDER / f"cloud-{version}.tar.xz"
    if path.exists():
        sys.exit(f"{path} is there: what a released program made is not made again")
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as consortium, Cloud(options.binary, place_of(version)) as cloud:
        consortium.write(CONSORTIUM.read_text() + APART)
        consortium.flush()
        cloud.create(consortium.name).start()
        upload = fill(cloud)
        cloud.kill()
        cloud.start()
        cloud.client().put_object(Bucket="archives", Key="last", Body=body_of("last", 3_000))
        description = describe(cloud, upload)
        # So that the later program finds commits in the log that no state has.
        cloud.kill()
        pack(cloud.folder, description, path)
        shutil.rmtree(cloud.folder)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
