// meta::Store: ordered keys in partitions, changed by conditional atomic commits. The seam behind which RocksDB (one
// machine, mirrored) and Ceph RADOS omap (many) stand.
//
// Promises. Durable: commit() answers after the change is synced on every online mirror, and on so many of them, at so
// many sites, that it survives the next loss; while there are fewer it waits a while, then is kNotBegun. Witnessed:
// Commit::entry goes into the log in the same atomic step. Bounded: keys, values, commits and scans have limits.
//
// Threads: every call may come from any event loop; completion resumes the caller on its own scheduler. get() and
// get_many() answer at once, without leaving the loop's thread, when the data is in memory; a cursor does so for the
// keys that it has fetched ahead.
//
// Errors: kConflict (an expectation did not hold; nothing was changed), kInvalidArgument (over a limit), kOverloaded
// (the commit queue is full), kNoSpace, kNotBegun (a commit while too few mirrors are left, past its deadline or while
// the store stops), kUnavailable (mirrors went while it was under way; of reads: none is left), kCorrupt, kCancelled
// (the store stopped while it was under way). leaves_doubt() says after which of them a commit may be done all the
// same.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/result.h"
#include "base/task.h"

namespace andromede::meta {

inline constexpr std::size_t kMaxKeyBytes = 4096;
inline constexpr std::size_t kMaxValueBytes = 4 << 20;
inline constexpr std::size_t kMaxCommitBytes = 16 << 20;
inline constexpr std::size_t kMaxExpectations = 10'000;  // of one commit
inline constexpr std::size_t kMaxScanItems = 4096;

// Where a key lives. Small records that listings scan stay apart from payloads that listings must not drag along.
enum class Space : std::uint8_t {
  kRecords = 0,  // buckets, objects, uploads, blob locations, accounts
  kInline = 1,   // payloads of small objects (RocksDB: blob files, out of compaction)
  kJournal = 2,  // the log's entries, by sequence (written by Commit::entry only)
};

// All keys that one commit touches share a partition (one per bucket, say). An engine may order and lock by it.
using Partition = std::string;

struct Key {
  Space space = Space::kRecords;
  std::string bytes;  // ordered as unsigned bytes
};

// The value must be exactly this (or absent, for nullopt) at the moment of the commit.
struct Expectation {
  std::string key;  // in Space::kRecords
  std::optional<std::string> value;
};

struct Put {
  Key key;
  std::string value;
};

// Adds to a signed 64-bit little-endian counter; an absent counter is 0. Counters are not expected upon.
struct Add {
  std::string key;  // in Space::kRecords
  std::int64_t by = 0;
};

struct Commit {
  Partition partition;
  std::vector<Expectation> expect;
  std::vector<Put> put;
  std::vector<Key> erase;
  std::vector<Add> add;
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

struct Scan {
  Partition partition;
  Space space = Space::kRecords;
  std::string begin;         // first key, inclusive
  std::string end;           // past the last key, exclusive; empty: to the space's end
  std::size_t limit = 1000;  // items, at most kMaxScanItems
  bool keys_only = false;
  bool reverse = false;  // from just before `end` down to `begin`
  Patience patience;
};

// An ordered walk that can jump: what a listing with a delimiter needs. Sees one consistent state. Not thread-safe;
// stays on the loop that made it; short-lived (a page of a listing).
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

// What one copy of the metadata says of a key.
struct CopyAnswer {
  std::string copy;  // which, for people
  std::optional<std::string> value;
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

class Store {
 public:
  virtual ~Store() = default;
  virtual Task<Result<CommitInfo>> commit(Commit change, Deadline deadline) = 0;
  // kNotBegun, with what is lacking: commits are refused at once for want of mirrors, so that what only a commit makes
  // of use, such as an object's bytes, need not be taken in. Ok while they would wait for mirrors. Does not block.
  [[nodiscard]] virtual Status accepts_commits() const { return {}; }
  // nullopt: no such key.
  virtual Task<Result<std::optional<std::string>>> get(Partition partition, Key key) = 0;
  // Several keys of Space::kRecords of one partition at one consistent state.
  virtual Task<Result<std::vector<std::optional<std::string>>>> get_many(Partition partition,
                                                                         std::vector<std::string> keys) = 0;
  // get(), and get() of what the value names: an engine may go to its drive once for both. They need not be of one
  // state. `named` outlives the task.
  virtual Task<Result<Followed>> get_following(Partition partition, Key key, const NamedKey& named) {
    Followed found;
    CO_TRY(found.value, co_await get(partition, std::move(key)));
    if (!found.value) co_return found;
    if (auto next = named(*found.value)) {
      CO_TRY(found.named, co_await get(std::move(partition), *std::move(next)));
    }
    co_return found;
  }
  virtual Task<Result<std::vector<Item>>> scan(Scan scan) = 0;
  // What each copy of the metadata says of a key, one answer a copy: for what cannot be taken back, which must not
  // trust a single copy. kUnavailable when one cannot answer. Copies take a commit one after another, so answers may
  // differ for a moment. An engine that keeps no copies of its own has nothing to add to get().
  virtual Task<Result<std::vector<CopyAnswer>>> get_everywhere(Partition partition, Key key) {
    CO_TRY(auto value, co_await get(std::move(partition), std::move(key)));
    std::vector<CopyAnswer> answers;
    answers.push_back({"the only copy", std::move(value)});
    co_return answers;
  }
  // A scan forwards of every copy: each item that any of them has, each different value of a key, in order. The limit
  // is each copy's; fewer items than that: the end is reached. kUnavailable when a copy cannot answer.
  virtual Task<Result<std::vector<Item>>> scan_everywhere(Scan scan) { return this->scan(std::move(scan)); }
  // Walks [begin, end) of Space::kRecords; an empty `end` is the space's end.
  virtual std::unique_ptr<Cursor> cursor(Partition partition, std::string begin, std::string end,
                                         Patience patience) = 0;
  // Sequence of the last durable journal entry; entries are read with get/scan of Space::kJournal, keyed by the
  // sequence as 8 bytes big-endian.
  [[nodiscard]] virtual std::uint64_t last_sequence() const = 0;
};

}  // namespace andromede::meta
