#include "control/tenants.h"

#include "identity/records.h"
#include "objects/layout.h"

namespace andromede::control {
namespace {

constexpr std::size_t kAccountIdDigits = 12;
constexpr unsigned kMaxDraws = 8;

AccountId draw_account_id(Random& random) {
  std::string id(kAccountIdDigits, '0');
  for (char& digit : id) digit = static_cast<char>('0' + random.below(10));
  return AccountId(std::move(id));
}

}  // namespace

Tenants::Tenants(CloudId cloud, identity::Directory& directory, keys::KeyService& keys, meta::Store& store,
                 Random& random)
    : cloud_(cloud), directory_(directory), keys_(keys), store_(store), random_(random) {}

Result<identity::Account> Tenants::open(std::optional<AccountId> id, const std::string& display_name,
                                        const identity::Context& by) {
  AccountId chosen = id ? *id : draw_account_id(random_);
  for (unsigned draws = 1; !id && draws < kMaxDraws && directory_.account(chosen); ++draws) {
    chosen = draw_account_id(random_);
  }
  const identity::Account account{chosen, display_name, identity::canonical_id(cloud_, chosen)};
  CHECK_OK(identity::check_account(account));
  if (directory_.account(chosen)) {
    return fail(Errc::kAlreadyExists, "the account " + chosen.value() + " exists already, or did");
  }
  // Before the key, which would stay behind.
  CHECK_OK(directory_.check_room());
  // The key first: an account that is there can be used. One whose account never came, after a crash or a commit in
  // doubt, serves the next.
  const Status made = sync_wait(keys_.create_tenant_key(chosen, by));
  if (!made && !(made.error() == Errc::kAlreadyExists)) return fail(made.error());
  const Status opened = sync_wait(directory_.create_account(account, by));
  if (opened) return account;
  return fail(opened.error());
}

Status Tenants::close(const AccountId& id, const identity::Context& by) {
  CHECK_OK(directory_.expect_open(id));
  TRY(keys::KeyService::Erasure key, sync_wait(keys_.erasure_of(id)));
  const KeyId its_key = key.key;
  const Status closed = erase(id, std::move(key), by);
  // Whatever was answered: of an account that is closed, nobody opens anything again.
  if (const auto account = directory_.account(id); account && account->closed) keys_.forget(its_key);
  return closed;
}

Status Tenants::erase(const AccountId& id, keys::KeyService::Erasure key, const identity::Context& by) {
  // Read before its buckets are looked for: one that is made meanwhile moves it.
  const meta::Key count_key{meta::Space::kRecords, objects::layout::bucket_count(id)};
  TRY(auto count, sync_wait(store_.get(meta::kCloudPartition, count_key, Deadline::never())));
  meta::Scan buckets;
  buckets.partition = meta::kCloudPartition;
  buckets.begin = objects::layout::account_buckets(id);
  buckets.end = meta::past_prefix(buckets.begin);
  buckets.limit = 1;
  buckets.keys_only = true;
  TRY(const auto found, sync_wait(store_.scan(std::move(buckets))));
  if (!found.empty()) {
    return fail(Errc::kRefused, "the account " + id.value() + " still has buckets (" +
                                    found.front().key.substr(objects::layout::account_buckets(id).size()) +
                                    " for one): its owner deletes them first");
  }
  identity::Beside beside;
  beside.expect = std::move(key.expect);
  beside.expect.push_back({count_key.bytes, std::move(count)});
  beside.erase = std::move(key.erase);
  beside.erase.push_back(count_key);
  return sync_wait(directory_.close_account(id, by, std::move(beside)));
}

}  // namespace andromede::control
