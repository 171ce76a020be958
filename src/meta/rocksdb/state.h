// State: the RocksDB database of one mirror, which holds what the commit log has been applied to. Its own log is off;
// what it has flushed is always the state right after one commit (docs/formats/commit-log.md).
//
// Threads: reads from any thread, beside one thread that applies. Nothing of RocksDB's is thrown out of here.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/mac.h"
#include "meta/record_seal.h"
#include "meta/store.h"

namespace andromede::meta {

// Turns a status that is not ok() and not Incomplete into an Error: kCorrupt, kNoSpace, kOverloaded (too many
// open files in this process: no drive's fault), kTimeout (the state is open in this process, by a thread that has not
// ended), kIo or kInternal.
Error to_error(const rocksdb::Status& status, std::string_view what);

enum class Tier {
  kMemory,  // answers kNotInMemory rather than touch the drive: what an event loop may ask for
  kAll,
};
// Where the journal ends: the last entry's sequence and the tag of what is stored of it.
struct JournalEnd {
  std::uint64_t sequence = 0;
  crypto::MacTag tag{};
};
enum class Found { kYes, kNo, kNotInMemory };

class State {
 public:
  struct Options {
    std::shared_ptr<const RecordSeal> seal;  // what values are sealed with; required
    // Told from any thread of each value that it did not seal for its place.
    std::function<void()> on_forged;
    std::shared_ptr<rocksdb::Cache> cache;      // blocks and blob values
    std::shared_ptr<rocksdb::Cache> row_cache;  // records by key: a hot one costs one look-up a table, no block search
    std::size_t memtable_bytes = 32 << 20;
    unsigned max_open_files = 512;
    bool warm_cache = false;  // flushed blocks and values go to the cache: for the mirror that answers reads
    // Told from any thread of each file that was opened or made: of an opening that gets on.
    std::function<void()> on_step;
    // Called from RocksDB's threads when it stopped writing (a failed flush or compaction).
    std::function<void(const Error&)> on_background_error;
  };

  // Makes the folder of a state and the one around it, and none above: the root of a drive that went away must not come
  // to be on the disk beneath its mount point.
  static Status make_folder(const std::string& path);
  // Makes an empty state, whatever the folder held.
  static Result<std::unique_ptr<State>> create(const std::string& path, Options options);
  // kCorrupt also when files are missing; kTimeout: it is open in this process. Other processes are kept off by the
  // drive's own lock alone.
  static Result<std::unique_ptr<State>> open(const std::string& path, Options options);
  // Closes without flushing: what was not flushed is in the commit log. Call flush() first for a quick next start.
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Index of the last commit applied; of the last one flushed; the salt of the log records behind it.
  [[nodiscard]] std::uint64_t applied() const { return applied_.load(std::memory_order_acquire); }
  Result<std::uint64_t> flushed() const;
  [[nodiscard]] std::uint64_t salt() const { return salt_; }

  // Applies a record's payload, whose values are sealed, whole or not at all.
  Status apply(ByteView payload, std::uint64_t last_index);
  // Makes `salt` the one that counts, together with all that is applied. Durable when it answers.
  Status start_epoch(std::uint64_t salt);
  Status flush();
  // Starts a flush and does not wait; does nothing while RocksDB holds writes up, because flushes are under way then.
  Status start_flush();
  // Whether RocksDB has stopped writing; asks it to try again, which helps after space was freed.
  Status resume();

  // What is read is opened: a value that was not sealed for its place is kCorrupt.

  // One value into `value`.
  Result<Found> get(Space space, std::string_view key, Tier tier, std::string& value) const;
  // Several of kRecords at one state: kNotInMemory when any of them is not. Many are read from the drive in parts, each
  // told to `on_part`, if any, so that it is seen to get on.
  Result<Found> get_many(const std::vector<std::string>& keys, Tier tier,
                         std::vector<std::optional<std::string>>& values,
                         const std::function<void()>& on_part = {}) const;
  // The last key of kJournal and its value; kNo when there is none.
  Result<Found> last_entry(std::uint64_t& sequence, std::string& entry) const;

  // A walk met many deleted keys: gets them out of its successors' way, in the background, where so many lie in memory,
  // and not more often than so. Any thread.
  void clear_deleted(SteadyTime now);
  static constexpr std::uint64_t kDeletionsToClear = 2048;
  static constexpr std::chrono::milliseconds kClearEvery{5000};

  // For walks, which keep the State alive, and open what they find: the value in front of its tag.
  [[nodiscard]] Result<std::string_view> open_value(Space space, std::string_view key, std::string_view stored) const;
  [[nodiscard]] const RecordSeal& seal() const { return *seal_; }
  [[nodiscard]] rocksdb::DB& db() const { return *db_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* family(Space space) const;

  // A consistent copy of the files as hard links in `path`, flushed first.
  Status checkpoint(const std::string& path);
  [[nodiscard]] std::uint64_t bytes() const;
  // A table or blob file that the state stands on: never changed, and removed once nothing stands on it any more.
  struct LiveFile {
    std::string path;
    std::string checksum;  // CRC-32C, big-endian, as recorded when it was written; empty: none was
  };
  [[nodiscard]] std::vector<LiveFile> live_files() const;

 private:
  class Listener;
  explicit State(const Options& options) : seal_(options.seal), on_forged_(options.on_forged) {}
  static Result<std::unique_ptr<State>> open_at(const std::string& path, Options options, bool create);
  struct Applied {
    std::uint64_t index = 0;
    JournalEnd journal;
  };
  // Of the engine's own keys; nullopt: not there.
  [[nodiscard]] Result<std::optional<Bytes>> read_own(const char* key, rocksdb::ReadTier tier) const;
  [[nodiscard]] Result<Applied> read_applied(rocksdb::ReadTier tier) const;
  [[nodiscard]] Result<std::uint64_t> read_salt() const;
  [[nodiscard]] Status check_journal_end() const;

  // The same in the place where it lies.
  [[nodiscard]] Status open_in_place(Space space, std::string_view key, std::string& stored) const;

  const std::shared_ptr<const RecordSeal> seal_;
  const std::function<void()> on_forged_;
  std::unique_ptr<rocksdb::Env> env_;  // of db_
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  // default, then by Space
  std::atomic<std::uint64_t> applied_{0};
  JournalEnd journal_;  // of what is applied; of the thread that applies
  std::uint64_t salt_ = 0;
  std::atomic<SteadyTime> cleared_at_{SteadyTime{}};  // that: never
};

// RocksDB flushes and compacts in threads that all its databases of a process share, one of each kind unless told
// otherwise: makes them at least so many, so that a slow drive's work does not hold up that of the others.
void ensure_background_threads(std::size_t states);

// RocksDB's read options of a tier.
rocksdb::ReadOptions read_options(Tier tier);

}  // namespace andromede::meta
