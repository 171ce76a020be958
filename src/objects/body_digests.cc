#include "objects/body_digests.h"

#include <algorithm>

#include "base/check.h"

namespace andromede::objects {
namespace {

Bytes checksum_of_whole(crypto::Checksum kind, ByteView body) {
  const auto hasher = crypto::make_hasher(kind);
  hasher->update(body);
  return hasher->finish();
}

}  // namespace

const Bytes* DigestedBody::checksum(crypto::Checksum kind) const {
  for (const Checksummed& one : checksums) {
    if (one.kind == kind) return &one.value;
  }
  return nullptr;
}

BodyDigests::BodyDigests(crypto::Md5Lanes* lanes, const std::vector<crypto::Checksum>& kinds) {
  if (lanes != nullptr) {
    md5_lane_ = lanes->make_stream();
  } else {
    md5_ = crypto::make_hasher(crypto::Checksum::kMd5);
  }
  for (const crypto::Checksum kind : kinds) {
    if (kind != crypto::Checksum::kNone) checksums_.push_back({kind, crypto::make_hasher(kind)});
  }
}

void BodyDigests::start(ByteView data) {
  if (md5_lane_ != nullptr) {
    md5_lane_->start(data);
  } else {
    md5_->update(data);
  }
  for (const Running& one : checksums_) one.hasher->update(data);
}

Task<Status> BodyDigests::done() {
  if (md5_lane_ == nullptr) co_return Status{};
  co_return co_await md5_lane_->done();
}

Task<DigestedBody> BodyDigests::finish() {
  DigestedBody body;
  if (md5_lane_ != nullptr) {
    body.md5 = co_await md5_lane_->finish();
  } else {
    const Bytes md5 = md5_->finish();
    CHECK(md5.size() == body.md5.size(), "an MD5 has 16 bytes");
    std::copy(md5.begin(), md5.end(), body.md5.begin());
  }
  for (const Running& one : checksums_) body.checksums.push_back({one.kind, one.hasher->finish()});
  co_return body;
}

DigestedBody BodyDigests::of(ByteView body, const std::vector<crypto::Checksum>& kinds) {
  DigestedBody out;
  out.md5 = crypto::md5(body);
  for (const crypto::Checksum kind : kinds) {
    if (kind != crypto::Checksum::kNone) out.checksums.push_back({kind, checksum_of_whole(kind, body)});
  }
  return out;
}

}  // namespace andromede::objects
