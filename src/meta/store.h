// meta::Store: ordered keys in partitions, changed by conditional atomic commits. The seam behind which RocksDB (one
// machine, mirrored) and Ceph RADOS omap (many) stand: nothing is promised that an omap object cannot keep
// (docs/adr/0013-a-store-for-two-engines.md). test_conformance.h holds every engine to it.
//
// Promises. Durable: commit() answers after the change is synced on every online mirror, and on so many of them, at so
// many sites, that it survives the next loss; while there are fewer it waits a while, then is kNotBegun. Witnessed:
// Commit::event goes into the log in the same atomic step. Bounded: keys, values, commits and scans have limits
// (limits()), and every wait a deadline.
//
// Threads: every call may come from any event loop; completion resumes the caller on its own scheduler. get() and
// get_many() answer at once, without leaving the loop's thread, when the data is in memory; a cursor does so for the
// keys that it has fetched ahead.
//
// Errors: kConflict (an expectation did not hold; nothing was changed), kInvalidArgument (over a limit, or of two
// partitions), kOverloaded (the commit queue is full), kNoSpace, kNotBegun (a commit while too few mirrors are left,
// past its deadline or while the store stops), kUnavailable (mirrors went while it was under way; of reads: none is
// left), kTimeout (a read past its deadline), kCorrupt, kCancelled (the store stopped while it was under way).
// leaves_doubt() says after which of them a commit may be done all the same.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/task.h"

