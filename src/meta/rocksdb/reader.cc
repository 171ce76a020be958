#include "meta/rocksdb/reader.h"

#include "meta/rocksdb/rocks_cursor.h"

namespace andromede::meta {
namespace {

constexpr std::size_t kMaxQueuedReads = 4096;

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

}  // namespace

Reader::Reader(MirrorSet& mirrors, unsigned threads)
    : mirrors_(mirrors), pool_("meta-reader", threads, kMaxQueuedReads) {}

Task<Result<std::optional<std::string>>> Reader::get(Key key) {
  CO_CHECK_OK(check_key(key.bytes));
  std::string value;
  CO_TRY(const Found found, co_await look_up(mirrors_, pool_, [&](const State& state, Tier tier) {
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
  CO_CHECK_OK(co_await look_up(mirrors_, pool_,
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
    auto items = co_await pool_.run([&] { return mirror->state().scan(scan); });
    if (items || !mirrors_.read_failed(*mirror, items.error())) co_return items;
  }
}

std::unique_ptr<Cursor> Reader::cursor(std::string begin, std::string end) {
  return std::make_unique<RocksCursor>(mirrors_, pool_, std::move(begin), std::move(end));
}

}  // namespace andromede::meta
