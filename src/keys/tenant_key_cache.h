// TenantKeyCache: the tenants' keys that custody unwrapped, and the unwrappings under way.
//
// Bounded: the key that was used longest ago makes room for another. A key is used until its lease ends and no longer,
// so that custody is asked again and can say no (docs/adr/0024-tenant-keys.md). Whoever misses one key at once waits
// for one unwrapping. forget() counts at once: an unwrapping that is under way then is kept by nobody and given to
// nobody.
//
// Thread-safe, never blocks for long. It borrows nothing, since threads that custody keeps may outlive its owner.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/shared_call.h"
#include "crypto/secret.h"

namespace andromede::keys {

// One that custody unwrapped, in secret memory. Whoever uses it when it is forgotten ends that one use.
struct TenantKey {
  KeyId id;
  AccountId account;
  crypto::SecretKey key;
};
using TenantKeyPointer = std::shared_ptr<const TenantKey>;

class TenantKeyCache {
 public:
  using Call = SharedCall<Result<TenantKeyPointer>>;
  // How many wait for one key at most: the others are refused at once (kOverloaded).
  static constexpr std::size_t kMaxWaiting = 1024;

  // An unwrapping that is under way. Whoever began it settles it.
  class Unwrapping {
   public:
    explicit Unwrapping(KeyId id) : id_(id) {}
    [[nodiscard]] KeyId id() const { return id_; }

   private:
    friend class TenantKeyCache;
    const KeyId id_;
    std::vector<std::shared_ptr<Call>> calls_;  // under the cache's mutex_
  };
  using UnwrappingPointer = std::shared_ptr<Unwrapping>;

  explicit TenantKeyCache(std::size_t max_keys) : max_keys_(max_keys) {}

  // Null: it is not there, or its lease has ended.
  TenantKeyPointer find(KeyId id, SteadyTime now);
  // The same of an account's current key.
  TenantKeyPointer find_current(const AccountId& account, SteadyTime now);
  // From now on `key`, if it is still there, is found as its account's current one.
  void set_current(const TenantKeyPointer& key);

  // Has `call` answered when the key is unwrapped. An unwrapping that the caller is to begin, or null: one is under
  // way.
  [[nodiscard]] UnwrappingPointer wait_for(KeyId id, std::shared_ptr<Call> call);
  // Whether somebody still waits for it; if not, it has ended.
  [[nodiscard]] bool wanted(const UnwrappingPointer& unwrapping);
  // Keeps the key until its lease ends at `until`, and answers whoever waits; nothing at all where it was forgotten.
  void settle(const UnwrappingPointer& unwrapping, const Result<TenantKeyPointer>& answer, SteadyTime until);

  // Whoever waits for it is told that it is no more (kNotFound).
  void forget(KeyId id);

 private:
  struct Entry {
    TenantKeyPointer key;
    SteadyTime until;
  };
  using Entries = std::list<Entry>;  // the one used last first

  // All under mutex_.
  TenantKeyPointer use(Entries::iterator entry, SteadyTime now);
  void keep(Entry entry);
  void drop(Entries::iterator entry);
  [[nodiscard]] bool under_way(const UnwrappingPointer& unwrapping) const;

  const std::size_t max_keys_;
  std::mutex mutex_;
  Entries entries_;
  std::unordered_map<KeyId, Entries::iterator> by_id_;
  std::unordered_map<AccountId, Entries::iterator> current_;
  std::unordered_map<KeyId, UnwrappingPointer> under_way_;
};

}  // namespace andromede::keys
