// andromede_load: load on an S3 (or plain HTTP) server from this machine, with keep-alive, SigV4 and checked bodies.
// Used by bench/compare.py (figures) and tests/crash/ (a log of what was acknowledged, to be verified after a crash).
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "load/connection.h"
#include "load/content.h"
#include "load/signer.h"

namespace andromede::load {
namespace {

using std::chrono::steady_clock;

struct Settings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9000;
  std::string from;  // the address to connect from; empty: any
  Credentials credentials;
  std::string workload;
  std::string bucket = "bench";
  std::string prefix = "o";
  std::size_t size_bytes = 4096;
  unsigned concurrency = 16;
  double seconds = 0;       // stop after this time
  std::uint64_t count = 0;  // or after this many operations
  std::uint64_t first = 0;  // put: the number of the first key
  double per_s = 0;         // operations a second, of all connections together; 0: as many as go
  std::uint64_t keys = 0;   // get, mixed, churn: keys 0 … keys-1
  unsigned reads_percent = 70;
  bool hash_body = true;
  std::string log_path;  // churn, verify
  std::uint64_t seed = 1;
};

struct Outcome {
  std::vector<double> latencies_ms;
  std::uint64_t operations = 0;
  std::uint64_t bytes = 0;
  std::uint64_t errors = 0;
  std::string first_error;

  void error(std::string what) {
    ++errors;
    if (first_error.empty()) first_error = std::move(what);
  }
  void merge(Outcome other) {
    latencies_ms.insert(latencies_ms.end(), other.latencies_ms.begin(), other.latencies_ms.end());
    operations += other.operations;
    bytes += other.bytes;
    errors += other.errors;
    if (first_error.empty()) first_error = other.first_error;
  }
};

// Hands out operation numbers until the time or the count is used up.
class Budget {
 public:
  Budget(double seconds, std::uint64_t count)
      : end_(steady_clock::now() + std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6))),
        timed_(seconds > 0),
        count_(count) {}
  std::optional<std::uint64_t> take() {
    if (timed_ && steady_clock::now() >= end_) return std::nullopt;
    const std::uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
    if (count_ > 0 && number >= count_) return std::nullopt;
    return number;
  }

 private:
  const steady_clock::time_point end_;
  const bool timed_;
  const std::uint64_t count_;
  std::atomic<std::uint64_t> next_{0};
};

// What was started and what was acknowledged, a line each, in the order of this process. One write(2) a line, so a line
// is whole whatever happens.
class AckLog {
 public:
  explicit AckLog(const std::string& path) {
    if (!path.empty()) file_ = std::fopen(path.c_str(), "a");
  }
  ~AckLog() {
    if (file_ != nullptr) std::fclose(file_);
  }
  AckLog(const AckLog&) = delete;
  AckLog& operator=(const AckLog&) = delete;
  // `what`: P put started, p put acknowledged, D delete started, d delete acknowledged.
  void line(char what, const std::string& key, std::uint64_t generation, std::size_t size_bytes) {
    if (file_ == nullptr) return;
    const std::lock_guard lock(mutex_);
    std::fprintf(file_, "%c %s %llu %zu\n", what, key.c_str(), static_cast<unsigned long long>(generation), size_bytes);
    std::fflush(file_);
  }

 private:
  std::mutex mutex_;
  std::FILE* file_ = nullptr;
};

// One connection with its signer: what a thread works with.
class Client {
 public:
  explicit Client(const Settings& settings)
      : settings_(settings),
        connection_(settings.host, settings.port, settings.from),
        signer_(settings.credentials, settings.host + ":" + std::to_string(settings.port)) {}

