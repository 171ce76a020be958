// Documents of clients that are long to read: an account has so many of them in memory at once, with what they list,
// and a thread of their own parses them, since a parser does not stop halfway to let an event loop go round.
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/ids.h"
#include "base/pool.h"
#include "base/result.h"

namespace andromede::api::s3 {

// A document of so many bytes is large: parsing it takes about a tenth of a millisecond.
inline constexpr std::size_t kLargeDocumentBytes = 16 * 1024;
// At most kMaxCompleteBytes each, and some 300 bytes for each of 10,000 parts.
inline constexpr std::size_t kLargeDocumentsOfAccount = 16;

class LargeDocuments {
 public:
  // One of an account's, while it lives. The LargeDocuments outlives it.
  class Entry {
   public:
    Entry(Entry&& other) noexcept : all_(std::exchange(other.all_, nullptr)), account_(std::move(other.account_)) {}
    Entry& operator=(Entry&&) = delete;
    ~Entry() {
      if (all_ != nullptr) all_->end(account_);
    }

   private:
    friend class LargeDocuments;
    Entry(LargeDocuments& all, AccountId account) : all_(&all), account_(std::move(account)) {}

    LargeDocuments* all_;
    AccountId account_;
  };

  // kOverloaded: the account has as many as it may.
  Result<Entry> begin(AccountId account) {
    const std::lock_guard lock(mutex_);
    std::size_t& count = by_account_[account];
    if (count == kLargeDocumentsOfAccount) {
      return fail(Errc::kOverloaded,
                  std::to_string(count) + " large documents of this account are under way: come again later");
    }
    ++count;
    return Entry(*this, std::move(account));
  }
  [[nodiscard]] ThreadPool& pool() { return pool_; }

 private:
  static constexpr std::size_t kMaxQueued = 1024;

  void end(const AccountId& account) {
    const std::lock_guard lock(mutex_);
    const auto count = by_account_.find(account);
    if (--count->second == 0) by_account_.erase(count);
  }

  std::mutex mutex_;
  std::map<AccountId, std::size_t> by_account_;  // none is 0
  ThreadPool pool_{"documents", 1, kMaxQueued};
};

}  // namespace andromede::api::s3
