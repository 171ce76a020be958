// Accounts, access keys and operators.
#include <algorithm>

#include "api/operator/operations.h"

namespace andromede::api {
namespace {

constexpr std::uint64_t kMaxAccountsPerPage = 1000;
constexpr std::uint64_t kMaxExpiryDays = 3660;
constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;

using nlohmann::json;

json to_json(const identity::AccountInfo& info) {
  json keys = json::array();
  for (const identity::KeyInfo& key : info.keys) {
    keys.push_back({{"access_key_id", key.access_key_id},
                    {"status", key.active ? "active" : "disabled"},
                    {"created", to_iso8601(key.created)}});
  }
  return {{"account", info.account.id.value()},
          {"name", info.account.display_name},
          {"canonical_id", info.account.canonical_id},
          {"created", to_iso8601(info.created)},
          {"closed", info.closed ? json(to_iso8601(*info.closed)) : json()},
          {"keys", std::move(keys)}};
}

Result<OperatorAnswer> set_key_active(const OperatorCall& call, bool active) {
  CHECK_OK(only_keys(call.body, {}));
  CHECK_OK(sync_wait(call.services.directory.set_active(call.name, active, call.context)));
  return OperatorAnswer{200, dump({{"access_key_id", call.name}, {"status", active ? "active" : "disabled"}})};
}

}  // namespace

Result<OperatorAnswer> list_accounts(const OperatorCall& call) {
  std::uint64_t limit = kMaxAccountsPerPage;
  if (const auto given = call.query.find("limit"); given != call.query.end()) {
    TRY(limit, parse_number(given->second, "limit"));
    limit = std::clamp<std::uint64_t>(limit, 1, kMaxAccountsPerPage);
  }
  const auto after = call.query.find("after");
  // One more than asked for tells whether there is a next page.
  auto accounts =
      call.services.directory.accounts(AccountId(after == call.query.end() ? "" : after->second), limit + 1);
  json page{{"accounts", json::array()}, {"next", json()}};
  if (accounts.size() > limit) {
    accounts.resize(limit);
    page["next"] = accounts.back().account.id.value();
  }
  for (const identity::AccountInfo& info : accounts) page["accounts"].push_back(to_json(info));
  return OperatorAnswer{200, dump(page)};
}

Result<OperatorAnswer> create_account(const OperatorCall& call) {
  CHECK_OK(only_keys(call.body, {"account", "name"}));
  TRY(const std::string name, read_text(call.body, "name"));
  std::optional<AccountId> id;
  if (call.body.contains("account")) {
    TRY(std::string given, read_text(call.body, "account"));
    id = AccountId(std::move(given));
  }
  TRY(const identity::Account made, call.services.tenants.open(id, name, call.context));
  return OperatorAnswer{
      201, dump({{"account", made.id.value()}, {"name", made.display_name}, {"canonical_id", made.canonical_id}})};
}

Result<OperatorAnswer> close_account(const OperatorCall& call) {
  CHECK_OK(call.services.tenants.close(AccountId(call.name), call.context));
  return OperatorAnswer{200, dump({{"closed", call.name}})};
}

Result<OperatorAnswer> list_keys(const OperatorCall& call) {
  TRY(const identity::AccountInfo info, call.services.directory.account(AccountId(call.name)));
  return OperatorAnswer{200, dump({{"keys", to_json(info)["keys"]}})};
}

Result<OperatorAnswer> create_key(const OperatorCall& call) {
  CHECK_OK(only_keys(call.body, {}));
  TRY(const identity::Credential made,
      sync_wait(call.services.directory.create_credential(AccountId(call.name), call.context)));
  OperatorAnswer answer{201, dump({{"account", call.name}, {"access_key_id", made.access_key_id}})};
  answer.secret = made.secret;
  answer.secret_name = "secret_access_key";
  return answer;
}

Result<OperatorAnswer> enable_key(const OperatorCall& call) { return set_key_active(call, true); }

Result<OperatorAnswer> disable_key(const OperatorCall& call) { return set_key_active(call, false); }

Result<OperatorAnswer> delete_key(const OperatorCall& call) {
  CHECK_OK(sync_wait(call.services.directory.delete_credential(call.name, call.context)));
  return OperatorAnswer{200, dump({{"deleted", call.name}})};
}

Result<OperatorAnswer> list_operators(const OperatorCall& call) {
  json list = json::array();
  for (const identity::OperatorRecord& record : call.services.operators.list()) {
    list.push_back({{"name", record.name},
                    {"created", to_iso8601(record.created)},
                    {"expires", record.expires ? json(to_iso8601(*record.expires)) : json()}});
  }
  return OperatorAnswer{200, dump({{"operators", std::move(list)}})};
}

Result<OperatorAnswer> create_operator(const OperatorCall& call) {
  CHECK_OK(only_keys(call.body, {"name", "expires_days"}));
  TRY(const std::string name, read_text(call.body, "name"));
  std::optional<Timestamp> expires;
  if (const auto days = call.body.find("expires_days"); days != call.body.end()) {
    if (!days->is_number_unsigned() || *days == 0 || days->get<std::uint64_t>() > kMaxExpiryDays) {
      return fail(Errc::kInvalidArgument, "expires_days must be a whole number from 1 to 3660");
    }
    expires = Timestamp{call.clock.now().ms + static_cast<std::int64_t>(days->get<std::uint64_t>()) * kDayMs};
  }
  OperatorAnswer answer{201, dump({{"name", name}, {"expires", expires ? json(to_iso8601(*expires)) : json()}})};
  TRY(answer.secret, call.services.operators.create(name, expires, call.context));
  answer.secret_name = "token";
  return answer;
}

Result<OperatorAnswer> revoke_operator(const OperatorCall& call) {
  CHECK_OK(call.services.operators.revoke(call.name, call.context));
  return OperatorAnswer{200, dump({{"revoked", call.name}})};
}

}  // namespace andromede::api
