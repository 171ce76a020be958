// TestCustody: a file custody that a test makes hang, and whose answers it counts and changes. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "io/temporary_folder.h"
#include "keys/custody/file_custody.h"

namespace andromede::keys {

class TestCustody final : public Custody {
 public:
  explicit TestCustody(Random& random) {
    const std::string sealed = folder_.path() + "/sealed";
    const std::string seal = folder_.path() + "/seal";
    EXPECT_TRUE(create_file_custody(sealed, seal, random));
    engine_ = std::move(*open_file_custody(sealed, seal, random));
  }
  // What an unwrapping answers instead of what the engine did. Not to be set while one is under way.
  std::function<Result<crypto::SecretKey>(Result<crypto::SecretKey>)> change;

  // From now on no unwrapping returns until release().
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    released_.notify_all();
  }
  // Unwrappings that were begun.
  [[nodiscard]] unsigned asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  // Of the one begun last.
  [[nodiscard]] SteadyTime deadline() const {
    const std::lock_guard lock(mutex_);
    return deadline_;
  }

  Result<Bytes> wrap(const crypto::SecretKey& key, ByteView context, Deadline deadline) override {
    return engine_->wrap(key, context, deadline);
  }
  Result<crypto::SecretKey> unwrap(ByteView wrapped, ByteView context, Deadline deadline) override {
    std::unique_lock lock(mutex_);
    ++asked_;
    deadline_ = deadline.at();
    released_.wait(lock, [this] { return !held_; });
    lock.unlock();
    auto key = engine_->unwrap(wrapped, context, deadline);
    return change ? change(std::move(key)) : std::move(key);
  }

 private:
  io::TemporaryFolder folder_;
  std::unique_ptr<Custody> engine_;
  mutable std::mutex mutex_;
  std::condition_variable released_;
  bool held_ = false;
  unsigned asked_ = 0;
  SteadyTime deadline_;
};

}  // namespace andromede::keys
