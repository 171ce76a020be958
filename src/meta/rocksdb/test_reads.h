// A read of a mirror's pools, as Reader makes it. For tests only.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "base/task.h"
#include "meta/rocksdb/walk_pools.h"

namespace andromede::meta {

template <typename Work>
Task<std::invoke_result_t<const Work&, Reading&>> read_on(WalkPools& pools, Work work) {
  const auto read = std::make_shared<WalkPools::Read<Work>>(std::move(work));
  const WalkPools::Waiting waiting(pools, read);
  co_return co_await read->answer();
}

}  // namespace andromede::meta
