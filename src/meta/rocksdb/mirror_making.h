// MirrorMaking: a mirror in the making, copied from a running one. Each step runs on a thread of its own, which owns
// all that it uses but the mirror copied from, which it holds while it asks it only: a drive that hangs, the new one's
// or the one copied from, keeps nobody for longer than he has patience. What was given up removes what it made once its
// drive answers, and changes nothing else.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "meta/rocksdb/drive_work.h"
#include "meta/rocksdb/mirror.h"
#include "meta/rocksdb/mirror_copy.h"
#include "meta/rocksdb/telling.h"

namespace andromede::meta {

// Made, and used, by one thread.
class MirrorMaking : public std::enable_shared_from_this<MirrorMaking> {
 public:
  struct Limits {
    std::uint64_t spare_bytes = 0;     // what the new mirror leaves free on its drive
    std::uint64_t max_last_bytes = 0;  // of a round that ends kCopy; more: kOverloaded
  };
  enum class Step {
    kCopy,    // while commits go on: nearly all, and an empty log
    kFinish,  // while none does: the rest, and opens it
    kUndo
  };

  // The caller keeps `source` for as long as he waits.
  MirrorMaking(const std::shared_ptr<Mirror>& source, DriveId drive, std::shared_ptr<io::Disk> disk,
               Mirror::Options options, Limits limits);

  // One step, and its progress told on the caller's thread. What failed is undone by the step's thread. kTimeout, or
  // kUnavailable where it is the drive of the mirror copied from that does not answer: given up, no step may follow.
  Status run(DriveWork& work, Step step, const MirrorCopy::Progress& progress, const Telling::Patience& patience);
  // Whether something is left to undo.
  [[nodiscard]] bool made() const;
  // After kFinish.
  [[nodiscard]] Mirror& mirror() const { return *mirror_; }
  std::unique_ptr<Mirror> take();

 private:
  Status work(Step step);
  Status copy();
  Status finish();
  Status undo();

  const std::weak_ptr<Mirror> source_;
  const DriveId drive_;
  const std::shared_ptr<io::Disk> disk_;
  const Mirror::Options options_;
  const Limits limits_;
  // Of the step's thread while there is one.
  MirrorCopy copy_;
  std::unique_ptr<CommitLog> log_;
  std::unique_ptr<Mirror> mirror_;

  Telling telling_;
  std::atomic<bool> undone_{false};
};

}  // namespace andromede::meta
