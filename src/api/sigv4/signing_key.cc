#include "api/sigv4/signing_key.h"

namespace andromede::api::sigv4 {

crypto::SecretKey derive_signing_key(std::string_view secret, const Scope& scope) {
  constexpr std::string_view kPrefix = "AWS4";
  Bytes seed;
  // Reserved, so that growing leaves no part of the secret behind.
  seed.reserve(kPrefix.size() + secret.size());
  seed.insert(seed.end(), kPrefix.begin(), kPrefix.end());
  seed.insert(seed.end(), secret.begin(), secret.end());
  crypto::SecretKey key = crypto::derive_key(seed, as_bytes(scope.date));
  crypto::wipe(seed);
  key = crypto::derive_key(key.bytes(), as_bytes(scope.region));
  key = crypto::derive_key(key.bytes(), as_bytes(scope.service));
  return crypto::derive_key(key.bytes(), as_bytes("aws4_request"));
}

std::shared_ptr<const crypto::SecretKey> SigningKeys::get(const std::shared_ptr<const identity::Credential>& credential,
                                                          const Scope& scope) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(Key{credential->access_key_id, scope.text});
    // A credential that was replaced under the same id has another secret.
    if (found != entries_.end() && found->second->credential == credential) return found->second->key;
  }
  auto entry = std::make_unique<Entry>();
  entry->credential = credential;
  entry->scope = scope.text;
  entry->key = std::make_shared<const crypto::SecretKey>(derive_signing_key(credential->secret.view(), scope));
  const std::shared_ptr<const crypto::SecretKey> key = entry->key;

  const std::lock_guard lock(mutex_);
  // Scopes change once a day, so starting anew when full is as good as any finer order.
  if (entries_.size() >= kCapacity) entries_.clear();
  entries_.erase(Key{entry->credential->access_key_id, entry->scope});
  const Key index{entry->credential->access_key_id, entry->scope};
  entries_.emplace(index, std::move(entry));
  return key;
}

std::size_t SigningKeys::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace andromede::api::sigv4
