#include "meta/rocksdb/rocks_cursor.h"

#include <algorithm>
#include <utility>

#include "meta/rocksdb/fail_over.h"

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
      patience_(std::move(patience)),
      batches_(std::make_shared<Batches>(nullptr, begin_, end_)) {
  batches_->is_last = true;
}

bool RocksCursor::take() {
  if (next_ == batches_->batch.size()) return false;
  const Entry& entry = batches_->batch[next_++];
  key_ = key_of(entry);
  value_ = std::string_view(batches_->bytes).substr(entry.offset + entry.key_bytes, entry.value_bytes);
  return true;
}

bool RocksCursor::jump_inside(std::string_view key) {
  const std::vector<Entry>& batch = batches_->batch;
  if (next_ >= batch.size() || key < key_of(batch[next_]) || key > key_of(batch.back())) return false;
  const auto found =
      std::lower_bound(batch.begin() + static_cast<std::ptrdiff_t>(next_), batch.end(), key,
                       [this](const Entry& entry, std::string_view wanted) { return key_of(entry) < wanted; });
  next_ = static_cast<std::size_t>(found - batch.begin());
  return true;
}

Task<Status> RocksCursor::fetch(std::optional<std::string> key) {
  if (key) {
    resume_ = *key;
  } else if (!key_.empty()) {
    resume_.assign(key_).push_back('\0');
  }
  key_ = value_ = {};
  next_ = 0;
  FailOver way(mirrors_, pools_);
  for (;;) {
    if (batches_->mirror == nullptr) {
      CO_TRY(std::shared_ptr<Mirror> mirror, way.mirror());
      batches_ = std::make_shared<Batches>(std::move(mirror), begin_, end_);
      key = resume_;
    }
    const std::shared_ptr<Batches> batches = batches_;
    const bool first = key.has_value() || !batches->gave_way;
    batches->bytes.clear();
    batches->batch.clear();
    batches->is_last = false;
    batches->moved = false;
    batches->from = std::exchange(key, std::nullopt);
    batches->most_items = batch_items_;
    const Status filled = co_await pools_.of(batches->mirror)
                              .walk([batches](Reading& reading) { return batches->fill(reading); }, first, patience_);
    if (filled) {
      way.answered();
      co_return Status{};
    }
    // A turn may still be at it.
    batches_ = std::make_shared<Batches>(nullptr, begin_, end_);
    if (!way.goes_on(batches->mirror, filled.error())) co_return fail(filled.error());
  }
}

Result<bool> RocksCursor::Batches::fill(Reading& reading) {
  if (!walk) walk.emplace(mirror, Space::kRecords, walk_begin, walk_end);
  const Walk::Turn turn(*walk);
  if (from && !std::exchange(moved, true)) {
    TRY(at, walk->seek(*from));
  } else if (at == Walk::At::kTurn) {
    TRY(at, walk->go_on());
  }
  while (at == Walk::At::kKey && batch.size() < most_items && bytes.size() < kMaxBatchBytes && !turn.spent()) {
    reading.step();
    const std::string_view found = walk->key();
    const std::string_view value = walk->value();
    batch.push_back({bytes.size(), found.size(), value.size()});
    bytes.append(found).append(value);
    TRY(at, walk->next());
  }
  gave_way = at == Walk::At::kTurn || turn.spent();
  is_last = at == Walk::At::kEnd;
  return is_last || !batch.empty();
}

Task<Result<bool>> RocksCursor::seek(std::string key) {
  if (key < begin_) key = begin_;
  if (!jump_inside(key)) {
    batch_items_ = kFirstBatchItems;
    CO_CHECK_OK(co_await fetch(std::move(key)));
  }
  co_return take();
}

std::optional<Result<bool>> RocksCursor::try_next() {
  if (take()) return true;
  if (batches_->is_last) return false;
  return std::nullopt;
}

Task<Result<bool>> RocksCursor::next() {
  if (auto moved = try_next()) co_return std::move(*moved);
  batch_items_ = std::min(batch_items_ * 8, kMaxBatchItems);
  CO_CHECK_OK(co_await fetch(std::nullopt));
  co_return take();
}

}  // namespace andromede::meta
