// FailOver: the way of one read through the mirrors, from one that fails, or does not answer, to the next.
//
// Not thread-safe; lives as long as the read.
#pragma once

#include <memory>

#include "base/result.h"
#include "meta/rocksdb/mirror_pools.h"
#include "meta/rocksdb/mirror_set.h"

namespace andromede::meta {

class FailOver {
 public:
  // Both outlive it.
  FailOver(MirrorSet& mirrors, MirrorPools& pools) : mirrors_(mirrors), pools_(pools) {}

  // The one to ask. kUnavailable: there is none, or none answers.
  Result<std::shared_ptr<Mirror>> mirror() const {
    auto found = mirrors_.reader(silent_);
    if (found != nullptr) return found;
    return fail(Errc::kUnavailable, silent_.empty() ? "no metadata mirror is online" : "no metadata mirror answers");
  }
  // It answered `error`. Whether another one may be asked.
  bool goes_on(const std::shared_ptr<Mirror>& mirror, const Error& error) {
    if (!(error == Errc::kUnavailable)) return mirrors_.read_failed(*mirror, error);
    silent_.push_back(mirror);
    return true;
  }
  // Another one answered meanwhile: those that a read still stands still at have failed.
  void answered() {
    for (const auto& mirror : silent_) {
      if (!pools_.of(mirror).stands_still(pools_.patience())) continue;
      mirror->fail(Error(make_error_code(Errc::kTimeout), "the drive has not answered a read for long"));
    }
  }

 private:
  MirrorSet& mirrors_;
  MirrorPools& pools_;
  MirrorSet::List silent_;
};

}  // namespace andromede::meta
