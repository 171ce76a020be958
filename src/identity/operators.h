// identity::Operators: who may act on the operators' listener, each with a token of their own
// (docs/formats/identity.md).
//
// A token is shown once, when it is made; the metadata hold what it is checked against (an HMAC by a key that is
// derived from the directory's), so that neither a reader nor a writer of the metadata can act as an operator. All
// operators are held in memory after load(). Thread-safe: authenticate() is called from event loops and never blocks; a
// change counts for every authenticate() after its answer.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task.h"
#include "crypto/secret.h"
#include "identity/context.h"
#include "identity/records.h"
#include "meta/store.h"

namespace andromede::identity {

class Operators {
 public:
  static constexpr std::size_t kMaxOperators = 256;
  // "aop.", the name, ".", the secret.
  static constexpr std::size_t kMaxTokenBytes = 4 + kMaxOperatorNameBytes + 1 + 32;

  // `directory_key` is used here only; the others are borrowed and outlive this.
  Operators(const crypto::SecretKey& directory_key, meta::Store& store, const Clock& clock, Random& random);

  // Replaces what is in memory by what is stored. kCorrupt names the record.
  Task<Status> load();

  // Makes an operator and answers the token: the only time it is shown. Journaled as CreateOperator. Blocks.
  // kAlreadyExists, kInvalidArgument (the name; `expires` is past), kRefused (kMaxOperators).
  Result<crypto::SecretText> create(const std::string& name, std::optional<Timestamp> expires, const Context& by);
  // The token is worth nothing from then on. Journaled as RevokeOperator. Blocks. kNotFound; kRefused: no other
  // operator without an expiry would be left, and the cloud could not be operated any more.
  Status revoke(const std::string& name, const Context& by);

  // Whose token it is, if it counts now. The same work whether or not there is such an operator.
  [[nodiscard]] std::optional<std::string> authenticate(std::string_view token) const;
  // In the order of their names.
  [[nodiscard]] std::vector<OperatorRecord> list() const;

 private:
  [[nodiscard]] crypto::Sha256Digest verifier(std::string_view token, std::string_view name,
                                              std::optional<Timestamp> expires) const;
  [[nodiscard]] bool counts(const OperatorRecord& record) const;
  Status commit(meta::Commit change);

  crypto::SecretKey key_;
  meta::Store& store_;
  const Clock& clock_;
  Random& random_;
  std::mutex changing_;  // one change at a time: each decides on what the one before left
  mutable std::shared_mutex mutex_;
  std::map<std::string, OperatorRecord, std::less<>> operators_;
};

}  // namespace andromede::identity
