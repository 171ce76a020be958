#include "meta/rocksdb/rocks_cursor.h"

#include <algorithm>

namespace andromede::meta {
namespace {

// A jump often wants one key (a listing with a delimiter); a straight walk wants a page.
constexpr std::size_t kFirstBatchItems = 16;
constexpr std::size_t kMaxBatchItems = 1024;
constexpr std::size_t kMaxBatchBytes = 1 << 20;

}  // namespace

RocksCursor::RocksCursor(MirrorSet& mirrors, ThreadPool& pool, std::string begin, std::string end)
    : mirrors_(mirrors), pool_(pool), begin_(std::move(begin)), end_(std::move(end)), upper_bound_(end_) {}

RocksCursor::~RocksCursor() {
  iterator_.reset();
  if (snapshot_ != nullptr) mirror_->state().db().ReleaseSnapshot(snapshot_);
}

Status RocksCursor::open() {
  mirror_ = mirrors_.reader();
  if (mirror_ == nullptr) return fail(Errc::kUnavailable, "no metadata mirror is online");
  State& state = mirror_->state();
  snapshot_ = state.db().GetSnapshot();
  rocksdb::ReadOptions options = read_options(Tier::kAll);
  options.snapshot = snapshot_;
  if (!end_.empty()) options.iterate_upper_bound = &upper_bound_;
  iterator_.reset(state.db().NewIterator(options, state.family(Space::kRecords)));
  return {};
}

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

Status RocksCursor::fetch(const std::string* key) {
  if (iterator_ == nullptr) CHECK_OK(open());
  if (key != nullptr) iterator_->Seek(*key);
  bytes_.clear();
  batch_.clear();
  next_ = 0;
  while (iterator_->Valid() && batch_.size() < batch_items_ && bytes_.size() < kMaxBatchBytes) {
    const rocksdb::Slice found = iterator_->key();
    const rocksdb::Slice value = iterator_->value();
    batch_.push_back({bytes_.size(), found.size(), value.size()});
    bytes_.append(found.data(), found.size()).append(value.data(), value.size());
    iterator_->Next();
  }
  batch_is_last_ = !iterator_->Valid();
  if (iterator_->status().ok()) return {};
  batch_.clear();
  const Error error = to_error(iterator_->status(), "cursor");
  // The state that this cursor shows lies on one mirror; the caller's retry finds the next one.
  mirrors_.read_failed(*mirror_, error);
  return fail(error);
}

Task<Result<bool>> RocksCursor::seek(std::string key) {
  if (key < begin_) key = begin_;
  if (!jump_inside(key)) {
    batch_items_ = kFirstBatchItems;
    CO_CHECK_OK(co_await pool_.run([&]() -> Status { return fetch(&key); }));
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
  CO_CHECK_OK(co_await pool_.run([&]() -> Status { return fetch(nullptr); }));
  co_return take();
}

}  // namespace andromede::meta
