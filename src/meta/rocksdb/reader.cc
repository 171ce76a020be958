#include "meta/rocksdb/reader.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "meta/rocksdb/fail_over.h"
#include "meta/rocksdb/limits.h"
#include "meta/rocksdb/rocks_cursor.h"
#include "meta/rocksdb/walk.h"

namespace andromede::meta {
namespace {

constexpr std::size_t kMaxScanBytes = 64 << 20;

Error no_mirror() { return {make_error_code(Errc::kUnavailable), "no metadata mirror is online"}; }

Error cannot_answer() { return {make_error_code(Errc::kUnavailable), "a metadata mirror has failed"}; }

Status check_key(std::string_view key) {
  if (key.size() <= kEngineLimits.key_bytes) return {};
  return fail(Errc::kInvalidArgument, "a key has at most " + std::to_string(kEngineLimits.key_bytes) + " bytes");
}

Status check_scan(const Scan& scan) {
  if (scan.limit > kEngineLimits.scan_items) {
    return fail(Errc::kInvalidArgument,
                "a scan answers at most " + std::to_string(kEngineLimits.scan_items) + " items");
  }
  CHECK_OK(check_key(scan.begin));
  return check_key(scan.end);
}

// What is looked up by key: in memory on the calling thread (`reading` is null), else on a pool.
struct Get {
  using Answer = std::string;
  Result<Found> look(const State& state, Tier tier, Answer& value, Reading* /*reading*/) const {
    return state.get(key.space, key.bytes, tier, value);
  }
  Key key;
};

struct GetFollowing {
  using Answer = Followed;
  Result<Found> look(const State& state, Tier tier, Answer& found, Reading* reading) const {
    found = {};
    TRY(const Found first, state.get(key.space, key.bytes, tier, found.value.emplace()));
    if (first != Found::kYes) {
      found.value.reset();
      return first;
    }
    std::optional<Key> next;
    if (reading == nullptr) {
      next = (*named)(*found.value);
    } else {
      reading->step();
      reading->while_awaited([&] { next = (*named)(*found.value); });
    }
    if (!next) return Found::kYes;
    TRY(const Found second, state.get(next->space, next->bytes, tier, found.named.emplace()));
    if (second != Found::kYes) found.named.reset();
    return second == Found::kNotInMemory ? second : Found::kYes;
  }
  Key key;
  const NamedKey* named;  // the caller's
};

struct GetMany {
  using Answer = std::vector<std::optional<std::string>>;
  Result<Found> look(const State& state, Tier tier, Answer& values, Reading* reading) const {
    if (reading == nullptr) return state.get_many(keys, tier, values);
    return state.get_many(keys, tier, values, [reading] { reading->step(); });
  }
  std::vector<std::string> keys;
};

// The work of a read from the drive: all that it touches but what GetFollowing is given while it is awaited.
template <typename Question>
struct Look {
  struct Seen {
    Found found;
    typename Question::Answer answer;
  };
  Result<Seen> operator()(Reading& reading) const {
    Seen seen{};
    TRY(seen.found, question.look(mirror->state(), Tier::kAll, seen.answer, &reading));
    return seen;
  }
  std::shared_ptr<Mirror> mirror;
  Question question;
};

// Collects what a scan asks for, in turns.
class Scanner {
 public:
  Scanner(std::shared_ptr<Mirror> mirror, Scan the_scan) : scan(std::move(the_scan)), mirror_(std::move(mirror)) {}
  // True: all is there.
  Result<bool> turn(Reading& reading) {
    const bool begins = !walk_;
    if (begins) walk_.emplace(mirror_, scan.space, scan.begin, scan.end);
    const Walk::Turn turn(*walk_);
    if (begins) {
      TRY(at_, walk_->start());
    } else if (at_ == Walk::At::kTurn) {
      TRY(at_, walk_->go_on());
    }
    while (at_ == Walk::At::kKey) {
      if (turn.spent()) return false;
      reading.step();
      CHECK_OK(take());
      if (items_.size() == scan.limit) return true;
      TRY(at_, walk_->next());
    }
    return at_ == Walk::At::kEnd;
  }
  // Once all is there.
  std::vector<Item> items() && { return std::move(items_); }

