#include "meta/memory/memory_store.h"

#include <algorithm>

#include "base/check.h"

namespace andromede::meta {
namespace {

constexpr std::size_t kMostFetched = 8;  // by a cursor at once

std::string name(const Partition& partition) {
  return "partition {" + (partition.root == kCloudRoot ? "cloud" : partition.root.to_string()) + ", \"" +
         partition.route + "\"}";
}

// Where a walk from a key on, of which this is what follows the base, begins: no route of a record behind it is less.
std::string_view border_before(std::string_view behind_base) { return behind_base.substr(0, behind_base.find('\0')); }

std::string journal_key(std::uint64_t sequence) {
  Bytes key;
  append_be64(key, sequence);
  return std::string(as_text(key));
}

bool is_inside(std::string_view key, const std::string& begin, const std::string& end) {
  return key >= begin && (end.empty() || key < end);
}

Error no_root() { return {make_error_code(Errc::kNotFound), "there is no such root, or it has ended"}; }

}  // namespace

// Fetches a few records of one partition at a time.
class MemoryStore::MemoryCursor final : public Cursor {
 public:
  MemoryCursor(MemoryStore& store, CursorRange range) : store_(store), range_(std::move(range)) {
    if (range_.end.empty()) range_.end = past_prefix(range_.base);
  }
  Task<Result<bool>> seek(std::string key) override {
    from_ = key < range_.begin ? range_.begin : std::move(key);
    items_.clear();
    at_ = 0;
    co_return fetch();
  }
  Task<Result<bool>> next() override {
    if (auto moved = try_next()) co_return std::move(*moved);
    co_return fetch();
  }
  std::optional<Result<bool>> try_next() override {
    if (at_ < items_.size()) return take();
    if (at_end_) return false;
    return std::nullopt;
  }
  [[nodiscard]] std::string_view key() const override { return key_; }
  [[nodiscard]] std::string_view value() const override { return value_; }

 private:
  bool take() {
    key_ = items_[at_].key;
    value_ = items_[at_].value;
    ++at_;
    return true;
  }
  Result<bool> fetch() {
    key_ = value_ = {};
    items_.clear();
    at_ = 0;
    CHECK_OK(store_.check_patience(range_.patience));
    const std::lock_guard lock(store_.mutex_);
    store_.maybe_change(range_.root);
    const auto root = store_.roots_.find(range_.root);
    at_end_ = true;
    if (root == store_.roots_.end() || (!range_.end.empty() && from_ >= range_.end)) return false;
    const std::size_t most = 1 + store_.below(kMostFetched);
    const std::string_view behind =
        from_.size() > range_.base.size() ? std::string_view(from_).substr(range_.base.size()) : std::string_view();
    for (auto range = range_of(root->second, border_before(behind)); range != root->second.ranges.end(); ++range) {
      for (auto record = range->second.lower_bound({Space::kRecords, from_}); record != range->second.end(); ++record) {
        const auto& [space, key] = record->first;
        if (space != Space::kRecords || (!range_.end.empty() && key >= range_.end)) break;
        items_.push_back({key, record->second.value});
        if (items_.size() == most) break;
      }
      if (items_.empty()) continue;
      at_end_ = false;
      from_ = items_.back().key + '\0';
      return take();
    }
    return false;
  }

