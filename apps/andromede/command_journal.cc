// journal tail, journal verify.
#include <chrono>
#include <thread>

#include "command_line.h"
#include "commands.h"
#include "exit_codes.h"
#include "messages.h"

namespace andromede::app {
namespace {

constexpr std::chrono::milliseconds kFollowEvery{500};
constexpr std::uint64_t kPage = 1000;

std::string field(const nlohmann::json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void print_entry(const nlohmann::json& entry, bool json) {
  if (json) {
    print_json(entry);
    return;
  }
  const nlohmann::json event = part_of(entry, "event", nlohmann::json::object());
  std::string line = std::to_string(entry.value("sequence", std::uint64_t{0})) + "  " + field(event, "eventTime") +
                     "  " + field(event, "eventSource") + "  " + field(event, "eventName");
  if (const auto who = event.find("userIdentity"); who != event.end() && who->is_object()) {
    for (const char* key : {"accountId", "principalId", "accessKeyId", "userName"}) {
      if (const std::string value = field(*who, key); !value.empty()) line += "  " + value;
    }
  }
  if (const auto parameters = event.find("requestParameters"); parameters != event.end() && !parameters->is_null()) {
    line += "  " + parameters->dump();
  }
  print(line);
}

int verify(OperatorClient& client, bool json) {
  const auto answer = client.get("/v1/journal/verify");
  if (!answer) return report_answer(answer.error(), client.config());
  const bool ok = answer->value("ok", false);
  if (json) {
    print_json(*answer);
  } else if (ok) {
    print(
        text(Msg::kJournalOk, {std::to_string(answer->value("entries", std::uint64_t{0})), answer->value("head", "")}));
  } else {
    print(text(Msg::kJournalBroken, {answer->value("message", "")}));
  }
  return ok ? kExitOk : kExitFailed;
}

}  // namespace

int run_journal_verify(const CommonOptions& common) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  return verify(*client, common.json);
}

int run_journal_tail(const CommonOptions& common, const TailOptions& options) {
  auto client = connect(common);
  if (!client) return report_usage(client.error());
  if (options.verify) {
    if (const int code = verify(*client, common.json); code != kExitOk) return code;
  }
  std::string target = "/v1/journal?limit=" + std::to_string(std::min(options.count, kPage));
  while (true) {
    const auto page = client->get(target);
    if (!page) return report_answer(page.error(), client->config());
    std::uint64_t next = page->value("last_sequence", std::uint64_t{0}) + 1;
    const nlohmann::json entries = part_of(*page, "entries");
    for (const auto& entry : entries) {
      print_entry(entry, common.json);
      next = entry.value("sequence", std::uint64_t{0}) + 1;
    }
    if (!options.follow) return kExitOk;
    target = "/v1/journal?limit=" + std::to_string(kPage) + "&first=" + std::to_string(next);
    std::this_thread::sleep_for(kFollowEvery);
  }
}

}  // namespace andromede::app
