#include "objects/layout.h"

namespace andromede::objects::layout {
namespace {

template <typename Id>
std::string with_id(std::string_view prefix, const Id& id, std::size_t more = 0) {
  std::string key;
  key.reserve(prefix.size() + Id::kSize + more);
  key += prefix;
  key += as_text(id.bytes());
  return key;
}

void append_be32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

meta::RootId root(BucketId bucket) { return meta::RootId::from_bytes(bucket.bytes()); }
meta::Partition partition(BucketId bucket, std::string_view key) { return {root(bucket), std::string(key)}; }

std::string bucket_name(std::string_view name) { return "b/" + std::string(name); }
std::string account_buckets(const AccountId& account) { return "ab/" + account.value() + "/"; }
std::string account_bucket(const AccountId& account, std::string_view name) {
  return account_buckets(account) + std::string(name);
}
std::string bucket_count(const AccountId& account) { return "abn/" + account.value(); }

std::string objects(BucketId bucket) { return with_id("o/", bucket); }
std::string object(BucketId bucket, std::string_view key) {
  std::string out = with_id("o/", bucket, key.size());
  out += key;
  return out;
}

std::string uploads(BucketId bucket) { return with_id("u/", bucket); }
std::string upload(BucketId bucket, std::string_view key, UploadId id) {
  std::string out = with_id("u/", bucket, key.size() + 1 + UploadId::kSize);
  out += key;
  out.push_back('\0');
  out += as_text(id.bytes());
  return out;
}
Result<UploadName> parse_upload(std::string_view name) {
  // Read from its end: the object's key may hold what stands between them.
  constexpr std::size_t kTail = 1 + UploadId::kSize;
  if (name.size() < kTail) return fail(Errc::kCorrupt, "an upload's key is too short");
  const ByteView id = as_bytes(name.substr(name.size() - UploadId::kSize));
  return UploadName{std::string(name.substr(0, name.size() - kTail)), UploadId::from_bytes(id)};
}
std::string parts(UploadId upload) { return with_id("p/", upload); }
std::string part(UploadId upload, std::uint32_t number) {
  std::string out = with_id("p/", upload, 4);
  append_be32(out, number);
  return out;
}
std::string part_list(UploadId upload, std::uint32_t chunk) {
  std::string out = with_id("q/", upload, 4);
  append_be32(out, chunk);
  return out;
}

std::string blob(BlobId id) { return with_id(kBlobs, id); }
meta::Key inline_payload(BlobId id) { return {meta::Space::kInline, with_id("", id)}; }

}  // namespace andromede::objects::layout
