// Copies a running mirror's state to another drive: checkpoint after checkpoint, each round only the files that the
// round before did not have, until little is left (docs/adr/0003-commit-log.md). Blocks; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "io/disk.h"
#include "meta/rocksdb/mirror.h"

namespace andromede::meta {

class MirrorCopy {
 public:
  // Told bytes over all rounds; `total` grows by what each round finds new.
  using Progress = std::function<bool(std::uint64_t copied, std::uint64_t total)>;

  // `source` and `target` outlive the copy. What the target held is removed by the first round.
  MirrorCopy(Mirror& source, io::Disk& target, Progress progress)
      : source_(source), target_(target), progress_(std::move(progress)) {}

  // One round: a checkpoint of now, and what of it the target lacks. Answers the bytes copied. kCancelled when progress
  // said so; kNoSpace before a byte is copied when the target is too small.
  Result<std::uint64_t> round();
  // Whether the target may have been changed.
  [[nodiscard]] bool begun() const { return !first_; }

 private:
  Status copy_missing(const std::string& from, const std::string& to);

  Mirror& source_;
  io::Disk& target_;
  const Progress progress_;
  std::map<std::string, std::uint64_t> copied_;  // immutable files that the target has, with their sizes
  std::uint64_t round_bytes_ = 0;                // copied in this round
  std::uint64_t before_bytes_ = 0;               // copied in the rounds before
  bool first_ = true;
};

}  // namespace andromede::meta
