// PolicyBook: the policies in force: a snapshot that event loops read without blocking, put anew when another
// consortium is applied. Thread-safe.
#pragma once

#include <memory>
#include <mutex>

#include "sovereignty/policy.h"

namespace andromede::fleet {

class PolicyBook {
 public:
  explicit PolicyBook(sovereignty::Policies policies) { put(std::move(policies)); }

  [[nodiscard]] std::shared_ptr<const sovereignty::Policies> snapshot() const {
    const std::lock_guard lock(mutex_);
    return policies_;
  }
  void put(sovereignty::Policies policies) {
    auto put = std::make_shared<const sovereignty::Policies>(std::move(policies));
    const std::lock_guard lock(mutex_);
    policies_ = std::move(put);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const sovereignty::Policies> policies_;
};

}  // namespace andromede::fleet
