#include "meta/rocksdb/reader.h"

#include "meta/rocksdb/rocks_cursor.h"
#include "meta/rocksdb/walk.h"

namespace andromede::meta {
namespace {

constexpr std::size_t kMaxScanBytes = 64 << 20;

Error no_mirror() { return {make_error_code(Errc::kUnavailable), "no metadata mirror is online"}; }

Status check_key(std::string_view key) {
  if (key.size() <= kMaxKeyBytes) return {};
  return fail(Errc::kInvalidArgument, "a key has at most " + std::to_string(kMaxKeyBytes) + " bytes");
}

// Runs `look(state, tier)`, a callable that answers Result<Found> and outlives the task: in memory first, then on the
// pool, then on the next mirror.
template <typename Look>
Task<Result<Found>> look_up(MirrorSet& mirrors, ThreadPool& pool, Look look) {
  for (;;) {
    const std::shared_ptr<Mirror> mirror = mirrors.reader();
    if (mirror == nullptr) co_return fail(no_mirror());
    Result<Found> found = look(mirror->state(), Tier::kMemory);
    if (found && *found == Found::kNotInMemory) {
      found = co_await pool.run([&]() -> Result<Found> { return look(mirror->state(), Tier::kAll); });
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

Reader::Reader(MirrorSet& mirrors, Metrics& metrics, unsigned threads) : mirrors_(mirrors), pools_(metrics, threads) {}

Task<Result<std::optional<std::string>>> Reader::get(Key key) {
  CO_CHECK_OK(check_key(key.bytes));
  std::string value;
  CO_TRY(const Found found, co_await look_up(mirrors_, pools_.reads(), [&](const State& state, Tier tier) {
           return state.get(key.space, key.bytes, tier, value);
         }));
  if (found == Found::kNo) co_return std::nullopt;
  co_return std::move(value);
}

Task<Result<std::vector<std::optional<std::string>>>> Reader::get_many(std::vector<std::string> keys) {
  if (keys.size() > kMaxScanItems) {
    co_return fail(Errc::kInvalidArgument, "get_many takes at most " + std::to_string(kMaxScanItems) + " keys");
  }
  for (const std::string& key : keys) CO_CHECK_OK(check_key(key));
  std::vector<std::optional<std::string>> values;
  CO_CHECK_OK(co_await look_up(mirrors_, pools_.reads(),
                               [&](const State& state, Tier tier) { return state.get_many(keys, tier, values); }));
  co_return std::move(values);
}

Task<Result<std::vector<Item>>> Reader::scan(Scan scan) {
  if (scan.limit > kMaxScanItems) {
    co_return fail(Errc::kInvalidArgument, "a scan answers at most " + std::to_string(kMaxScanItems) + " items");
  }
  CO_CHECK_OK(check_key(scan.begin));
  CO_CHECK_OK(check_key(scan.end));
  if (scan.limit == 0 || (!scan.end.empty() && scan.end <= scan.begin)) co_return std::vector<Item>();
  for (;;) {
    const std::shared_ptr<Mirror> mirror = mirrors_.reader();
    if (mirror == nullptr) co_return fail(no_mirror());
    Scanner scanner(mirror, scan);
    const Status done = co_await pools_.walk([&scanner] { return scanner.turn(); }, true);
    if (done) co_return std::move(scanner).items();
    if (!mirrors_.read_failed(*mirror, done.error())) co_return fail(done.error());
  }
}

std::unique_ptr<Cursor> Reader::cursor(std::string begin, std::string end) {
  return std::make_unique<RocksCursor>(mirrors_, pools_, std::move(begin), std::move(end));
}

}  // namespace andromede::meta
