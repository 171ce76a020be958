#include "meta/rocksdb/reader.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "meta/rocksdb/rocks_cursor.h"
#include "meta/rocksdb/walk.h"

namespace andromede::meta {
namespace {

constexpr std::size_t kMaxScanBytes = 64 << 20;

Error no_mirror() { return {make_error_code(Errc::kUnavailable), "no metadata mirror is online"}; }

Error cannot_answer() { return {make_error_code(Errc::kUnavailable), "a metadata mirror has failed"}; }

Status check_key(std::string_view key) {
  if (key.size() <= kMaxKeyBytes) return {};
  return fail(Errc::kInvalidArgument, "a key has at most " + std::to_string(kMaxKeyBytes) + " bytes");
}

Status check_scan(const Scan& scan) {
  if (scan.limit > kMaxScanItems) {
    return fail(Errc::kInvalidArgument, "a scan answers at most " + std::to_string(kMaxScanItems) + " items");
  }
  CHECK_OK(check_key(scan.begin));
  return check_key(scan.end);
}

// Runs `look(state, tier)`, a callable that answers Result<Found> and outlives the task: in memory first, then on the
// pool, then on the next mirror.
template <typename Look>
Task<Result<Found>> look_up(MirrorSet& mirrors, MirrorPools& pools, Look look) {
  for (;;) {
    const std::shared_ptr<Mirror> mirror = mirrors.reader();
    if (mirror == nullptr) co_return fail(no_mirror());
    Result<Found> found = look(mirror->state(), Tier::kMemory);
    if (found && *found == Found::kNotInMemory) {
      found =
          co_await pools.of(mirror).reads().run([&]() -> Result<Found> { return look(mirror->state(), Tier::kAll); });
    }
    if (found || !mirrors.read_failed(*mirror, found.error())) co_return found;
  }
}

// Collects what a scan asks for, in turns. `scan` and `mirror` outlive it.
class Scanner {
 public:
  Scanner(const std::shared_ptr<Mirror>& mirror, const Scan& scan) : mirror_(mirror), scan_(scan) {}
  // True: all is there.
  Result<bool> turn() {
    const bool begins = !walk_;
    if (begins) walk_.emplace(mirror_, scan_.space, scan_.begin, scan_.end, scan_.reverse);
    const Walk::Turn turn(*walk_);
    if (begins) {
      TRY(at_, walk_->start());
    } else if (at_ == Walk::At::kTurn) {
      TRY(at_, walk_->go_on());
    }
    while (at_ == Walk::At::kKey) {
      if (turn.spent()) return false;
      CHECK_OK(take());
      if (items_.size() == scan_.limit) return true;
      TRY(at_, walk_->next());
    }
    return at_ == Walk::At::kEnd;
  }
  std::vector<Item> items() && { return std::move(items_); }

 private:
  Status take() {
    Item item{std::string(walk_->key()), {}};
    if (!scan_.keys_only) item.value = walk_->value();
    bytes_ += item.key.size() + item.value.size();
    if (bytes_ > kMaxScanBytes) {
      return fail(Errc::kInvalidArgument, "the scan's items exceed 64 MiB; ask for fewer at a time");
    }
    items_.push_back(std::move(item));
    return {};
  }

