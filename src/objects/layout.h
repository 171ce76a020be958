// Where objects/ keeps its records in the metadata: key and partition of each kind (docs/formats/metadata-keys.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "meta/store.h"

namespace andromede::objects::layout {

// A bucket is a root of its own, under its id; all that belongs to an object, its uploads included, has the object's
// key as its route.
meta::RootId root(BucketId bucket);
meta::Partition partition(BucketId bucket, std::string_view key);

std::string bucket_name(std::string_view name);
std::string account_buckets(const AccountId& account);  // prefix of account_bucket()
std::string account_bucket(const AccountId& account, std::string_view name);
std::string bucket_count(const AccountId& account);

std::string objects(BucketId bucket);  // prefix of object()
std::string object(BucketId bucket, std::string_view key);

std::string uploads(BucketId bucket);  // prefix of upload()
std::string upload(BucketId bucket, std::string_view key, UploadId id);
// An upload's key behind uploads(). kCorrupt.
struct UploadName {
  std::string key;  // the object's
  UploadId id;
};
Result<UploadName> parse_upload(std::string_view name);
std::string parts(UploadId upload);  // prefix of part()
std::string part(UploadId upload, std::uint32_t number);
std::string part_list(UploadId upload, std::uint32_t chunk);

inline constexpr std::string_view kBlobs = "l/";  // prefix of blob()
std::string blob(BlobId id);
meta::Key inline_payload(BlobId id);

}  // namespace andromede::objects::layout