  const Scan scan;

 private:
  Status take() {
    Item item{std::string(walk_->key()), {}};
    if (!scan.keys_only) item.value = walk_->value();
    bytes_ += item.key.size() + item.value.size();
    if (bytes_ > kMaxScanBytes) {
      return fail(Errc::kInvalidArgument, "the scan's items exceed 64 MiB; ask for fewer at a time");
    }
    items_.push_back(std::move(item));
    return {};
  }

  const std::shared_ptr<Mirror> mirror_;
  std::optional<Walk> walk_;  // from the first turn on
  Walk::At at_ = Walk::At::kEnd;
  std::size_t bytes_ = 0;
  std::vector<Item> items_;
};

Task<Status> scan_all(WalkPools& pools, std::shared_ptr<Scanner> scanner) {
  co_return co_await pools.walk([scanner](Reading& reading) { return scanner->turn(reading); }, true,
                                scanner->scan.patience);
}

}  // namespace

Reader::Reader(MirrorSet& mirrors, Metrics& metrics, const Clock& clock, unsigned threads,
               std::chrono::milliseconds patience)
    : mirrors_(mirrors),
      pools_(metrics, clock, threads, patience, [this](const void* mirror, std::chrono::nanoseconds still) {
        return hopeless(*static_cast<const Mirror*>(mirror), still);
      }) {}

bool Reader::hopeless(const Mirror& mirror, std::chrono::nanoseconds still) const {
  if (waits_ended_) return true;
  const bool another = mirrors_.another_than(mirror);
  // The last one may still read what it can no longer write.
  if (mirror.failed()) return another || mirrors_.drives().disk(mirror.drive()).get() != &mirror.disk();
  return another && still >= pools_.patience();
}

template <typename Question>
Task<Result<Found>> Reader::look_up(Question& question, typename Question::Answer& answer, Deadline deadline) {
  FailOver way(mirrors_, pools_);
  for (;;) {
    CO_TRY(const std::shared_ptr<Mirror> mirror, way.mirror());
    Result<Found> found = question.look(mirror->state(), Tier::kMemory, answer, nullptr);
    if (found && *found == Found::kNotInMemory) {
      const auto read = std::make_shared<WalkPools::Read<Look<Question>>>(Look<Question>{mirror, std::move(question)});
      const WalkPools::Waiting waiting(pools_.of(mirror), read, deadline);
      auto seen = co_await read->answer();
      if (seen) {
        answer = std::move(seen->answer);
        way.answered();
        co_return seen->found;
      }
      question = read->work.question;
      found = fail(std::move(seen).error());
    }
    if (found) way.answered();
    if (found || !way.goes_on(mirror, found.error())) co_return found;
  }
}

Task<Result<std::optional<std::string>>> Reader::get(Key key, Deadline deadline) {
  CO_CHECK_OK(check_key(key.bytes));
  Get question{std::move(key)};
  std::string value;
  CO_TRY(const Found found, co_await look_up(question, value, deadline));
  if (found == Found::kNo) co_return std::nullopt;
  co_return std::move(value);
}

Task<Result<Followed>> Reader::get_following(Key key, const NamedKey& named, Deadline deadline) {
  CO_CHECK_OK(check_key(key.bytes));
  GetFollowing question{std::move(key), &named};
  Followed found;
  CO_CHECK_OK(co_await look_up(question, found, deadline));
  co_return found;
}

Task<Result<std::vector<std::optional<std::string>>>> Reader::get_many(std::vector<std::string> keys,
                                                                       Deadline deadline) {
  if (keys.size() > kEngineLimits.scan_items) {
    co_return fail(Errc::kInvalidArgument,
                   "get_many takes at most " + std::to_string(kEngineLimits.scan_items) + " keys");
  }
  for (const std::string& key : keys) CO_CHECK_OK(check_key(key));
  GetMany question{std::move(keys)};
  std::vector<std::optional<std::string>> values;
  CO_CHECK_OK(co_await look_up(question, values, deadline));
  co_return std::move(values);
}

Task<Result<std::vector<Item>>> Reader::scan(Scan scan) {
  CO_CHECK_OK(check_scan(scan));
  if (scan.limit == 0 || (!scan.end.empty() && scan.end <= scan.begin)) co_return std::vector<Item>();
  FailOver way(mirrors_, pools_);
  for (;;) {
    CO_TRY(const std::shared_ptr<Mirror> mirror, way.mirror());
    const auto scanner = std::make_shared<Scanner>(mirror, std::move(scan));
    const Status done = co_await scan_all(pools_.of(mirror), scanner);
    if (done) {
      way.answered();
      co_return std::move(*scanner).items();
    }
    if (!way.goes_on(mirror, done.error())) co_return fail(done.error());
    scan = scanner->scan;
  }
}

Task<Result<std::vector<CopyAnswer>>> Reader::get_everywhere(Key key, Deadline deadline) {
  CO_CHECK_OK(check_key(key.bytes));
  const auto mirrors = mirrors_.list();
  if (mirrors->empty()) co_return fail(no_mirror());
  const auto map = mirrors_.drives().map();
  FailOver way(mirrors_, pools_);
  std::vector<CopyAnswer> answers;
  std::optional<Error> failed;
  for (const auto& mirror : *mirrors) {
    if (mirror->failed()) co_return fail(cannot_answer());
    const auto read = std::make_shared<WalkPools::Read<Look<Get>>>(Look<Get>{mirror, {key}});
    const WalkPools::Waiting waiting(pools_.of(mirror), read, deadline);
    auto seen = co_await read->answer();
    if (!seen) {
      way.goes_on(mirror, seen.error());
      failed = std::move(seen).error();
      continue;
    }
    const io::DriveInfo* const drive = map->find(mirror->drive());
    answers.push_back({"the mirror on drive " + (drive == nullptr ? mirror->drive().to_string() : drive->name.value()),
                       seen->found == Found::kNo ? std::nullopt : std::optional(std::move(seen->answer))});
  }
  if (!answers.empty()) way.answered();
  if (failed) co_return fail(Errc::kUnavailable, failed->describe());
  co_return answers;
}

Task<Result<std::vector<Item>>> Reader::scan_everywhere(Scan scan) {
  CO_CHECK_OK(check_scan(scan));
  if (scan.limit == 0 || (!scan.end.empty() && scan.end <= scan.begin)) co_return std::vector<Item>();
  const auto mirrors = mirrors_.list();
  if (mirrors->empty()) co_return fail(no_mirror());
  FailOver way(mirrors_, pools_);
  std::vector<Item> all;
  std::size_t answers = 0;
  std::optional<Error> failed;
  // How far every copy has been read.
  std::optional<std::string> known_to;
  for (const auto& mirror : *mirrors) {
    if (mirror->failed()) co_return fail(cannot_answer());
    const auto scanner = std::make_shared<Scanner>(mirror, scan);
    const Status done = co_await scan_all(pools_.of(mirror), scanner);
    if (!done) {
      way.goes_on(mirror, done.error());
      failed = done.error();
      continue;
    }
    ++answers;
    std::vector<Item> items = std::move(*scanner).items();
    if (items.size() == scan.limit && (!known_to || items.back().key < *known_to)) known_to = items.back().key;
    all.insert(all.end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
  }
  if (answers > 0) way.answered();
  if (failed) co_return fail(Errc::kUnavailable, failed->describe());
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
