#include "command_line.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "cloud_folder.h"
#include "exit_codes.h"
#include "messages.h"
#include "progress_bar.h"

namespace andromede::app {
namespace {

constexpr std::chrono::milliseconds kPollEvery{300};
constexpr std::chrono::seconds kWaitForServer{60};

// What the handler writes, and how much of it: nothing else may be done there.
char g_farewell[512];
std::size_t g_farewell_size = 0;

void say_farewell(int number) {
  if (::write(STDERR_FILENO, g_farewell, g_farewell_size) < 0) ::_exit(128 + number);
  // The handler stands for one signal: this one ends the process as any Ctrl-C does.
  ::raise(number);
}

// While it lives, who ends the waiting with Ctrl-C is told that the job goes on.
class Farewell {
 public:
  explicit Farewell(const std::string& line) {
    const std::string words = (::isatty(STDERR_FILENO) == 1 ? "\n" : "") + line + "\n";
    g_farewell_size = std::min(words.size(), sizeof g_farewell);
    std::memcpy(g_farewell, words.data(), g_farewell_size);
    struct sigaction action{};
    action.sa_handler = say_farewell;
    action.sa_flags = SA_RESETHAND;
    ::sigaction(SIGINT, &action, &before_);
    // Who started this so that no Ctrl-C ends it meant that.
    if (before_.sa_handler == SIG_IGN) ::sigaction(SIGINT, &before_, nullptr);
  }
  Farewell(const Farewell&) = delete;
  Farewell& operator=(const Farewell&) = delete;
  ~Farewell() { ::sigaction(SIGINT, &before_, nullptr); }

 private:
  struct sigaction before_{};
};

int finish(const nlohmann::json& job, bool json) {
  const std::string state = job.value("state", "");
  if (json) {
    print_json(job);
  } else {
    const Msg message = state == "done" ? Msg::kJobDone : state == "failed" ? Msg::kJobFailed : Msg::kJobAborted;
    const std::string line = text(message, {job.value("kind", ""), job.value("message", "")});
    if (state == "done") {
      print(line);
    } else {
      std::fprintf(stderr, "%s\n", text(Msg::kError, {line}).c_str());
    }
  }
  return state == "done" ? kExitOk : kExitFailed;
}

// After a restart jobs have new numbers: the one that goes on with `job`.
Result<nlohmann::json> find_again(OperatorClient& client, const nlohmann::json& job) {
  TRY(const auto status, client.get("/v1/status"));
  const std::string subject = job.value("subject", "");
  const nlohmann::json jobs = part_of(status, "jobs");
  for (const auto& other : jobs) {
    const bool later = other.value("started", "") > job.value("started", "");
    if (later && other.value("kind", "") == job.value("kind", "")) return other;
  }
  // A subject is a site, a drive, or a list of drives.
  const auto names = [&subject](const std::string& word) {
    return (", " + subject + ", ").find(", " + word + ", ") != std::string::npos;
  };
  bool any = false;
  bool drained = job.value("kind", "") == "drain";
  const nlohmann::json drives = part_of(status, "drives");
  for (const auto& drive : drives) {
    if (!names(drive.value("site", "")) && !names(drive.value("name", ""))) continue;
    const std::string state = drive.value("state", "");
    any = any || state == "drained";
    if (state != "drained" && state != "replaced") drained = false;
  }
  drained = drained && any;
  nlohmann::json ended = job;
  ended["state"] = drained ? "done" : "aborted";
  ended["message"] = drained ? "drained" : "the server was started again";
  return ended;
}

}  // namespace

Result<Config> find_config(const CommonOptions& common) {
  if (!common.config.empty()) return read_config(common.config);
  const char* variable = std::getenv("ANDROMEDE_CONFIG");
  if (variable != nullptr && *variable != '\0') return read_config(variable);
  std::error_code code;
  for (const char* usual : {"andromede.toml", "/etc/andromede/andromede.toml"}) {
    if (std::filesystem::exists(usual, code)) return read_config(usual);
  }
  return fail(Errc::kNotFound, text(Msg::kNoConfig));
}

Result<OperatorClient> connect(const CommonOptions& common) {
  TRY(const Config config, find_config(common));
  const char* variable = std::getenv("ANDROMEDE_TOKEN_FILE");
  std::string file = CloudFolder{config.folder}.operator_token();
  if (variable != nullptr && *variable != '\0') file = variable;
  if (!common.token_file.empty()) file = common.token_file;
  return OperatorClient::make(config, file);
}

int report(const Error& error) {
  std::fprintf(stderr, "%s\n", text(Msg::kError, {error.message()}).c_str());
  if (error == Errc::kRefused) return kExitRefused;
  if (error == Errc::kInvalidArgument) return kExitUsage;
  return kExitFailed;
}

int report_usage(const Error& error) {
  std::fprintf(stderr, "%s\n", text(Msg::kError, {error.message()}).c_str());
  return kExitUsage;
}

int report_answer(const Error& error, const Config& config) {
  if (error != Errc::kIo) return report(error);
  const std::string line = text(Msg::kUnreachable, {config.operators.to_string(), config.file});
  std::fprintf(stderr, "%s\n", text(Msg::kError, {line}).c_str());
  return kExitUnreachable;
}

void print(const std::string& line) {
  std::printf("%s\n", line.c_str());
  // Whoever follows the journal through a pipe reads each entry as it comes.
  std::fflush(stdout);
}

nlohmann::json part_of(const nlohmann::json& answer, const char* key, const nlohmann::json& otherwise) {
  return answer.value(key, otherwise);
}

void print_json(const nlohmann::json& value) {
  std::printf("%s\n", value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

int wait_for_job(OperatorClient& client, const nlohmann::json& job, bool json) {
  const std::string kind = job.value("kind", "");
  const Farewell farewell(text(kind == "drain" ? Msg::kDrainGoesOn : Msg::kJobGoesOn, {kind}));
  ProgressBar bar;
  nlohmann::json now = job;
  auto gone_since = std::chrono::steady_clock::time_point::max();
  while (now.value("state", "") == "running") {
    bar.draw(progress_line(now));
    std::this_thread::sleep_for(kPollEvery);
    const std::string number = std::to_string(now.value("number", std::uint64_t{0}));
    auto answer = client.get("/v1/jobs/" + number);
    // Another process numbers its jobs anew: the same number may be another job.
    const bool other = (!answer && answer.error() == Errc::kNotFound) ||
                       (answer && answer->value("started", "") != now.value("started", ""));
    if (other) answer = find_again(client, now);
    if (answer) {
      now = std::move(*answer);
      gone_since = std::chrono::steady_clock::time_point::max();
      continue;
    }
    const bool passes = answer.error() == Errc::kIo || answer.error() == Errc::kUnavailable ||
                        answer.error() == Errc::kTimeout || answer.error() == Errc::kOverloaded;
    if (!passes) {
      bar.clear();
      return report_answer(answer.error(), client.config());
    }
    const auto time = std::chrono::steady_clock::now();
    gone_since = std::min(gone_since, time);
    bar.draw(text(Msg::kReconnecting));
    if (time - gone_since > kWaitForServer) {
      bar.clear();
      return report_answer(answer.error(), client.config());
    }
  }
  bar.clear();
  return finish(now, json);
}

}  // namespace andromede::app