  const std::shared_ptr<Mirror>& mirror_;
  const Scan& scan_;
  std::optional<Walk> walk_;  // from the first turn on
  Walk::At at_ = Walk::At::kEnd;
  std::size_t bytes_ = 0;
  std::vector<Item> items_;
};

}  // namespace

Reader::Reader(MirrorSet& mirrors, Metrics& metrics, const Clock& clock, unsigned threads)
    : mirrors_(mirrors), pools_(metrics, clock, threads) {}

Task<Result<std::optional<std::string>>> Reader::get(Key key) {
  CO_CHECK_OK(check_key(key.bytes));
  std::string value;
  CO_TRY(const Found found, co_await look_up(mirrors_, pools_, [&](const State& state, Tier tier) {
           return state.get(key.space, key.bytes, tier, value);
         }));
  if (found == Found::kNo) co_return std::nullopt;
  co_return std::move(value);
}

Task<Result<Followed>> Reader::get_following(Key key, const NamedKey& named) {
  CO_CHECK_OK(check_key(key.bytes));
  Followed found;
  CO_CHECK_OK(co_await look_up(mirrors_, pools_, [&](const State& state, Tier tier) -> Result<Found> {
    found = {};
    TRY(const Found first, state.get(key.space, key.bytes, tier, found.value.emplace()));
    if (first != Found::kYes) {
      found.value.reset();
      return first;
    }
    const std::optional<Key> next = named(*found.value);
    if (!next) return Found::kYes;
    TRY(const Found second, state.get(next->space, next->bytes, tier, found.named.emplace()));
    if (second != Found::kYes) found.named.reset();
    return second == Found::kNotInMemory ? second : Found::kYes;
  }));
  co_return found;
}

Task<Result<std::vector<std::optional<std::string>>>> Reader::get_many(std::vector<std::string> keys) {
  if (keys.size() > kMaxScanItems) {
    co_return fail(Errc::kInvalidArgument, "get_many takes at most " + std::to_string(kMaxScanItems) + " keys");
  }
  for (const std::string& key : keys) CO_CHECK_OK(check_key(key));
  std::vector<std::optional<std::string>> values;
  CO_CHECK_OK(co_await look_up(mirrors_, pools_,
                               [&](const State& state, Tier tier) { return state.get_many(keys, tier, values); }));
  co_return std::move(values);
}

Task<Result<std::vector<Item>>> Reader::scan(Scan scan) {
  CO_CHECK_OK(check_scan(scan));
  if (scan.limit == 0 || (!scan.end.empty() && scan.end <= scan.begin)) co_return std::vector<Item>();
  for (;;) {
    const std::shared_ptr<Mirror> mirror = mirrors_.reader();
    if (mirror == nullptr) co_return fail(no_mirror());
    Scanner scanner(mirror, scan);
    const Status done = co_await pools_.of(mirror).walk([&scanner] { return scanner.turn(); }, true, scan.patience);
    if (done) co_return std::move(scanner).items();
    if (!mirrors_.read_failed(*mirror, done.error())) co_return fail(done.error());
  }
}

Task<Result<std::vector<CopyAnswer>>> Reader::get_everywhere(Key key) {
  CO_CHECK_OK(check_key(key.bytes));
  const auto mirrors = mirrors_.list();
  if (mirrors->empty()) co_return fail(no_mirror());
  const auto map = mirrors_.drives().map();
  std::vector<CopyAnswer> answers;
  for (const auto& mirror : *mirrors) {
    std::string value;
    const auto found = co_await pools_.of(mirror).reads().run([&]() -> Result<Found> {
      if (mirror->failed()) return fail(cannot_answer());
      return mirror->state().get(key.space, key.bytes, Tier::kAll, value);
    });
    if (!found) {
      mirrors_.read_failed(*mirror, found.error());
      co_return fail(Errc::kUnavailable, found.error().describe());
    }
    const io::DriveInfo* const drive = map->find(mirror->drive());
    answers.push_back({"the mirror on drive " + (drive == nullptr ? mirror->drive().to_string() : drive->name.value()),
                       *found == Found::kNo ? std::nullopt : std::optional(std::move(value))});
  }
  co_return answers;
}

Task<Result<std::vector<Item>>> Reader::scan_everywhere(Scan scan) {
  CO_CHECK_OK(check_scan(scan));
  if (scan.reverse) co_return fail(Errc::kInvalidArgument, "only scans forwards are for every copy");
  if (scan.limit == 0 || (!scan.end.empty() && scan.end <= scan.begin)) co_return std::vector<Item>();
  const auto mirrors = mirrors_.list();
  if (mirrors->empty()) co_return fail(no_mirror());
  std::vector<Item> all;
  // How far every copy has been read.
  std::optional<std::string> known_to;
  for (const auto& mirror : *mirrors) {
    if (mirror->failed()) co_return fail(cannot_answer());
    Scanner scanner(mirror, scan);
    const Status done = co_await pools_.of(mirror).walk([&scanner] { return scanner.turn(); }, true, scan.patience);
    if (!done) {
      mirrors_.read_failed(*mirror, done.error());
      co_return fail(Errc::kUnavailable, done.error().describe());
    }
    std::vector<Item> items = std::move(scanner).items();
    if (items.size() == scan.limit && (!known_to || items.back().key < *known_to)) known_to = items.back().key;
    all.insert(all.end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
  }
  if (known_to) std::erase_if(all, [&](const Item& item) { return item.key > *known_to; });
  std::sort(all.begin(), all.end(),
            [](const Item& a, const Item& b) { return std::tie(a.key, a.value) < std::tie(b.key, b.value); });
  const auto same = [](const Item& a, const Item& b) { return a.key == b.key && a.value == b.value; };
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  co_return all;
}

std::unique_ptr<Cursor> Reader::cursor(std::string begin, std::string end, Patience patience) {
  return std::make_unique<RocksCursor>(mirrors_, pools_, std::move(begin), std::move(end), std::move(patience));
}

}  // namespace andromede::meta
