#include "meta/rocksdb/root_record.h"

#include "meta/record.h"

namespace andromede::meta {
namespace {

struct RootKind {
  using Record = RootRecord;
  static constexpr RecordMark kMark{'S', 2, "root"};
  static void fields(auto& fields, auto& root) {
    fields.one_of(root.state, RootState::kClosing);
    if (root.state == RootState::kClosing) fields.array(root.mark);
  }
};

std::string key_of(std::string_view prefix, RootId root, std::string_view behind = {}) {
  std::string key;
  key.reserve(prefix.size() + RootId::kSize + behind.size());
  key += prefix;
  key += as_text(root.bytes());
  key += behind;
  return key;
}

}  // namespace

std::string encode(const RootRecord& record) { return encode<RootKind>(record); }
Result<RootRecord> decode_root(ByteView bytes) { return decode<RootKind>(bytes); }

std::string root_state_key(RootId root) { return key_of("s/", root); }
std::string ended_root_key(RootId root) { return key_of(kEndedRoots, root); }
std::string object_count_key(RootId root) { return key_of("n/", root, "/objects"); }
std::string byte_count_key(RootId root) { return key_of("n/", root, "/bytes"); }

}  // namespace andromede::meta
