#include "keys/tenant_key_cache.h"

#include <algorithm>
#include <utility>

namespace andromede::keys {

TenantKeyPointer TenantKeyCache::find(KeyId id, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : use(found->second, now);
}

TenantKeyPointer TenantKeyCache::find_current(const AccountId& account, SteadyTime now) {
  const std::lock_guard lock(mutex_);
  const auto found = current_.find(account);
  return found == current_.end() ? nullptr : use(found->second, now);
}

TenantKeyPointer TenantKeyCache::use(Entries::iterator entry, SteadyTime now) {
  if (now >= entry->until) {
    drop(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->key;
}

void TenantKeyCache::set_current(const TenantKeyPointer& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find(key->id);
  if (found != by_id_.end() && found->second->key == key) current_.insert_or_assign(key->account, found->second);
}

TenantKeyCache::UnwrappingPointer TenantKeyCache::wait_for(KeyId id, std::shared_ptr<Call> call) {
  {
    const std::lock_guard lock(mutex_);
    UnwrappingPointer& there = under_way_[id];
    const bool begins = there == nullptr;
    if (begins) there = std::make_shared<Unwrapping>(id);
    std::vector<std::shared_ptr<Call>>& calls = there->calls_;
    if (calls.size() >= kMaxWaiting) std::erase_if(calls, [](const auto& each) { return each->settled(); });
    if (calls.size() < kMaxWaiting) {
      calls.push_back(std::move(call));
      return begins ? there : nullptr;
    }
  }
  call->give_up(Error(make_error_code(Errc::kOverloaded), "too many wait for the key " + id.to_string()));
  return nullptr;
}

bool TenantKeyCache::under_way(const UnwrappingPointer& unwrapping) const {
  const auto found = under_way_.find(unwrapping->id());
  return found != under_way_.end() && found->second == unwrapping;
}

bool TenantKeyCache::wanted(const UnwrappingPointer& unwrapping) {
  const std::lock_guard lock(mutex_);
  if (!under_way(unwrapping)) return false;
  if (!std::ranges::all_of(unwrapping->calls_, [](const auto& call) { return call->settled(); })) return true;
  under_way_.erase(unwrapping->id());
  return false;
}

void TenantKeyCache::settle(const UnwrappingPointer& unwrapping, const Result<TenantKeyPointer>& answer,
                            SteadyTime until) {
  std::vector<std::shared_ptr<Call>> calls;
  {
    const std::lock_guard lock(mutex_);
    if (!under_way(unwrapping)) return;
    under_way_.erase(unwrapping->id());
    calls = std::exchange(unwrapping->calls_, {});
    if (answer) keep({*answer, until});
  }
  for (const auto& call : calls) call->settle(answer);
}

void TenantKeyCache::keep(Entry entry) {
  const KeyId id = entry.key->id;
  if (const auto before = by_id_.find(id); before != by_id_.end()) drop(before->second);
  if (entries_.size() >= max_keys_) drop(std::prev(entries_.end()));
  entries_.push_front(std::move(entry));
  by_id_.emplace(id, entries_.begin());
}

void TenantKeyCache::drop(Entries::iterator entry) {
  if (const auto current = current_.find(entry->key->account); current != current_.end() && current->second == entry) {
    current_.erase(current);
  }
  by_id_.erase(entry->key->id);
  entries_.erase(entry);
}

void TenantKeyCache::forget(KeyId id) {
  std::vector<std::shared_ptr<Call>> calls;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_id_.find(id); found != by_id_.end()) drop(found->second);
    if (const auto found = under_way_.find(id); found != under_way_.end()) {
      calls = std::exchange(found->second->calls_, {});
      under_way_.erase(found);
    }
  }
  for (const auto& call : calls) {
    call->give_up(Error(make_error_code(Errc::kNotFound), "the key " + id.to_string() + " was revoked"));
  }
}

}  // namespace andromede::keys
