// Copies a running mirror's state to another drive: checkpoint after checkpoint, each round only the files that the
// round before did not have, until little is left (docs/adr/0003-commit-log.md). Blocks; one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "io/disk.h"
#include "meta/rocksdb/mirror.h"

namespace andromede::meta {

class MirrorCopy {
 public:
  // Told bytes over all rounds; `total` grows by what each round finds new.
  using Progress = std::function<bool(std::uint64_t copied, std::uint64_t total)>;

  // `target` outlives the copy. `source` is kept by who wants the copy, and held here while it is asked only: a copy
  // that hangs with its target, and that nobody waits for any more, does not keep it open. `spare_bytes` stay free on
  // the target. What it held is removed by the first round, once that has what it copies, and the room for it.
  MirrorCopy(const std::shared_ptr<Mirror>& source, io::Disk& target, Progress progress, std::uint64_t spare_bytes = 0);

  // One round: a checkpoint of now, and what of it the target lacks. Answers the bytes copied. kCancelled when progress
  // said so; kNoSpace before a byte is copied when the target is too small; kUnavailable when it is the source that
  // fails, or that was closed.
  Result<std::uint64_t> round();
  // Whether the target may have been changed.
  [[nodiscard]] bool begun() const { return !first_; }
  // Whether the source is being waited for. From any thread.
  [[nodiscard]] bool asks_source() const { return asks_source_; }

 private:
  Status take_checkpoint();
  Status remove_checkpoint();
  Status begin();
  Status copy_missing(const std::string& from, const std::string& to);

  const std::weak_ptr<Mirror> source_;
  const std::string source_root_;
  io::Disk& target_;
  const Progress progress_;
  const std::uint64_t spare_bytes_;
  const std::string checkpoint_;  // on the source's drive
  std::atomic<bool> asks_source_{false};
  std::map<std::string, std::uint64_t> copied_;  // immutable files that the target has, with their sizes
  std::uint64_t round_bytes_ = 0;                // copied in this round
  std::uint64_t before_bytes_ = 0;               // copied in the rounds before
  bool first_ = true;
};

}  // namespace andromede::meta
