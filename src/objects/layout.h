// Where objects/ keeps its records in the metadata: key and partition of each kind (docs/formats/metadata-keys.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "meta/store.h"

namespace andromede::objects::layout {

// Accounts' bucket names live in one partition, so that a name is taken atomically.
inline const meta::Partition kCloud = "cloud";
meta::Partition bucket_partition(BucketId bucket);

std::string bucket_name(std::string_view name);
std::string account_buckets(const AccountId& account);  // prefix of account_bucket()
std::string account_bucket(const AccountId& account, std::string_view name);
std::string bucket_count(const AccountId& account);
std::string bucket_state(BucketId bucket);
inline constexpr std::string_view kDeletedBuckets = "d/";  // prefix of deleted_bucket()
std::string deleted_bucket(BucketId bucket);

std::string objects(BucketId bucket);  // prefix of object()
std::string object(BucketId bucket, std::string_view key);

std::string uploads(BucketId bucket);  // prefix of upload()
std::string upload(BucketId bucket, std::string_view key, UploadId id);
std::string parts(UploadId upload);  // prefix of part()
std::string part(UploadId upload, std::uint32_t number);
std::string part_list(UploadId upload, std::uint32_t chunk);

inline constexpr std::string_view kBlobs = "l/";  // prefix of blob()
std::string blob(BlobId id);
meta::Key inline_payload(BlobId id);

std::string object_count(BucketId bucket);
std::string byte_count(BucketId bucket);

// The first string that is greater than every string beginning with `prefix`; empty when there is none.
std::string past_prefix(std::string prefix);

}  // namespace andromede::objects::layout
