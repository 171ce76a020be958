#include "identity/operators.h"

#include <algorithm>

#include "base/deadline.h"
#include "identity/commits.h"

namespace andromede::identity {
namespace {

constexpr std::string_view kReserved[] = {journal::kFleetItself, journal::kKeyHolder};
constexpr std::string_view kTokenPrefix = "aop.";
constexpr std::size_t kSecretChars = 32;
static_assert(Operators::kMaxTokenBytes == kTokenPrefix.size() + kMaxOperatorNameBytes + 1 + kSecretChars);
static_assert(Operators::kMaxTokenBytes <= crypto::SecretText::kMaxBytes);
static_assert(Operators::kMaxOperators < meta::kLeastLimits.scan_items);

// The name that a token claims: between the prefix and the last dot, which no secret holds.
std::string_view claimed_name(std::string_view token) {
  const std::size_t end = token.rfind('.');
  if (!token.starts_with(kTokenPrefix) || end < kTokenPrefix.size() || end == std::string_view::npos) return {};
  return token.substr(kTokenPrefix.size(), end - kTokenPrefix.size());
}

}  // namespace

Operators::Operators(const crypto::SecretKey& directory_key, meta::Store& store, const Clock& clock, Random& random)
    : key_(crypto::derive_key(directory_key.bytes(), as_bytes("andromede operator tokens"))),
      store_(store),
      clock_(clock),
      random_(random) {}

Task<Status> Operators::load() {
  CO_TRY(std::vector<OperatorTable::Row> rows,
         co_await OperatorTable::page(store_, {}, {}, kMaxOperators + 1, Deadline::after(clock_, kCommitTimeout)));
  std::map<std::string, OperatorRecord, std::less<>> operators;
  for (OperatorTable::Row& row : rows) {
    if (row.name != row.record.name) {
      co_return fail(Errc::kCorrupt,
                     OperatorTable::key(row.name).bytes + ": it is the record of the operator " + row.record.name);
    }
    operators.emplace(row.name, std::move(row.record));
  }
  const std::unique_lock lock(mutex_);
  operators_ = std::move(operators);
  co_return Status{};
}

crypto::Sha256Digest Operators::verifier(std::string_view token, std::string_view name,
                                         std::optional<Timestamp> expires) const {
  // The expiry too, so that nobody who writes to the metadata can move it.
  Bytes text;
  text.reserve(name.size() + token.size() + 32);
  ByteWriter writer(text);
  writer.text(name);
  writer.u64(static_cast<std::uint64_t>(expires.value_or(Timestamp{}).ms));
  writer.text(token);
  const crypto::Sha256Digest digest = crypto::hmac_sha256(key_.bytes(), text);
  crypto::wipe(text);
  return digest;
}

bool Operators::counts(const OperatorRecord& record) const { return !record.expires || clock_.now() < *record.expires; }

std::optional<std::string> Operators::authenticate(std::string_view token) const {
  if (token.size() > kMaxTokenBytes) return std::nullopt;
  const std::string_view name = claimed_name(token);
  OperatorRecord record;
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = operators_.find(name); found != operators_.end()) record = found->second;
  }
  const crypto::Sha256Digest given = verifier(token, name, record.expires);
  // Without such an operator the record is empty, and no name is.
  if (!constant_time_equal(given, record.verifier) || record.name.empty() || !counts(record)) return std::nullopt;
  return record.name;
}

std::vector<OperatorRecord> Operators::list() const {
  const std::shared_lock lock(mutex_);
  std::vector<OperatorRecord> all;
  for (const auto& [name, record] : operators_) all.push_back(record);
  return all;
}

Status Operators::commit(meta::Commit change) {
  change.partition = meta::kCloudPartition;
  const auto committed = sync_wait(store_.commit(std::move(change), Deadline::after(clock_, kCommitTimeout)));
  if (committed) return {};
  // Whatever became of it: memory says what is stored. When that cannot be read either, the first error says enough.
  [[maybe_unused]] const Status read = sync_wait(load());
  return fail(committed.error());
}

Result<crypto::SecretText> Operators::create(const std::string& name, std::optional<Timestamp> expires,
                                             const Context& by) {
  CHECK_OK(check_operator_name(name));
  if (std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved)) {
    return fail(Errc::kInvalidArgument, name + " is nobody's name in the journal: choose another");
  }
  const Timestamp now = clock_.now();
  if (expires && *expires <= now) return fail(Errc::kInvalidArgument, "the expiry is past already");
  const std::lock_guard changing(changing_);
  if (list().size() >= kMaxOperators) {
    return fail(Errc::kRefused, "there are at most " + std::to_string(kMaxOperators) + " operators: revoke one");
  }
  const crypto::SecretText secret = crypto::SecretText::random(random_, kAlphanumeric, kSecretChars);
  std::string text;
  // Reserved, so that growing never leaves a part of it behind.
  text.reserve(kMaxTokenBytes);
  text.append(kTokenPrefix).append(name).append(".").append(secret.view());
  const crypto::SecretText token(text);
  crypto::wipe(text);
  const OperatorRecord record{name, verifier(token.view(), name, expires), now, expires};
  journal::Event event = event_of(by, kSource, "CreateOperator");
  event.parameters.emplace_back("operatorName", name);
  if (expires) event.parameters.emplace_back("expires", to_iso8601(*expires));
  meta::Commit change;
  OperatorTable::create(change, name, record);
  change.event = journal::render(event, now);
  const Status done = commit(std::move(change));
  if (!done) {
    if (done.error() == Errc::kConflict) {
      return fail(Errc::kAlreadyExists, "there is an operator " + name + " already: revoke that one first");
    }
    return fail(done.error());
  }
  const std::unique_lock lock(mutex_);
  operators_.insert_or_assign(name, record);
  return token;
}

Status Operators::revoke(const std::string& name, const Context& by) {
  const std::lock_guard changing(changing_);
  const std::vector<OperatorRecord> all = list();
  const auto named = [&name](const OperatorRecord& record) { return record.name == name; };
  const auto found = std::find_if(all.begin(), all.end(), named);
  if (found == all.end()) return fail(Errc::kNotFound, "there is no operator " + name);
  const bool another = std::any_of(
      all.begin(), all.end(), [&](const OperatorRecord& record) { return !record.expires && record.name != name; });
  if (!another) {
    return fail(Errc::kRefused, "no other operator would be left whose token does not expire: create one first");
  }
  journal::Event event = event_of(by, kSource, "RevokeOperator");
  event.parameters.emplace_back("operatorName", name);
  meta::Commit change;
  OperatorTable::remove(change, OperatorTable::row(name, *found));
  change.event = journal::render(event, clock_.now());
  CHECK_OK(commit(std::move(change)));
  const std::unique_lock lock(mutex_);
  operators_.erase(name);
  return {};
}

}  // namespace andromede::identity