  Result<Response> put(const std::string& key, std::uint64_t generation, std::size_t size_bytes) {
    Request request{.method = "PUT", .path = path(key), .query = {}, .headers = {}, .content_type = ""};
    if (generation > 0) request.headers.emplace_back("x-amz-meta-generation", std::to_string(generation));
    const ByteView body = content_of(key, generation, size_bytes);
    return connection_.exchange(signer_.head(request, body, settings_.hash_body), body);
  }
  Result<Response> get(const std::string& key) { return plain("GET", path(key), {}); }
  Result<Response> remove(const std::string& key) { return plain("DELETE", path(key), {}); }
  Result<Response> make_bucket() { return plain("PUT", "/" + settings_.bucket, {}); }
  Result<Response> list(const std::string& token) {
    std::vector<std::pair<std::string, std::string>> query;
    if (!token.empty()) query.emplace_back("continuation-token", percent(token));
    query.emplace_back("list-type", "2");
    query.emplace_back("max-keys", "1000");
    query.emplace_back("prefix", percent(settings_.prefix));
    return plain("GET", "/" + settings_.bucket, std::move(query));
  }

 private:
  static std::string percent(std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
        out.push_back(c);
      } else {
        char escape[4];
        std::snprintf(escape, sizeof escape, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
        out += escape;
      }
    }
    return out;
  }
  [[nodiscard]] std::string path(const std::string& key) const { return "/" + settings_.bucket + "/" + key; }
  Result<Response> plain(const char* method, std::string target,
                         std::vector<std::pair<std::string, std::string>> query) {
    const Request request{
        .method = method, .path = std::move(target), .query = std::move(query), .headers = {}, .content_type = ""};
    return connection_.exchange(signer_.head(request, {}, settings_.hash_body), {});
  }

  const Settings& settings_;
  Connection connection_;
  Signer signer_;
};

std::string key_name(const Settings& settings, std::uint64_t number) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%09llu", static_cast<unsigned long long>(number));
  return settings.prefix + digits;
}

bool good(unsigned status) { return status >= 200 && status < 300; }

std::string describe(const Result<Response>& response) {
  if (!response) return response.error().describe();
  return "status " + std::to_string(response->status) + ": " +
         std::string(as_text(response->body).substr(0, std::min<std::size_t>(300, response->body.size())));
}

void check_body(const Settings& settings, const std::string& key, const Result<Response>& response, Outcome& outcome) {
  if (!response || response->status != 200) return outcome.error("GET " + key + ": " + describe(response));
  const ByteView want = content_of(key, 0, settings.size_bytes);
  if (response->body.size() != want.size() || std::memcmp(response->body.data(), want.data(), want.size()) != 0) {
    return outcome.error("GET " + key + ": the body is not what was stored");
  }
  outcome.bytes += want.size();
}

void put_one(const Settings& settings, Client& client, std::uint64_t number, Outcome& outcome) {
  const std::string key = key_name(settings, settings.first + number);
  const auto response = client.put(key, 0, settings.size_bytes);
  if (!response || !good(response->status)) return outcome.error("PUT " + key + ": " + describe(response));
  outcome.bytes += settings.size_bytes;
}

void get_one(const Settings& settings, Client& client, std::uint64_t number, Outcome& outcome) {
  const std::string key = key_name(settings, number);
  check_body(settings, key, client.get(key), outcome);
}

// A GET with a signature that is wrong.
void refused_one(const Settings& settings, Client& client, std::uint64_t number, Outcome& outcome) {
  const auto response = client.get(key_name(settings, number));
  if (!response || response->status != 403) outcome.error("GET, wrongly signed: " + describe(response));
}

// GETs of stored keys, PUTs of new ones behind them.
void mixed_one(const Settings& settings, Client& client, std::uint64_t number, std::mt19937_64& random,
               Outcome& outcome) {
  if (random() % 100 < settings.reads_percent) {
    get_one(settings, client, random() % settings.keys, outcome);
  } else {
    put_one(settings, client, settings.keys + number, outcome);
  }
}

void delete_one(const Settings& settings, Client& client, std::uint64_t number, Outcome& outcome) {
  const auto response = client.remove(key_name(settings, number));
  if (!response || !good(response->status)) outcome.error("DELETE: " + describe(response));
}

