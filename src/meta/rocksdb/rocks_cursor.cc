#include "meta/rocksdb/rocks_cursor.h"

#include <algorithm>
#include <utility>

namespace andromede::meta {
namespace {

// A jump often wants one key (a listing with a delimiter); a straight walk wants a page.
constexpr std::size_t kFirstBatchItems = 16;
constexpr std::size_t kMaxBatchItems = 1024;
constexpr std::size_t kMaxBatchBytes = 1 << 20;

}  // namespace

RocksCursor::RocksCursor(MirrorSet& mirrors, MirrorPools& pools, std::string begin, std::string end, Patience patience)
    : mirrors_(mirrors),
      pools_(pools),
      begin_(std::move(begin)),
      end_(std::move(end)),
      patience_(std::move(patience)) {}

bool RocksCursor::take() {
  if (next_ == batch_.size()) return false;
  const Entry& entry = batch_[next_++];
  key_ = key_of(entry);
  value_ = std::string_view(bytes_).substr(entry.offset + entry.key_bytes, entry.value_bytes);
  return true;
}

bool RocksCursor::jump_inside(std::string_view key) {
  if (next_ >= batch_.size() || key < key_of(batch_[next_]) || key > key_of(batch_.back())) return false;
  const auto found =
      std::lower_bound(batch_.begin() + static_cast<std::ptrdiff_t>(next_), batch_.end(), key,
                       [this](const Entry& entry, std::string_view wanted) { return key_of(entry) < wanted; });
  next_ = static_cast<std::size_t>(found - batch_.begin());
  return true;
}

Task<Status> RocksCursor::fetch(const std::string* key) {
  bytes_.clear();
  batch_.clear();
  next_ = 0;
  batch_is_last_ = false;
  if (mirror_ == nullptr) mirror_ = mirrors_.reader();
  if (mirror_ == nullptr) co_return fail(Errc::kUnavailable, "no metadata mirror is online");
  const bool first = key != nullptr || !gave_way_;
  co_return co_await pools_.of(mirror_).walk([this, key]() mutable { return turn(std::exchange(key, nullptr)); }, first,
                                             patience_);
}

Result<bool> RocksCursor::turn(const std::string* key) {
  Result<bool> filled = fill(key);
  if (filled) return filled;
  batch_.clear();
  // The state that this cursor shows lies on one mirror; the caller's retry finds the next one.
  mirrors_.read_failed(*mirror_, filled.error());
  return fail(filled.error());
}

Result<bool> RocksCursor::fill(const std::string* key) {
  if (!walk_) walk_.emplace(mirror_, Space::kRecords, begin_, end_, false);
  const Walk::Turn turn(*walk_);
  if (key != nullptr) {
    TRY(at_, walk_->seek(*key));
  } else if (at_ == Walk::At::kTurn) {
    TRY(at_, walk_->go_on());
  }
  while (at_ == Walk::At::kKey && batch_.size() < batch_items_ && bytes_.size() < kMaxBatchBytes && !turn.spent()) {
    const std::string_view found = walk_->key();
    const std::string_view value = walk_->value();
    batch_.push_back({bytes_.size(), found.size(), value.size()});
    bytes_.append(found).append(value);
    TRY(at_, walk_->next());
  }
  gave_way_ = at_ == Walk::At::kTurn || turn.spent();
  batch_is_last_ = at_ == Walk::At::kEnd;
  return batch_is_last_ || !batch_.empty();
}

Task<Result<bool>> RocksCursor::seek(std::string key) {
  if (key < begin_) key = begin_;
  if (!jump_inside(key)) {
    batch_items_ = kFirstBatchItems;
    CO_CHECK_OK(co_await fetch(&key));
  }
  co_return take();
}

std::optional<Result<bool>> RocksCursor::try_next() {
  if (take()) return true;
  if (batch_is_last_) return false;
  return std::nullopt;
}

Task<Result<bool>> RocksCursor::next() {
  if (auto moved = try_next()) co_return std::move(*moved);
  batch_items_ = std::min(batch_items_ * 8, kMaxBatchItems);
  CO_CHECK_OK(co_await fetch(nullptr));
  co_return take();
}

}  // namespace andromede::meta
