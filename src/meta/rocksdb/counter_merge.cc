#include "meta/rocksdb/counter_merge.h"

#include <cstring>

namespace andromede::meta {
namespace {

class CounterMerge final : public rocksdb::AssociativeMergeOperator {
 public:
  bool Merge(const rocksdb::Slice&, const rocksdb::Slice* existing, const rocksdb::Slice& operand, std::string* result,
             rocksdb::Logger*) const override {
    const std::int64_t base = existing == nullptr ? 0 : decode_counter(existing->ToStringView());
    // Unsigned, because a signed overflow is undefined and a counter near its end must still merge.
    const auto sum =
        static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(decode_counter(operand.ToStringView()));
    *result = encode_counter(static_cast<std::int64_t>(sum));
    return true;
  }
  [[nodiscard]] const char* Name() const override { return "andromede.counter.v1"; }
};

class NoMerge final : public rocksdb::MergeOperator {
 public:
  bool FullMergeV2(const MergeOperationInput&, MergeOperationOutput*) const override { return false; }
  [[nodiscard]] const char* Name() const override { return "andromede.none.v1"; }
};

}  // namespace

std::string encode_counter(std::int64_t value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

std::int64_t decode_counter(std::string_view value) {
  std::int64_t number = 0;
  if (value.size() == sizeof number) std::memcpy(&number, value.data(), sizeof number);
  return number;
}

std::shared_ptr<rocksdb::MergeOperator> make_counter_merge() { return std::make_shared<CounterMerge>(); }

std::shared_ptr<rocksdb::MergeOperator> make_no_merge() { return std::make_shared<NoMerge>(); }

}  // namespace andromede::meta
