// CommitLog: the commit log of one mirror, on io::Disk. Format and recovery: docs/formats/commit-log.md.
//
// Segments are made once and reused; append() syncs. Every call blocks. Not thread-safe: one thread at a time, which is
// the committer's or the mirror's own; bytes() from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/disk.h"
#include "meta/rocksdb/log_record.h"

namespace andromede::meta {

inline constexpr std::size_t kInitialSegments = 2;
inline constexpr std::size_t kMaxSegments = 4;
inline constexpr const char* kLogFolder = "meta/log";

class CommitLog {
 public:
  struct Position {
    RecordHeader header;
    std::size_t segment = 0;
    std::uint64_t offset = 0;
  };

  // Removes what is there and makes kInitialSegments segments of `segment_bytes`, a multiple of kLogBlockBytes. Durable
  // when it answers.
  static Result<std::unique_ptr<CommitLog>> create(std::shared_ptr<io::Disk> disk, std::uint64_t segment_bytes);
  // Opens the segments that are there; one whose making was cut short by a crash is made anew by start(). kCorrupt when
  // one is gone. `on_step`, if any, is told each time that the drive has answered, by what reads or fills segments.
  static Result<std::unique_ptr<CommitLog>> open(std::shared_ptr<io::Disk> disk, std::uint64_t segment_bytes,
                                                 std::function<void()> on_step = {});

  // The intact records of `salt` whose last commit is above `applied`, by index. kCorrupt when they leave a gap, or
  // when one was not written by this cloud; kUnsupported when another version wrote them.
  Result<std::vector<Position>> scan(const RecordSeal& seal, std::uint64_t salt, std::uint64_t applied);
  // The whole record, checked again.
  Result<Bytes> read(const RecordSeal& seal, const Position& position);

  // Forgets all records: from now on every segment is free. Required once before append().
  Status start();
  // Whether append() of that many bytes needs prepare() first.
  [[nodiscard]] bool fits(std::size_t record_bytes) const;
  // Makes room by moving to a free segment; those whose records all are at or below `flushed` become free. Answers
  // false when none is free and no more may be made, or the drive has no space for another.
  Result<bool> prepare(std::uint64_t flushed);
  // Writes a finished record and syncs it. After an error the log must not be used again.
  Status append(ByteView record, std::uint64_t last_index);

  [[nodiscard]] std::uint64_t bytes() const { return segment_count_.load(std::memory_order_relaxed) * segment_bytes_; }
  [[nodiscard]] std::uint64_t segment_bytes() const { return segment_bytes_; }

 private:
  struct Segment {
    std::unique_ptr<io::File> file;
    std::uint64_t last_index = 0;  // of the records in it; 0: free
  };

  CommitLog(std::shared_ptr<io::Disk> disk, std::uint64_t segment_bytes)
      : disk_(std::move(disk)), segment_bytes_(segment_bytes) {}
  Status fill(io::File& file) const;
  Status add_segment();
  void step() const;
  Status scan_segment(const RecordSeal& seal, std::size_t index, std::uint64_t salt, std::uint64_t applied,
                      std::vector<Position>& found) const;

  std::shared_ptr<io::Disk> disk_;
  const std::uint64_t segment_bytes_;
  std::function<void()> on_step_;
  void take(std::unique_ptr<io::File> file);

  std::vector<Segment> segments_;
  std::atomic<std::size_t> segment_count_{0};  // for who asks from another thread
  std::size_t current_ = 0;
  std::uint64_t offset_ = 0;
};

}  // namespace andromede::meta
