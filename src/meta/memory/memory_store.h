// MemoryStore: a metadata engine in memory that keeps partitions strictly apart, as one on omap objects must, and
// splits and merges their ranges at random while it is used. For tests only: what it refuses is what an omap object
// could not keep. A record is asked for under its own root and route, or the answer is kInvalidArgument with both
// named; a commit touches one partition; a cursor shows one state a fetch, and fetches little at a time.
//
// Thread-safe; every call is done when its task is begun.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "meta/every_root.h"
#include "meta/store.h"

namespace andromede::meta {

class MemoryStore final : public Store, public EveryRoot {
 public:
  struct Options {
    std::uint64_t seed = 1;         // of splits, merges and the sizes of fetches
    Limits limits = kLeastLimits;   // none may be less
    unsigned calls_per_change = 4;  // so many calls, on average, from one split or merge to the next; 0: there is none
  };

  // `sealer` and `clock` outlive the store.
  MemoryStore(LogSealer& sealer, const Clock& clock, Options options);

  // Goes on with another sealer, as after a restart, which outlives the store.
  Status go_on_with(LogSealer& sealer);
  // Takes more at once from now on; while nobody else uses the store.
  void set_limits(Limits limits);
  // Splits a range of the root, or merges two, chosen at random, if there are any to be.
  void shake(RootId root);
  // How many partitions a root has.
  [[nodiscard]] std::size_t partitions(RootId root) const;
  [[nodiscard]] std::uint64_t splits() const;
  [[nodiscard]] std::uint64_t merges() const;

  [[nodiscard]] const Limits& limits() const override { return options_.limits; }
  Task<Result<CommitInfo>> commit(Commit change, Deadline deadline) override;
  Task<Result<std::optional<std::string>>> get(Partition partition, Key key, Deadline deadline) override;
  Task<Result<std::vector<std::optional<std::string>>>> get_many(Partition partition, std::vector<std::string> keys,
                                                                 Deadline deadline) override;
  Task<Result<std::vector<Item>>> scan(Scan scan) override;
  std::unique_ptr<Cursor> cursor(CursorRange range) override;
  Task<Status> create_root(RootId root, Deadline deadline) override;
  Task<Result<std::optional<RootState>>> root_state(RootId root, Deadline deadline) override;
  Task<Status> close_root(RootId root, ClosingMark mark, Deadline deadline) override;
  Task<Status> open_root(RootId root, Deadline deadline) override;
  Task<Result<CommitInfo>> end_root(RootId root, RootEnd end, Deadline deadline) override;
  Task<Result<std::vector<EndedRoot>>> ended_roots(RootId from, std::size_t limit, Deadline deadline) override;
  Task<Status> forget_root(RootId root, Deadline deadline) override;
  Task<Result<Usage>> usage(RootId root, Deadline deadline) override;
  [[nodiscard]] std::uint64_t last_sequence() const override;

  Task<Result<std::optional<std::string>>> get_anywhere(Key key, Deadline deadline) override;
  Task<Result<std::vector<Item>>> scan_anywhere(Scan scan) override;
  Task<Result<CommitInfo>> commit_anywhere(Commit change, Deadline deadline) override;
  Task<Result<std::vector<CopyAnswer>>> get_everywhere(Key key, Deadline deadline) override;
  Task<Result<std::vector<Item>>> scan_everywhere(Scan scan) override { return scan_anywhere(std::move(scan)); }
  [[nodiscard]] std::size_t max_scan_items() const override { return options_.limits.scan_items; }

 private:
  class MemoryCursor;
  using Place = std::pair<Space, std::string>;
  struct Record {
    std::string route;
    std::string value;
  };
  using Records = std::map<Place, Record>;  // of one range: nothing is kept across two
  struct Root {
    RootState state = RootState::kOpen;
    ClosingMark mark{};
    std::optional<std::string> left;          // it has ended
    std::map<std::string, Records> ranges{};  // by where each begins; the first begins with nothing
    Usage usage;
  };
  using Range = std::map<std::string, Records>::iterator;

  // All below: under mutex_.
  void maybe_change(RootId root);
  void change_ranges(RootId root);
  void split(Root& root, Range range);
  void merge(Root& root, Range left);
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  Status check_limits(const Commit& change) const;
  Status check_key(std::string_view key) const;
  Status check_value(std::string_view value) const;
  Status check_home(const Partition& partition, Space space, const std::string& key) const;
  Status check_homes(const Commit& change) const;
  static Range range_of(Root& root, std::string_view route);
  // nullopt: it is not there.
  Result<std::optional<std::string>> look(const Partition& partition, const Key& key);
  Result<CommitInfo> make(Commit change, Deadline deadline);
  // `end` may have ended it meanwhile: null.
  Root* living(RootId root);
  Result<CommitInfo> witnessed(std::string_view event);
  Result<std::vector<Item>> scan_one(const Scan& scan);
  Result<std::vector<Item>> scan_all(const Scan& scan);
  Status check_patience(const Patience& patience) const;
  Status check_deadline(Deadline deadline) const;

  const Clock& clock_;
  Options options_;
  mutable std::mutex mutex_;
  LogSealer* sealer_;
  std::mt19937_64 random_;
  std::map<RootId, Root> roots_;
  std::map<Place, Partition> homes_;  // of every record: what tells a wrong partition from an absent record
  std::vector<std::string> journal_;
  std::uint64_t splits_ = 0;
  std::uint64_t merges_ = 0;
};

}  // namespace andromede::meta