namespace andromede::meta {

// How much an engine takes at once. Nothing over a limit is begun: kInvalidArgument.
struct Limits {
  std::size_t key_bytes = 0;
  std::size_t value_bytes = 0;
  std::size_t commit_bytes = 0;  // keys and values that it puts or erases, and its event
  std::size_t expectations = 0;  // of one commit
  std::size_t scan_items = 0;    // of one scan or get_many
};
// What every engine takes at least: who needs no more need not ask.
inline constexpr Limits kLeastLimits{4096, 128 << 10, 1 << 20, 256, 1024};

// What is listed, opened and closed as a whole: a bucket, by its id, or the cloud, which is none.
using RootId = Id128<struct RootTag>;
inline constexpr RootId kCloudRoot{};

// Where records live that change together. An engine keeps a root's records in partitions, each a range of routes that
// it splits and merges while commits go on; RocksDB needs one only. A record has, for life, the route that it was first
// put with, and is found by no other; its key need not hold it. All records of one object share its key as their route,
// those of the cloud have none.
struct Partition {
  RootId root;
  std::string route;
  friend bool operator==(const Partition&, const Partition&) = default;
};

inline const Partition kCloudPartition;

// Where a key lives. Small records that listings scan stay apart from payloads that listings must not drag along.
enum class Space : std::uint8_t {
  kRecords = 0,  // buckets, objects, uploads, blob locations, accounts
  kInline = 1,   // payloads of small objects (RocksDB: blob files, out of compaction)
  kJournal = 2,  // the log's entries, by sequence (written by Commit::entry only)
};

struct Key {
  Space space = Space::kRecords;
  std::string bytes;  // ordered as unsigned bytes
};

// The first string that is greater than every string beginning with `prefix`; empty when there is none.
[[nodiscard]] inline std::string past_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

// The value must be exactly this (or absent, for nullopt) at the moment of the commit.
struct Expectation {
  std::string key;  // in Space::kRecords
  std::optional<std::string> value;
};

struct Put {
  Key key;
  std::string value;  // never empty: an omap comparison takes an empty value for an absent key
};

// What a root holds; of a commit, how that changes.
struct Usage {
  std::int64_t objects = 0;
  std::int64_t bytes = 0;
  friend bool operator==(const Usage&, const Usage&) = default;
};

struct Commit {
  Partition partition;
  std::vector<Expectation> expect;
  std::vector<Put> put;
  std::vector<Key> erase;
  Usage usage;
  // Adds to its root, and must not come behind the root's end: kConflict unless that is open.
  bool needs_open_root = false;
  // The journal's event for this change, required: an engine refuses (kInvalidArgument) a commit without one, except
  // where `unwitnessed` says why none is owed (relocating a shard changes nothing that a tenant or operator decided).
  std::optional<std::string> event;
  const char* unwitnessed = nullptr;
  // Serves to give space back, so that it goes on where space is low and other commits that put are refused (kNoSpace).
  // For a record that is written over with one of its size, as the mark of a deletion that follows, and for a small one
  // that says what a deletion has left to erase.
  bool gives_back = false;
  // Serves to make the metadata or the data redundant again: the entries of mirrors and drives that join, the places of
  // shards that were rebuilt. It goes on below the redundancy that every other commit needs, and nothing may be erased
  // on the strength of it alone. Nobody else sets it.
  bool restores_redundancy = false;
};

struct Item {
  std::string key;
  std::string value;
};

// How long somebody waits for a walk. It is looked at before each of the walk's turns.
struct Patience {
  Deadline deadline = Deadline::never();  // kTimeout
  std::stop_token stop;                   // kCancelled: nobody waits any more
};

// Of records with the partition's route, in a range where no others are.
struct Scan {
  Partition partition;
  Space space = Space::kRecords;
  std::string begin;         // first key, inclusive
  std::string end;           // past the last key, exclusive; empty: to the space's end
  std::size_t limit = 1000;  // items, at most limits().scan_items
  bool keys_only = false;
  Patience patience;
};

// What a cursor walks: keys of Space::kRecords of one root, whatever their route. Each of them is `base`, its route,
// and then nothing or a zero byte and more; so they are in the order of their routes, and ranges of routes that begin
// at a border without a zero byte follow each other in it.
struct CursorRange {
  RootId root;
  std::string base;
  std::string begin;  // first key, inclusive; begins with `base`
  std::string end;    // past the last key, exclusive; empty: to the end of those with that base
  Patience patience;
};

// An ordered walk that can jump: what a listing with a delimiter needs. It shows each key at most once, in order, and
// every key that was there all the time, with a value that it had during the walk; no single state of all. Not
// thread-safe; stays on the loop that made it; short-lived (a page of a listing).
class Cursor {
 public:
  virtual ~Cursor() = default;
  // Moves to the first key >= `key`. Answers whether there is one below the cursor's end.
  virtual Task<Result<bool>> seek(std::string key) = 0;
  virtual Task<Result<bool>> next() = 0;
  // As next(), but without suspending: nullopt when the answer is not in memory, and then next() must be called.
  virtual std::optional<Result<bool>> try_next() = 0;
  // Valid until the next move, after one that answered true.
  [[nodiscard]] virtual std::string_view key() const = 0;
  [[nodiscard]] virtual std::string_view value() const = 0;
};

// Builds what the log stores for an event. Called by the engine's single committer, in sequence order, from one thread.
// The journal module implements it; the engine knows nothing of the entry's format.
class LogSealer {
 public:
  virtual ~LogSealer() = default;
  // Called at open with the last stored entry (empty when the log is empty) and its sequence (0 when empty). An error
  // means that these bytes are damaged: the engine tries another copy, and the last call that succeeded counts.
  virtual Status restore(std::uint64_t last_sequence, ByteView last_entry) = 0;
  // The bytes to store as entry `sequence` (1, 2, 3 … without a gap). May be called for a group of commits that is then
  // not stored, when no mirror could be written; the engine then calls restore() again before the next.
  virtual std::string seal(std::uint64_t sequence, std::string_view event) = 0;
};

struct CommitInfo {
  std::uint64_t sequence = 0;  // of the journal entry; 0 when unwitnessed
};

// A value, and the one that it names.
struct Followed {
  std::optional<std::string> value;  // nullopt: no such key
  std::optional<std::string> named;  // nullopt: it names none, or that one is not there
};
// The key, of the same partition, that a value names; nullopt: none. Called on any thread, maybe again.
using NamedKey = std::function<std::optional<Key>(std::string_view value)>;

// Whether a commit that answered `error` may be done, now or after the next opening. If not, it was certainly not done
// and never will be: what was written for it may be given back.
[[nodiscard]] inline bool leaves_doubt(const Error& error) {
  return !(error == Errc::kConflict || error == Errc::kInvalidArgument || error == Errc::kOverloaded ||
           error == Errc::kNoSpace || error == Errc::kNotBegun);
}

enum class RootState : std::uint8_t { kOpen, kClosing };

// Of one closing of a root, drawn at random by who closes it.
using ClosingMark = std::array<std::uint8_t, 16>;

// How a root ends.
struct RootEnd {
  ClosingMark mark{};
  std::string left;   // what whoever clears up behind it needs to know; not empty
  std::string event;  // as Commit::event
};
struct EndedRoot {
  RootId root;
  std::string left;
};

class Store {
 public:
  virtual ~Store() = default;
  [[nodiscard]] virtual const Limits& limits() const = 0;
  virtual Task<Result<CommitInfo>> commit(Commit change, Deadline deadline) = 0;
  // kNotBegun, with what is lacking: commits are refused at once for want of mirrors, so that what only a commit makes
  // of use, such as an object's bytes, need not be taken in. Ok while they would wait for mirrors. Does not block.
  [[nodiscard]] virtual Status accepts_commits() const { return {}; }
  // nullopt: no such key.
  virtual Task<Result<std::optional<std::string>>> get(Partition partition, Key key, Deadline deadline) = 0;
  // Several keys of Space::kRecords of one partition at one consistent state.
  virtual Task<Result<std::vector<std::optional<std::string>>>> get_many(Partition partition,
                                                                         std::vector<std::string> keys,
                                                                         Deadline deadline) = 0;
  // get(), and get() of what the value names: an engine may go to its drive once for both. They need not be of one
  // state. `named` outlives the task.
  virtual Task<Result<Followed>> get_following(Partition partition, Key key, const NamedKey& named, Deadline deadline) {
    Followed found;
    CO_TRY(found.value, co_await get(partition, std::move(key), deadline));
    if (!found.value) co_return found;
    if (auto next = named(*found.value)) {
      CO_TRY(found.named, co_await get(std::move(partition), *std::move(next), deadline));
    }
    co_return found;
  }
  // At one consistent state.
  virtual Task<Result<std::vector<Item>>> scan(Scan scan) = 0;
  virtual std::unique_ptr<Cursor> cursor(CursorRange range) = 0;

