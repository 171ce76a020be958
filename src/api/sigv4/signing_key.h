// Signing keys of SigV4 (kSecret → date → region → service → "aws4_request") and their cache.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "crypto/secret.h"
#include "identity/directory.h"

namespace andromede::api::sigv4 {

// "20130524/us-east-1/s3/aws4_request" and its pieces, views into it.
struct Scope {
  std::string_view text;
  std::string_view date;
  std::string_view region;
  std::string_view service;
};

// "Deriving the signing key", AWS General Reference.
crypto::SecretKey derive_signing_key(std::string_view secret, const Scope& scope);

// The signing keys of the credentials and scopes in use; deriving one costs four HMACs, which a small request would
// feel. Bounded. Thread-safe. A key is never copied: requests share it, and it is wiped when the last one drops it.
class SigningKeys {
 public:
  static constexpr std::size_t kCapacity = 1024;

  SigningKeys() = default;
  SigningKeys(const SigningKeys&) = delete;
  SigningKeys& operator=(const SigningKeys&) = delete;

  std::shared_ptr<const crypto::SecretKey> get(const std::shared_ptr<const identity::Credential>& credential,
                                               const Scope& scope);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Key {
    std::string_view access_key_id;
    std::string_view scope;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<std::string_view>{}(key.access_key_id) * 31 + std::hash<std::string_view>{}(key.scope);
    }
  };
  // Owns what its Key looks at.
  struct Entry {
    std::shared_ptr<const identity::Credential> credential;
    std::string scope;
    std::shared_ptr<const crypto::SecretKey> key;
  };

  mutable std::mutex mutex_;
  std::unordered_map<Key, std::unique_ptr<Entry>, KeyHash> entries_;
};

}  // namespace andromede::api::sigv4