// Overwrites and deletes of a small set of keys in sizes around every limit, every step in the log. Each thread has
// keys of its own, so that the order of its steps is known.
class Churn {
 public:
  Churn(const Settings& settings, AckLog& log, unsigned thread)
      : settings_(settings), log_(log), thread_(thread), random_(settings.seed * 7919 + thread) {}

  void one(Client& client, Outcome& outcome) {
    const std::uint64_t number = random_() % std::max<std::uint64_t>(1, settings_.keys / settings_.concurrency);
    const std::string key = key_name(settings_, number * settings_.concurrency + thread_);
    const std::uint64_t generation = next_generation();
    if (random_() % 10 == 0) {
      log_.line('D', key, generation, 0);
      const auto response = client.remove(key);
      if (!response || !good(response->status)) return outcome.error("DELETE " + key + ": " + describe(response));
      log_.line('d', key, generation, 0);
      return;
    }
    const std::size_t size = pick_size();
    log_.line('P', key, generation, size);
    const auto response = client.put(key, generation, size);
    if (!response || !good(response->status)) return outcome.error("PUT " + key + ": " + describe(response));
    log_.line('p', key, generation, size);
    outcome.bytes += size;
  }

 private:
  // Grows over restarts of this program too: wall-clock microseconds.
  std::uint64_t next_generation() {
    const auto now = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
    last_ = std::max(last_ + 1, now);
    return last_;
  }
  std::size_t pick_size() {
    static constexpr std::size_t kSizes[] = {0,     1,       100,     4096,     32 << 10, (32 << 10) + 1,
                                             65536, 200'000, 1 << 20, 5'000'000};
    return kSizes[random_() % std::size(kSizes)];
  }

  const Settings& settings_;
  AckLog& log_;
  const unsigned thread_;
  std::mt19937_64 random_;
  std::uint64_t last_ = 0;
};

void run_thread(const Settings& settings, Budget& budget, AckLog& log, unsigned thread, Outcome& outcome) {
  Client client(settings);
  std::mt19937_64 random(settings.seed * 104729 + thread);
  Churn churn(settings, log, thread);
  const bool paced = settings.per_s > 0;
  const auto pause = std::chrono::duration_cast<steady_clock::duration>(
      std::chrono::duration<double>(paced ? settings.concurrency / settings.per_s : 0));
  auto before = steady_clock::now();
  while (const auto number = budget.take()) {
    // A paced request counts from when it was due, so that what waited behind a slow one is seen.
    before = paced ? before + pause : steady_clock::now();
    if (paced) std::this_thread::sleep_until(before);
    if (settings.workload == "put") put_one(settings, client, *number, outcome);
    if (settings.workload == "get") get_one(settings, client, random() % settings.keys, outcome);
    if (settings.workload == "refused") refused_one(settings, client, random() % settings.keys, outcome);
    if (settings.workload == "mixed") mixed_one(settings, client, *number, random, outcome);
    if (settings.workload == "delete") delete_one(settings, client, *number, outcome);
    if (settings.workload == "churn") churn.one(client, outcome);
    outcome.latencies_ms.push_back(std::chrono::duration<double, std::milli>(steady_clock::now() - before).count());
    ++outcome.operations;
    // A server that is gone answers nothing but errors: churn is killed with it, the rest must not spin.
    if (outcome.errors > 100) return;
  }
}

std::string between(std::string_view text, std::string_view open, std::string_view close) {
  const std::size_t begin = text.find(open);
  if (begin == std::string_view::npos) return {};
  const std::size_t end = text.find(close, begin);
  return std::string(text.substr(begin + open.size(), end - begin - open.size()));
}

// Lists everything under the prefix, again while there is time; an operation is a key, a latency a page.
void run_list(const Settings& settings, Outcome& outcome) {
  Client client(settings);
  const auto end = steady_clock::now() + std::chrono::duration<double>(settings.seconds);
  std::string token;
  do {
    const auto before = steady_clock::now();
    const auto response = client.list(token);
    if (!response || response->status != 200) return outcome.error("LIST: " + describe(response));
    outcome.latencies_ms.push_back(std::chrono::duration<double, std::milli>(steady_clock::now() - before).count());
    const std::string_view text = as_text(response->body);
    for (std::size_t at = text.find("<Key>"); at != std::string_view::npos; at = text.find("<Key>", at + 5)) {
      ++outcome.operations;
    }
    token = between(text, "<NextContinuationToken>", "</NextContinuationToken>");
  } while (!token.empty() || steady_clock::now() < end);
}

struct KeyHistory {
  std::vector<std::pair<std::uint64_t, std::size_t>> started;  // generation and size of puts since the last known state
  bool may_be_absent = true;
};

// Replays the log: for each key, which states may be found now.
std::map<std::string, KeyHistory> read_log(const std::string& path) {
  std::map<std::string, KeyHistory> keys;
  std::ifstream file(path);
  char what = 0;
  std::string key;
  std::uint64_t generation = 0;
  std::size_t size = 0;
  while (file >> what >> key >> generation >> size) {
    KeyHistory& history = keys[key];
    if (what == 'P') history.started.emplace_back(generation, size);
    if (what == 'D') history.may_be_absent = true;
    if (what == 'p') {
      // Later starts of the same thread cannot precede this line, so what was before is overwritten for good.
      history.started = {{generation, size}};
      history.may_be_absent = false;
    }
    if (what == 'd') {
      history.started.clear();
      history.may_be_absent = true;
    }
  }
  return keys;
}

void verify_key(Client& client, const std::string& key, const KeyHistory& history, Outcome& outcome) {
  const auto response = client.get(key);
  ++outcome.operations;
  if (response && response->status == 404) {
    if (!history.may_be_absent) outcome.error("GET " + key + ": acknowledged and gone");
    return;
  }
  if (!response || response->status != 200) return outcome.error("GET " + key + ": " + describe(response));
  const std::string text = response->header("x-amz-meta-generation");
  std::uint64_t generation = 0;
  std::from_chars(text.data(), text.data() + text.size(), generation);
  const auto found = std::find_if(history.started.begin(), history.started.end(),
                                  [&](const auto& start) { return start.first == generation; });
  if (found == history.started.end()) {
    return outcome.error("GET " + key + ": generation " + text + " is not one that may be there");
  }
  const ByteView want = content_of(key, generation, found->second);
  if (response->body.size() != want.size() ||
      (!want.empty() && std::memcmp(response->body.data(), want.data(), want.size()) != 0)) {
    outcome.error("GET " + key + ": generation " + text + " is not whole");
  }
  outcome.bytes += want.size();
}

void run_verify(const Settings& settings, Outcome& outcome) {
  const auto keys = read_log(settings.log_path);
  std::vector<std::pair<std::string, KeyHistory>> list(keys.begin(), keys.end());
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  std::vector<Outcome> outcomes(settings.concurrency);
  for (unsigned t = 0; t < settings.concurrency; ++t) {
    threads.emplace_back([&, t] {
      Client client(settings);
      for (std::size_t i = next++; i < list.size(); i = next++) {
        verify_key(client, list[i].first, list[i].second, outcomes[t]);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (auto& part : outcomes) outcome.merge(std::move(part));
}

double percentile(std::vector<double>& values, double fraction) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(fraction * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

void print(Outcome& outcome, double seconds) {
  const double operations = static_cast<double>(outcome.operations);
  std::printf(
      "{\"operations\": %llu, \"errors\": %llu, \"seconds\": %.3f, \"ops_per_s\": %.1f, \"mb_per_s\": %.1f, "
      "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f}\n",
      static_cast<unsigned long long>(outcome.operations), static_cast<unsigned long long>(outcome.errors), seconds,
      operations / seconds, static_cast<double>(outcome.bytes) / 1e6 / seconds, percentile(outcome.latencies_ms, 0.5),
      percentile(outcome.latencies_ms, 0.99), percentile(outcome.latencies_ms, 0.999));
  if (outcome.errors > 0) std::fprintf(stderr, "andromede_load: first error: %s\n", outcome.first_error.c_str());
}

int run(Settings settings) {
  if (settings.workload == "make-bucket") {
    Client client(settings);
    const auto response = client.make_bucket();
    if (response && (good(response->status) || response->status == 409)) return 0;
    std::fprintf(stderr, "andromede_load: %s\n", describe(response).c_str());
    return 1;
  }
  (void)content_of("warm", 0, 1);  // the pattern block is made before the clock starts
  Outcome total;
  const auto begin = steady_clock::now();
  if (settings.workload == "list") {
    run_list(settings, total);
  } else if (settings.workload == "verify") {
    run_verify(settings, total);
  } else {
    Budget budget(settings.seconds, settings.count);
    AckLog log(settings.log_path);
    std::vector<Outcome> outcomes(settings.concurrency);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < settings.concurrency; ++t) {
      threads.emplace_back([&, t] { run_thread(settings, budget, log, t, outcomes[t]); });
    }
    for (auto& thread : threads) thread.join();
    for (auto& part : outcomes) total.merge(std::move(part));
  }
  print(total, std::chrono::duration<double>(steady_clock::now() - begin).count());
  return total.errors == 0 ? 0 : 1;
}

}  // namespace
}  // namespace andromede::load

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  andromede::load::Settings settings;
  bool unsigned_payload = false;
  CLI::App app("Load on an S3 server: keep-alive, SigV4, checked bodies. Prints one JSON line.");
  app.add_option(
         "workload", settings.workload,
         "make-bucket | put | get | refused (wrongly signed) | mixed | delete | list | churn (logged overwrites and "
         "deletes) | verify")
      ->required()
      ->check(CLI::IsMember({"make-bucket", "put", "get", "refused", "mixed", "delete", "list", "churn", "verify"}));
  app.add_option("--host", settings.host, "IPv4 address");
  app.add_option("--port", settings.port);
  app.add_option("--from", settings.from, "IPv4 address to connect from");
  app.add_option("--access-key", settings.credentials.access_key_id, "none: requests are not signed");
  app.add_option("--secret-key", settings.credentials.secret)->envname("ANDROMEDE_LOAD_SECRET");
  app.add_option("--region", settings.credentials.region);
  app.add_option("--bucket", settings.bucket);
  app.add_option("--prefix", settings.prefix);
  app.add_option("--size", settings.size_bytes, "bytes of each object")
      ->check(CLI::Range(std::size_t{0}, andromede::load::kMaxContentBytes));
  app.add_option("--concurrency", settings.concurrency, "connections, a thread each")->check(CLI::Range(1U, 1024U));
  app.add_option("--seconds", settings.seconds);
  app.add_option("--count", settings.count);
  app.add_option("--first", settings.first, "put: the number of the first key");
  app.add_option("--per-second", settings.per_s, "operations, of all connections together; none: as many as go");
  app.add_option("--keys", settings.keys, "keys that exist (get, refused, mixed) or are churned");
  app.add_option("--log", settings.log_path, "of churn and verify");
  app.add_option("--seed", settings.seed);
  app.add_flag("--unsigned-payload", unsigned_payload, "UNSIGNED-PAYLOAD instead of the body's SHA-256");
  CLI11_PARSE(app, argc, argv);
  settings.hash_body = !unsigned_payload;
  if (settings.workload == "refused") settings.credentials.secret += "-wrong";
  const bool needs_keys = settings.workload == "get" || settings.workload == "refused" ||
                          settings.workload == "mixed" || settings.workload == "churn";
  if (needs_keys && settings.keys == 0) {
    std::cerr << "andromede_load: " << settings.workload << " needs --keys\n";
    return 2;
  }
  return andromede::load::run(std::move(settings));
}
