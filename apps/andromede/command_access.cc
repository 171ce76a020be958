// account, key, operator: who may use and who may operate the cloud.
#include <filesystem>
#include <functional>

#include "aws_hints.h"
#include "base/log.h"
#include "cloud.h"
#include "cloud_folder.h"
#include "command_line.h"
#include "commands.h"
#include "crypto/secret.h"
#include "exit_codes.h"
#include "messages.h"
#include "net/query.h"
#include "table.h"

namespace andromede::app {
namespace {

using nlohmann::json;

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;

// Whatever was typed, as one piece of a path: the server says what is wrong with it.
std::string piece(const std::string& typed) { return net::percent_encode(typed, false); }

std::string field(const json& of, const char* key) {
  const auto found = of.find(key);
  return found != of.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Asks, and prints the answer as JSON or `line`. The exit code.
template <typename Ask>
int ask_and_say(const CommonOptions& common, Ask ask, const std::string& line) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const Result<json> answer = ask(*client);
  if (!answer) return report_answer(answer.error(), client->config());
  if (common.json) {
    print_json(*answer);
  } else {
    print(line);
  }
  return kExitOk;
}

// A new file that only its owner can read, or standard output. `undo` takes back what the secret opens: when the secret
// cannot be handed over, nobody has it.
int hand_over(const std::string& out, std::string content, const std::function<void()>& undo) {
  if (out.empty()) {
    std::fputs(content.c_str(), stdout);
    const bool written = std::fflush(stdout) == 0;
    crypto::wipe(content);
    if (written) return kExitOk;
    undo();
    return report(Error(make_error_code(Errc::kIo), text(Msg::kSecretNotWritten)));
  }
  const Status written = write_file(out, content, true);
  crypto::wipe(content);
  if (written) {
    print(text(Msg::kSecretWritten, {out}));
    return kExitOk;
  }
  undo();
  return report(written.error());
}

int hand_over_token(const std::string& out, std::string content, const std::function<void()>& undo) {
  const int code = hand_over(out, std::move(content), undo);
  if (code == kExitOk && !out.empty()) print(text(Msg::kTokenUse, {shell_word(absolute_path(out))}));
  return code;
}

// Before anything is made for it.
Status check_out(const std::string& out) {
  std::error_code code;
  if (out.empty() || !std::filesystem::exists(out, code)) return {};
  return fail(Errc::kAlreadyExists, text(Msg::kOutExists, {out}));
}

std::string profile(const json& made) {
  return "[" + field(made, "account") + "]\naws_access_key_id = " + field(made, "access_key_id") +
         "\naws_secret_access_key = " + field(made, "secret_access_key") + "\n";
}

// For who lost every token: the folder's keys, and drives that no server holds, say enough.
int create_operator_offline(const CommonOptions& common, const OperatorOptions& options) {
  set_log_level(LogLevel::kWarning);
  const auto config = find_config(common);
  if (!config) return report_usage(config.error());
  const auto consortium = consortium_of(*config);
  if (!consortium) return report_usage(consortium.error());
  const auto cloud = Cloud::open(*config, *consortium);
  if (!cloud) return report(cloud.error());
  // What was decided and found before comes before this in the journal.
  if (const Status told = (*cloud)->fleet().journal_opening(); !told) return report(told.error());
  std::optional<Timestamp> expires;
  if (options.expires_days > 0) expires = Timestamp{(*cloud)->clock().now().ms + options.expires_days * kDayMs};
  identity::Operators& operators = (*cloud)->operators();
  const identity::Context by = identity::operator_context(journal::kKeyHolder);
  const auto token = operators.create(options.name, expires, by);
  if (!token) return report(token.error());
  const auto undo = [&] { (void)operators.revoke(options.name, by); };
  return hand_over_token(options.out, std::string(token->view()) + "\n", undo);
}

int change_key(const CommonOptions& common, const KeyOptions& options, const char* act, Msg done) {
  const auto ask = [&](OperatorClient& client) {
    return client.post("/v1/keys/" + piece(options.key) + "/" + act, json::object());
  };
  return ask_and_say(common, ask, text(done, {options.key}));
}

}  // namespace

int run_account_create(const CommonOptions& common, const AccountOptions& options) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  json body{{"name", options.name}};
  if (!options.account.empty()) body["account"] = options.account;
  const auto made = client->post("/v1/accounts", body);
  if (!made) return report_answer(made.error(), client->config());
  if (common.json) {
    print_json(*made);
  } else {
    print(text(Msg::kAccountCreated, {field(*made, "account"), field(*made, "name")}));
  }
  return kExitOk;
}