  // --- Roots. Every root but the cloud's is made, and ends, by these; they are commits, with the same errors. A root
  // is open, or closing: somebody is about to end it, if it may. create_root(): kConflict where there is, or was, one.
  virtual Task<Status> create_root(RootId root, Deadline deadline) = 0;
  // nullopt: there is none, or it has ended.
  virtual Task<Result<std::optional<RootState>>> root_state(RootId root, Deadline deadline) = 0;
  // Once it is done no commit that needs the root open happens until it is opened again; those before are seen by every
  // read from then on. Whoever closed it before closes it no more. kNotFound; kConflict: it changed meanwhile.
  virtual Task<Status> close_root(RootId root, ClosingMark mark, Deadline deadline) = 0;
  // kNotFound; kConflict: it changed meanwhile.
  virtual Task<Status> open_root(RootId root, Deadline deadline) = 0;
  // Ends a root that is still closed by `end.mark` (kConflict otherwise): from then on nothing can be added to it. What
  // is left of it can be read and erased until it is forgotten.
  virtual Task<Result<CommitInfo>> end_root(RootId root, RootEnd end, Deadline deadline) = 0;
  // Roots that have ended and are not forgotten, from `from` on, at most `limit`, in the order of their ids.
  virtual Task<Result<std::vector<EndedRoot>>> ended_roots(RootId from, std::size_t limit, Deadline deadline) = 0;
  // Of a root that nothing is left of, or that nothing ever came into.
  virtual Task<Status> forget_root(RootId root, Deadline deadline) = 0;
  // The sum of its commits' usage. Of a root that is changed meanwhile: of some moment of late. An engine may be unable
  // to authenticate it: for telling, not for deciding.
  virtual Task<Result<Usage>> usage(RootId root, Deadline deadline) = 0;

  // Sequence of the last durable journal entry; entries are read with get/scan of Space::kJournal, keyed by the
  // sequence as 8 bytes big-endian.
  [[nodiscard]] virtual std::uint64_t last_sequence() const = 0;
};

}  // namespace andromede::meta
