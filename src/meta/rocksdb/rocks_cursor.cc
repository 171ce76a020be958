#include "meta/rocksdb/rocks_cursor.h"

namespace andromede::meta {
namespace {

constexpr std::size_t kBatchItems = 256;
constexpr std::size_t kBatchBytes = 256 << 10;

}  // namespace

RocksCursor::RocksCursor(MirrorSet& mirrors, ThreadPool& pool, std::string begin, std::string end)
    : mirrors_(mirrors), pool_(pool), begin_(std::move(begin)), end_(std::move(end)), upper_bound_(end_) {}

RocksCursor::~RocksCursor() { close(); }

Status RocksCursor::open() {
  if (mirror_ != nullptr) return {};
  mirror_ = mirrors_.reader();
  if (mirror_ == nullptr) return fail(Errc::kUnavailable, "no metadata mirror is online");
  snapshot_ = mirror_->state().db().GetSnapshot();
  memory_ = make_iterator(Tier::kMemory);
  return {};
}

void RocksCursor::close() {
  memory_.reset();
  drive_.reset();
  if (snapshot_ != nullptr) mirror_->state().db().ReleaseSnapshot(snapshot_);
  snapshot_ = nullptr;
  mirror_.reset();
}

std::unique_ptr<rocksdb::Iterator> RocksCursor::make_iterator(Tier tier) const {
  rocksdb::ReadOptions options = read_options(tier);
  options.snapshot = snapshot_;
  if (!end_.empty()) options.iterate_upper_bound = &upper_bound_;
  State& state = mirror_->state();
  return std::unique_ptr<rocksdb::Iterator>(state.db().NewIterator(options, state.family(Space::kRecords)));
}

Result<bool> RocksCursor::failed(const Error& error) {
  valid_ = false;
  // The state that this cursor shows lives on one mirror; the caller's retry finds the next one.
  if (error == Errc::kCorrupt || error == Errc::kIo) mirrors_.read_failed(*mirror_, error);
  return fail(error);
}

std::optional<Result<bool>> RocksCursor::take_memory() {
  if (memory_->Valid()) {
    const rocksdb::Slice key = memory_->key();
    key_.assign(key.data(), key.size());
    value_ = memory_->value().ToStringView();
    valid_ = true;
    return true;
  }
  const rocksdb::Status status = memory_->status();
  if (status.IsIncomplete()) return std::nullopt;
  valid_ = false;
  if (!status.ok()) return failed(to_error(status, "cursor"));
  return false;
}

std::optional<Result<bool>> RocksCursor::take_batch() {
  if (batch_next_ < batch_.size()) {
    const Item& item = batch_[batch_next_++];
    key_ = item.key;
    value_ = item.value;
    valid_ = true;
    return true;
  }
  if (!batch_is_last_) return std::nullopt;
  valid_ = false;
  return false;
}

Status RocksCursor::fetch(const std::string& from, bool exclusive) {
  if (drive_ == nullptr) drive_ = make_iterator(Tier::kAll);
  // A batch ends just behind its last item, which is where the next one starts, so most often there is no seek.
  const bool there = exclusive && drive_->Valid() && !batch_.empty() && batch_.back().key == from;
  if (!there) drive_->Seek(from);
  if (!there && exclusive && drive_->Valid() && drive_->key() == rocksdb::Slice(from)) drive_->Next();
  batch_.clear();
  batch_next_ = 0;
  std::size_t bytes = 0;
  while (drive_->Valid() && batch_.size() < kBatchItems && bytes < kBatchBytes) {
    batch_.push_back({drive_->key().ToString(), drive_->value().ToString()});
    bytes += batch_.back().key.size() + batch_.back().value.size();
    drive_->Next();
  }
  if (!drive_->status().ok()) return fail(to_error(drive_->status(), "cursor"));
  batch_is_last_ = !drive_->Valid();
  return {};
}

Task<Result<bool>> RocksCursor::fetch_and_take(std::string from, bool exclusive) {
  const Status fetched = co_await pool_.run([&]() -> Status { return fetch(from, exclusive); });
  if (!fetched) co_return failed(fetched.error());
  in_memory_ = false;
  co_return *take_batch();
}

Task<Result<bool>> RocksCursor::seek(std::string key) {
  CO_CHECK_OK(open());
  if (key < begin_) key = begin_;
  memory_->Seek(key);
  in_memory_ = true;
  if (auto taken = take_memory()) co_return std::move(*taken);
  co_return co_await fetch_and_take(std::move(key), false);
}

std::optional<Result<bool>> RocksCursor::try_next() {
  if (!valid_) return false;
  if (!in_memory_) return take_batch();
  // Valid no longer after the iterator met a block that is not cached; key_ still says where to go on.
  if (!memory_->Valid()) return std::nullopt;
  memory_->Next();
  return take_memory();
}

Task<Result<bool>> RocksCursor::next() {
  if (auto taken = try_next()) co_return std::move(*taken);
  co_return co_await fetch_and_take(key_, true);
}

}  // namespace andromede::meta