int run_account_list(const CommonOptions& common) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  json all = json::array();
  std::string after;
  do {
    auto page = client->get("/v1/accounts" + (after.empty() ? "" : "?after=" + after));
    if (!page) return report_answer(page.error(), client->config());
    const json accounts = part_of(*page, "accounts");
    all.insert(all.end(), accounts.begin(), accounts.end());
    after = field(*page, "next");
  } while (!after.empty());
  if (common.json) {
    print_json(all);
    return kExitOk;
  }
  std::vector<Row> rows{{text(Msg::kColAccount), text(Msg::kColName), text(Msg::kColKeys), text(Msg::kColCreated),
                         text(Msg::kColClosed)}};
  for (const json& account : all) {
    const std::string closed = field(account, "closed");
    rows.push_back({field(account, "account"), field(account, "name"), std::to_string(part_of(account, "keys").size()),
                    field(account, "created"), closed.empty() ? "-" : closed});
  }
  print_table(rows);
  return kExitOk;
}

int run_account_close(const CommonOptions& common, const AccountOptions& options) {
  const auto ask = [&](OperatorClient& client) { return client.remove("/v1/accounts/" + piece(options.account)); };
  return ask_and_say(common, ask, text(Msg::kAccountClosed, {options.account}));
}

int run_key_create(const CommonOptions& common, const KeyOptions& options) {
  if (const Status free = check_out(options.out); !free) return report_usage(free.error());
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  auto made = client->post("/v1/accounts/" + piece(options.account) + "/keys", json::object());
  if (!made) return report_answer(made.error(), client->config());
  const auto undo = [&] { (void)client->remove("/v1/keys/" + field(*made, "access_key_id")); };
  const bool as_json = common.json && options.out.empty();
  const int code = hand_over(options.out, as_json ? made->dump() + "\n" : profile(*made), undo);
  crypto::wipe((*made)["secret_access_key"].get_ref<std::string&>());
  if (code == kExitOk && !options.out.empty()) {
    const Config& config = client->config();
    print(text(Msg::kProfileUse, {"AWS_SHARED_CREDENTIALS_FILE=" + shell_word(absolute_path(options.out)) +
                                  " AWS_PROFILE=" + field(*made, "account") + " " + aws_settings(config) + " " +
                                  aws_s3(config) + " ls"}));
  }
  return code;
}

int run_key_list(const CommonOptions& common, const KeyOptions& options) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const auto answer = client->get("/v1/accounts/" + piece(options.account) + "/keys");
  if (!answer) return report_answer(answer.error(), client->config());
  if (common.json) {
    print_json(part_of(*answer, "keys"));
    return kExitOk;
  }
  std::vector<Row> rows{{text(Msg::kColKey), text(Msg::kColState), text(Msg::kColCreated)}};
  const json keys = part_of(*answer, "keys");
  for (const json& key : keys) {
    rows.push_back({field(key, "access_key_id"), field(key, "status"), field(key, "created")});
  }
  print_table(rows);
  return kExitOk;
}

int run_key_disable(const CommonOptions& common, const KeyOptions& options) {
  return change_key(common, options, "disable", Msg::kKeyDisabled);
}

int run_key_enable(const CommonOptions& common, const KeyOptions& options) {
  return change_key(common, options, "enable", Msg::kKeyEnabled);
}

int run_key_delete(const CommonOptions& common, const KeyOptions& options) {
  const auto ask = [&](OperatorClient& client) { return client.remove("/v1/keys/" + piece(options.key)); };
  return ask_and_say(common, ask, text(Msg::kKeyDeleted, {options.key}));
}

int run_operator_create(const CommonOptions& common, const OperatorOptions& options) {
  if (const Status free = check_out(options.out); !free) return report_usage(free.error());
  if (options.offline) return create_operator_offline(common, options);
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  json body{{"name", options.name}};
  if (options.expires_days > 0) body["expires_days"] = options.expires_days;
  auto made = client->post("/v1/operators", body);
  if (!made) return report_answer(made.error(), client->config());
  const auto undo = [&] { (void)client->remove("/v1/operators/" + piece(options.name)); };
  const bool as_json = common.json && options.out.empty();
  const int code = hand_over_token(options.out, as_json ? made->dump() + "\n" : field(*made, "token") + "\n", undo);
  crypto::wipe((*made)["token"].get_ref<std::string&>());
  return code;
}

int run_operator_list(const CommonOptions& common) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  const auto answer = client->get("/v1/operators");
  if (!answer) return report_answer(answer.error(), client->config());
  if (common.json) {
    print_json(part_of(*answer, "operators"));
    return kExitOk;
  }
  std::vector<Row> rows{{text(Msg::kColOperator), text(Msg::kColCreated), text(Msg::kColExpires)}};
  const json operators = part_of(*answer, "operators");
  for (const json& one : operators) {
    const std::string expires = field(one, "expires");
    rows.push_back({field(one, "name"), field(one, "created"), expires.empty() ? "-" : expires});
  }
  print_table(rows);
  return kExitOk;
}

int run_operator_revoke(const CommonOptions& common, const OperatorOptions& options) {
  const auto ask = [&](OperatorClient& client) { return client.remove("/v1/operators/" + piece(options.name)); };
  return ask_and_say(common, ask, text(Msg::kOperatorRevoked, {options.name}));
}

}  // namespace andromede::app
