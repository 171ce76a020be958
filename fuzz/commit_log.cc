// Any bytes as a segment of the commit log, as a record's payload and as a mirror's marker: what is accepted is read
// the same again, and what is found in a segment lies inside it.
#include "meta/rocksdb/commit_log.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "io/fault_disk.h"
#include "meta/rocksdb/log_record.h"
#include "meta/rocksdb/mirror.h"

namespace {

using namespace andromede;
using namespace andromede::meta;

constexpr std::uint64_t kSegmentBytes = 4 * kLogBlockBytes;

void require(bool holds) {
  if (!holds) std::abort();
}

const std::shared_ptr<const RecordSeal>& seal() {
  // That of the golden files, which the seeds are.
  static const std::shared_ptr<const RecordSeal> made = [] {
    Bytes key(crypto::SecretKey::kSize);
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i);
    return std::make_shared<const RecordSeal>(*crypto::SecretKey::from_bytes(key));
  }();
  return made;
}

class Rebuilder final : public ChangeVisitor {
 public:
  Status put(Space space, std::string_view key, std::string_view value) override {
    builder.put(space, key, value.substr(0, value.size() - std::min(value.size(), kTagBytes)));
    return {};
  }
  Status erase(Space space, std::string_view key) override {
    builder.erase(space, key);
    return {};
  }
  Status add(std::string_view key, std::int64_t by) override {
    builder.add(key, by);
    return {};
  }
  RecordBuilder builder{seal()};
};

void try_payload(ByteView payload) {
  Rebuilder first;
  if (!visit_changes(payload, first)) return;
  const ByteView record = first.builder.finish(1, 1, 1);
  const auto header = decode_header(record);
  require(header && record_is_intact(*header, record) && record_is_ours(*seal(), *header, record));
  Rebuilder second;
  require(visit_changes(first.builder.payload(), second).has_value());
  second.builder.finish(1, 1, 1);
  require(to_bytes(first.builder.payload()) == to_bytes(second.builder.payload()));
}

// Scanned for the salt of the first record, so that mutated records are looked into.
void try_segment(Bytes bytes) {
  bytes.resize(kSegmentBytes, 0);
  std::uint64_t salt = 0;
  std::memcpy(&salt, bytes.data() + 8, sizeof salt);
  const auto disk = io::FaultDisk::make();
  require(CommitLog::create(disk->share(), kSegmentBytes).has_value());
  const auto file = disk->open("meta/log/segment-0000", io::OpenMode::kReadWrite);
  require(file && (*file)->write_at(0, ByteView(bytes)));
  auto log = CommitLog::open(disk->share(), kSegmentBytes);
  require(log.has_value());
  const auto found = (*log)->scan(*seal(), salt, 0);
  if (!found) return;
  std::uint64_t next = 1;
  for (const CommitLog::Position& position : *found) {
    require(position.header.first_index == next);
    next = position.header.last_index() + 1;
    require(position.offset + position.header.record_bytes() <= kSegmentBytes);
    require((*log)->read(*seal(), position).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  try_payload(input);
  if (size > kRecordHeaderBytes) try_payload(input.subspan(kRecordHeaderBytes));
  if (const auto segment_bytes = decode_marker(input)) require(encode_marker(*segment_bytes) == to_bytes(input));
  try_segment(to_bytes(input));
  return 0;
}