  MemoryStore& store_;
  CursorRange range_;
  std::string from_;  // what is fetched next begins there
  std::vector<Item> items_;
  std::size_t at_ = 0;
  bool at_end_ = true;
  std::string_view key_;
  std::string_view value_;
};

MemoryStore::MemoryStore(LogSealer& sealer, const Clock& clock, Options options)
    : clock_(clock), options_(options), sealer_(&sealer), random_(options.seed) {
  set_limits(options.limits);
  roots_[kCloudRoot].ranges[{}];
}

void MemoryStore::set_limits(Limits limits) {
  CHECK(limits.key_bytes >= kLeastLimits.key_bytes && limits.value_bytes >= kLeastLimits.value_bytes &&
            limits.commit_bytes >= kLeastLimits.commit_bytes && limits.expectations >= kLeastLimits.expectations &&
            limits.scan_items >= kLeastLimits.scan_items,
        "every engine takes so much");
  options_.limits = limits;
}

Status MemoryStore::go_on_with(LogSealer& sealer) {
  const std::lock_guard lock(mutex_);
  sealer_ = &sealer;
  return sealer.restore(journal_.size(), as_bytes(journal_.empty() ? std::string_view() : journal_.back()));
}

void MemoryStore::shake(RootId root) {
  const std::lock_guard lock(mutex_);
  change_ranges(root);
}

std::size_t MemoryStore::partitions(RootId root) const {
  const std::lock_guard lock(mutex_);
  const auto found = roots_.find(root);
  return found == roots_.end() ? 0 : found->second.ranges.size();
}

std::uint64_t MemoryStore::splits() const {
  const std::lock_guard lock(mutex_);
  return splits_;
}

std::uint64_t MemoryStore::merges() const {
  const std::lock_guard lock(mutex_);
  return merges_;
}

std::uint64_t MemoryStore::below(std::uint64_t bound) { return random_() % bound; }

void MemoryStore::maybe_change(RootId root) {
  if (options_.calls_per_change > 0 && below(options_.calls_per_change) == 0) change_ranges(root);
}

void MemoryStore::change_ranges(RootId id) {
  const auto root = roots_.find(id);
  if (root == roots_.end()) return;
  auto& ranges = root->second.ranges;
  auto range = ranges.begin();
  std::advance(range, static_cast<std::ptrdiff_t>(below(ranges.size())));
  // More often split than merged, until there are many.
  if (std::next(range) != ranges.end() && below(16) < ranges.size()) {
    merge(root->second, range);
  } else {
    split(root->second, range);
  }
}

void MemoryStore::split(Root& root, Range range) {
  if (range->second.empty()) return;
  auto record = range->second.begin();
  std::advance(record, static_cast<std::ptrdiff_t>(below(range->second.size())));
  const std::string middle(border_before(record->second.route));
  if (middle <= range->first) return;
  Records& right = root.ranges[middle];
  for (auto each = range->second.begin(); each != range->second.end();) {
    const auto moved = each++;
    if (moved->second.route >= middle) right.insert(range->second.extract(moved));
  }
  ++splits_;
}

void MemoryStore::merge(Root& root, Range left) {
  const Range right = std::next(left);
  left->second.merge(right->second);
  CHECK(right->second.empty(), "no record is in two ranges");
  root.ranges.erase(right);
  ++merges_;
}

MemoryStore::Range MemoryStore::range_of(Root& root, std::string_view route) {
  return std::prev(root.ranges.upper_bound(std::string(route)));
}

Status MemoryStore::check_key(std::string_view key) const {
  if (key.size() <= options_.limits.key_bytes) return {};
  return fail(Errc::kInvalidArgument, "a key has at most " + std::to_string(options_.limits.key_bytes) + " bytes");
}

Status MemoryStore::check_value(std::string_view value) const {
  if (value.empty()) return fail(Errc::kInvalidArgument, "a value has at least one byte");
  if (value.size() <= options_.limits.value_bytes) return {};
  return fail(Errc::kInvalidArgument, "a value has at most " + std::to_string(options_.limits.value_bytes) + " bytes");
}

Status MemoryStore::check_limits(const Commit& change) const {
  if (!change.event && change.unwitnessed == nullptr) {
    return fail(Errc::kInvalidArgument, "a commit carries its journal event, or says why none is owed");
  }
  if (change.expect.size() > options_.limits.expectations) {
    return fail(Errc::kInvalidArgument,
                "a commit expects at most " + std::to_string(options_.limits.expectations) + " keys");
  }
  const auto is_data = [](Space space) { return space == Space::kRecords || space == Space::kInline; };
  std::size_t bytes = change.event ? change.event->size() : 0;
  for (const Expectation& expectation : change.expect) {
    CHECK_OK(check_key(expectation.key));
    if (expectation.value) CHECK_OK(check_value(*expectation.value));
  }
  for (const Put& put : change.put) {
    if (!is_data(put.key.space)) return fail(Errc::kInvalidArgument, "the journal is written by events only");
    CHECK_OK(check_key(put.key.bytes));
    CHECK_OK(check_value(put.value));
    bytes += put.key.bytes.size() + put.value.size();
  }
  for (const Key& key : change.erase) {
    if (!is_data(key.space)) return fail(Errc::kInvalidArgument, "the journal is never erased");
    CHECK_OK(check_key(key.bytes));
    bytes += key.bytes.size();
  }
  if (bytes <= options_.limits.commit_bytes) return {};
  return fail(Errc::kInvalidArgument,
              "a commit has at most " + std::to_string(options_.limits.commit_bytes) + " bytes");
}

Status MemoryStore::check_home(const Partition& partition, Space space, const std::string& key) const {
  const auto home = homes_.find({space, key});
  if (home == homes_.end() || home->second == partition) return {};
  return fail(Errc::kInvalidArgument, "two partitions: a record of " + name(home->second) + " is asked for in " +
                                          name(partition) + ": " + to_hex(as_bytes(key)));
}

Status MemoryStore::check_homes(const Commit& change) const {
  for (const Expectation& each : change.expect) CHECK_OK(check_home(change.partition, Space::kRecords, each.key));
  for (const Put& each : change.put) CHECK_OK(check_home(change.partition, each.key.space, each.key.bytes));
  for (const Key& each : change.erase) CHECK_OK(check_home(change.partition, each.space, each.bytes));
  return {};
}

Status MemoryStore::check_patience(const Patience& patience) const {
  if (patience.stop.stop_requested()) return fail(Errc::kCancelled, "nobody waits for the walk any more");
  return check_deadline(patience.deadline);
}

Status MemoryStore::check_deadline(Deadline deadline) const {
  if (!deadline.passed(clock_)) return {};
  return fail(Errc::kTimeout, "the read of the metadata took too long");
}

Result<std::optional<std::string>> MemoryStore::look(const Partition& partition, const Key& key) {
  CHECK_OK(check_key(key.bytes));
  if (key.space == Space::kJournal) {
    const ByteView bytes = as_bytes(key.bytes);
    const std::uint64_t sequence = bytes.size() == 8 ? read_be64(bytes) : 0;
    if (sequence == 0 || sequence > journal_.size()) return std::nullopt;
    return journal_[sequence - 1];
  }
  CHECK_OK(check_home(partition, key.space, key.bytes));
  const auto root = roots_.find(partition.root);
  if (root == roots_.end()) return std::nullopt;
  const Records& records = range_of(root->second, partition.route)->second;
  const auto found = records.find({key.space, key.bytes});
  if (found == records.end()) return std::nullopt;
  return found->second.value;
}

Result<CommitInfo> MemoryStore::witnessed(std::string_view event) {
  journal_.push_back(sealer_->seal(journal_.size() + 1, event));
  return CommitInfo{journal_.size()};
}

Result<CommitInfo> MemoryStore::make(Commit change, Deadline deadline) {
  CHECK_OK(check_limits(change));
  if (deadline.passed(clock_)) return fail(Errc::kNotBegun, "the commit waited past its deadline");
  maybe_change(change.partition.root);
  CHECK_OK(check_homes(change));
  const auto found = roots_.find(change.partition.root);
  const bool open = found != roots_.end() && !found->second.left && found->second.state == RootState::kOpen;
  if (found == roots_.end() || (change.needs_open_root && !open)) return fail(Errc::kConflict, "the root is not open");
  Root& root = found->second;
  Records& records = range_of(root, change.partition.route)->second;
  for (const Expectation& expectation : change.expect) {
    const auto now = records.find({Space::kRecords, expectation.key});
    const bool as_expected = now == records.end() ? !expectation.value : expectation.value == now->second.value;
    if (!as_expected) return fail(Errc::kConflict, "the state is not what the commit expects");
  }
  for (Put& put : change.put) {
    const Place place{put.key.space, std::move(put.key.bytes)};
    records[place] = {change.partition.route, std::move(put.value)};
    homes_[place] = change.partition;
  }
  for (Key& key : change.erase) {
    const Place place{key.space, std::move(key.bytes)};
    records.erase(place);
    homes_.erase(place);
  }
  root.usage.objects += change.usage.objects;
  root.usage.bytes += change.usage.bytes;
  if (!change.event) return CommitInfo{};
  return witnessed(*change.event);
}

Task<Result<CommitInfo>> MemoryStore::commit(Commit change, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  co_return make(std::move(change), deadline);
}

Task<Result<std::optional<std::string>>> MemoryStore::get(Partition partition, Key key, Deadline deadline) {
  CO_CHECK_OK(check_deadline(deadline));
  const std::lock_guard lock(mutex_);
  maybe_change(partition.root);
  co_return look(partition, key);
}

Task<Result<std::vector<std::optional<std::string>>>> MemoryStore::get_many(Partition partition,
                                                                            std::vector<std::string> keys,
                                                                            Deadline deadline) {
  CO_CHECK_OK(check_deadline(deadline));
  if (keys.size() > options_.limits.scan_items) {
    co_return fail(Errc::kInvalidArgument,
                   "get_many takes at most " + std::to_string(options_.limits.scan_items) + " keys");
  }
  const std::lock_guard lock(mutex_);
  maybe_change(partition.root);
  std::vector<std::optional<std::string>> values;
  values.reserve(keys.size());
  for (std::string& key : keys) {
    CO_TRY(auto value, look(partition, {Space::kRecords, std::move(key)}));
    values.push_back(std::move(value));
  }
  co_return values;
}

Result<std::vector<Item>> MemoryStore::scan_one(const Scan& scan) {
  std::vector<Item> items;
  const auto add = [&](const std::string& key, const std::string& value) {
    if (is_inside(key, scan.begin, scan.end)) items.push_back({key, scan.keys_only ? std::string() : value});
    return items.size() < scan.limit;
  };
  if (scan.limit == 0) return items;
  if (scan.space == Space::kJournal) {
    for (std::size_t i = 0; i < journal_.size(); ++i) {
      if (!add(journal_key(i + 1), journal_[i])) break;
    }
    return items;
  }
  const auto root = roots_.find(scan.partition.root);
  if (root == roots_.end()) return items;
  const Records& records = range_of(root->second, scan.partition.route)->second;
  for (auto each = records.lower_bound({scan.space, scan.begin}); each != records.end(); ++each) {
    if (each->first.first != scan.space) break;
    if (each->second.route == scan.partition.route && !add(each->first.second, each->second.value)) break;
  }
  return items;
}

Task<Result<std::vector<Item>>> MemoryStore::scan(Scan scan) {
  if (scan.limit > options_.limits.scan_items) {
    co_return fail(Errc::kInvalidArgument,
                   "a scan answers at most " + std::to_string(options_.limits.scan_items) + " items");
  }
  CO_CHECK_OK(check_key(scan.begin));
  CO_CHECK_OK(check_key(scan.end));
  CO_CHECK_OK(check_patience(scan.patience));
  const std::lock_guard lock(mutex_);
  maybe_change(scan.partition.root);
  co_return scan_one(scan);
}

std::unique_ptr<Cursor> MemoryStore::cursor(CursorRange range) {
  return std::make_unique<MemoryCursor>(*this, std::move(range));
}

MemoryStore::Root* MemoryStore::living(RootId root) {
  const auto found = roots_.find(root);
  return found == roots_.end() || found->second.left ? nullptr : &found->second;
}

Task<Status> MemoryStore::create_root(RootId root, Deadline deadline) {
  if (deadline.passed(clock_)) co_return fail(Errc::kNotBegun, "past its deadline");
  const std::lock_guard lock(mutex_);
  if (roots_.contains(root)) co_return fail(Errc::kConflict, "there is such a root, or was");
  roots_[root].ranges[{}];
  co_return Status{};
}

Task<Result<std::optional<RootState>>> MemoryStore::root_state(RootId root, Deadline deadline) {
  CO_CHECK_OK(check_deadline(deadline));
  const std::lock_guard lock(mutex_);
  const Root* const found = living(root);
  if (found == nullptr) co_return std::nullopt;
  co_return found->state;
}

Task<Status> MemoryStore::close_root(RootId root, ClosingMark mark, Deadline deadline) {
  if (deadline.passed(clock_)) co_return fail(Errc::kNotBegun, "past its deadline");
  const std::lock_guard lock(mutex_);
  Root* const found = living(root);
  if (found == nullptr) co_return fail(no_root());
  found->state = RootState::kClosing;
  found->mark = mark;
  co_return Status{};
}

Task<Status> MemoryStore::open_root(RootId root, Deadline deadline) {
  if (deadline.passed(clock_)) co_return fail(Errc::kNotBegun, "past its deadline");
  const std::lock_guard lock(mutex_);
  Root* const found = living(root);
  if (found == nullptr) co_return fail(no_root());
  found->state = RootState::kOpen;
  co_return Status{};
}

Task<Result<CommitInfo>> MemoryStore::end_root(RootId root, RootEnd end, Deadline deadline) {
  CO_CHECK_OK(check_value(end.left));
  if (deadline.passed(clock_)) co_return fail(Errc::kNotBegun, "past its deadline");
  const std::lock_guard lock(mutex_);
  Root* const found = living(root);
  if (found == nullptr || found->state != RootState::kClosing || found->mark != end.mark) {
    co_return fail(Errc::kConflict, "the root is not closed by whoever ends it");
  }
  found->left = std::move(end.left);
  found->usage = {};
  co_return witnessed(end.event);
}

Task<Result<std::vector<EndedRoot>>> MemoryStore::ended_roots(RootId from, std::size_t limit, Deadline deadline) {
  CO_CHECK_OK(check_deadline(deadline));
  const std::lock_guard lock(mutex_);
  std::vector<EndedRoot> ended;
  for (auto root = roots_.lower_bound(from); root != roots_.end() && ended.size() < limit; ++root) {
    if (root->second.left) ended.push_back({root->first, *root->second.left});
  }
  co_return ended;
}

Task<Status> MemoryStore::forget_root(RootId root, Deadline deadline) {
  if (deadline.passed(clock_)) co_return fail(Errc::kNotBegun, "past its deadline");
  const std::lock_guard lock(mutex_);
  const auto found = roots_.find(root);
  if (found == roots_.end()) co_return Status{};
  for (const auto& [begin, records] : found->second.ranges) {
    if (!records.empty()) co_return fail(Errc::kInvalidArgument, "a root is forgotten that still has records");
  }
  roots_.erase(found);
  co_return Status{};
}

Task<Result<Usage>> MemoryStore::usage(RootId root, Deadline deadline) {
  CO_CHECK_OK(check_deadline(deadline));
  const std::lock_guard lock(mutex_);
  const auto found = roots_.find(root);
  co_return found == roots_.end() ? Usage{} : found->second.usage;
}

std::uint64_t MemoryStore::last_sequence() const {
  const std::lock_guard lock(mutex_);
  return journal_.size();
}

Task<Result<std::optional<std::string>>> MemoryStore::get_anywhere(Key key, Deadline deadline) {
  CO_CHECK_OK(check_deadline(deadline));
  const std::lock_guard lock(mutex_);
  const auto home = homes_.find({key.space, key.bytes});
  co_return look(home == homes_.end() ? kCloudPartition : home->second, key);
}

Result<std::vector<Item>> MemoryStore::scan_all(const Scan& scan) {
  std::vector<Item> items;
  for (auto home = homes_.lower_bound({scan.space, scan.begin}); home != homes_.end(); ++home) {
    const auto& [space, key] = home->first;
    if (items.size() == scan.limit || space != scan.space || !is_inside(key, scan.begin, scan.end)) break;
    TRY(auto value, look(home->second, {space, key}));
    CHECK(value.has_value(), "a record is in the range of its route");
    items.push_back({key, scan.keys_only ? std::string() : *std::move(value)});
  }
  return items;
}

Task<Result<std::vector<Item>>> MemoryStore::scan_anywhere(Scan scan) {
  CO_CHECK_OK(check_patience(scan.patience));
  const std::lock_guard lock(mutex_);
  co_return scan_all(scan);
}

Task<Result<CommitInfo>> MemoryStore::commit_anywhere(Commit change, Deadline deadline) {
  const std::lock_guard lock(mutex_);
  std::vector<Place> places;
  for (const Expectation& each : change.expect) places.emplace_back(Space::kRecords, each.key);
  for (const Put& each : change.put) places.emplace_back(each.key.space, each.key.bytes);
  for (const Key& each : change.erase) places.emplace_back(each.space, each.bytes);
  const auto known = std::ranges::find_if(places, [&](const Place& place) { return homes_.contains(place); });
  if (known != places.end()) change.partition = homes_.at(*known);
  co_return make(std::move(change), deadline);
}

Task<Result<std::vector<CopyAnswer>>> MemoryStore::get_everywhere(Key key, Deadline deadline) {
  CO_TRY(auto value, co_await get_anywhere(std::move(key), deadline));
  std::vector<CopyAnswer> answers;
  answers.push_back({"the only copy", std::move(value)});
  co_return answers;
}

}  // namespace andromede::meta
