#include "api/sigv4/signing_key.h"

#include "crypto/secret.h"

namespace andromede::api::sigv4 {

crypto::Sha256Digest derive_signing_key(std::string_view secret, const Scope& scope) {
  std::string seed;
  // Reserved, so that growing never leaves a copy of the secret behind.
  seed.reserve(4 + secret.size());
  seed.append("AWS4").append(secret);
  crypto::Sha256Digest key = crypto::hmac_sha256(as_bytes(seed), as_bytes(scope.date));
  crypto::wipe(seed);
  key = crypto::hmac_sha256(key, as_bytes(scope.region));
  key = crypto::hmac_sha256(key, as_bytes(scope.service));
  return crypto::hmac_sha256(key, as_bytes("aws4_request"));
}

SigningKeys::Entry::~Entry() { crypto::wipe(key); }

crypto::Sha256Digest SigningKeys::get(const std::shared_ptr<const identity::Credential>& credential,
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
  entry->key = derive_signing_key(credential->secret.view(), scope);
  const crypto::Sha256Digest key = entry->key;

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
