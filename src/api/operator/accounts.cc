// Accounts, access keys and operators.
#include <algorithm>

#include "api/operator/call.h"

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

}  // namespace

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::list_accounts(const Call& call) {
  std::uint64_t limit = kMaxAccountsPerPage;
  if (const auto given = call.query.find("limit"); given != call.query.end()) {
    TRY(limit, parse_number(given->second, "limit"));
    limit = std::clamp<std::uint64_t>(limit, 1, kMaxAccountsPerPage);
  }
  const auto after = call.query.find("after");
  // One more than asked for tells whether there is a next page.
  auto accounts = directory_.accounts(AccountId(after == call.query.end() ? "" : after->second), limit + 1);
  json page{{"accounts", json::array()}, {"next", json()}};
  if (accounts.size() > limit) {
    accounts.resize(limit);
    page["next"] = accounts.back().account.id.value();
  }
  for (const identity::AccountInfo& info : accounts) page["accounts"].push_back(to_json(info));
  return Answer{200, dump(page)};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::create_account(const Call& call) {
  CHECK_OK(only_keys(call.body, {"account", "name"}));
  TRY(const std::string name, read_text(call.body, "name"));
  std::optional<AccountId> id;
  if (call.body.contains("account")) {
    TRY(std::string given, read_text(call.body, "account"));
    id = AccountId(std::move(given));
  }
  TRY(const identity::Account made, tenants_.open(id, name, call.by));
  return Answer{201,
                dump({{"account", made.id.value()}, {"name", made.display_name}, {"canonical_id", made.canonical_id}})};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::list_keys(const Call& call) {
  TRY(const identity::AccountInfo info, directory_.account(AccountId(call.routed.name)));
  return Answer{200, dump({{"keys", to_json(info)["keys"]}})};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::create_key(const Call& call) {
  CHECK_OK(only_keys(call.body, {}));
  TRY(const identity::Credential made, sync_wait(directory_.create_credential(AccountId(call.routed.name), call.by)));
  Answer answer{201, dump({{"account", call.routed.name}, {"access_key_id", made.access_key_id}})};
  answer.secret = made.secret;
  answer.secret_name = "secret_access_key";
  return answer;
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::set_key_active(const Call& call, bool active) {
  CHECK_OK(only_keys(call.body, {}));
  CHECK_OK(sync_wait(directory_.set_active(call.routed.name, active, call.by)));
  return Answer{200, dump({{"access_key_id", call.routed.name}, {"status", active ? "active" : "disabled"}})};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::list_operators() {
  json list = json::array();
  for (const identity::OperatorRecord& record : operators_.list()) {
    list.push_back({{"name", record.name},
                    {"created", to_iso8601(record.created)},
                    {"expires", record.expires ? json(to_iso8601(*record.expires)) : json()}});
  }
  return Answer{200, dump({{"operators", std::move(list)}})};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::create_operator(const Call& call) {
  CHECK_OK(only_keys(call.body, {"name", "expires_days"}));
  TRY(const std::string name, read_text(call.body, "name"));
  std::optional<Timestamp> expires;
  if (const auto days = call.body.find("expires_days"); days != call.body.end()) {
    if (!days->is_number_unsigned() || *days == 0 || days->get<std::uint64_t>() > kMaxExpiryDays) {
      return fail(Errc::kInvalidArgument, "expires_days must be a whole number from 1 to 3660");
    }
    expires = Timestamp{clock_.now().ms + static_cast<std::int64_t>(days->get<std::uint64_t>()) * kDayMs};
  }
  Answer answer{201, dump({{"name", name}, {"expires", expires ? json(to_iso8601(*expires)) : json()}})};
  TRY(answer.secret, operators_.create(name, expires, call.by));
  answer.secret_name = "token";
  return answer;
}

}  // namespace andromede::api
