#include "api/operator/front_end.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "api/operator/test_exchange.h"
#include "api/operator/test_operators.h"
#include "fleet/volumes/test_fleet_cloud.h"
#include "meta/test_forwarding_store.h"
#include "net/http_client.h"

namespace andromede::api {
namespace {

using fleet::FleetCloud;
using nlohmann::json;

// How long a test waits for an event before it fails: no measure of speed.
constexpr std::chrono::minutes kPatience{2};

// The store of a cloud, whose scans wait while the gate is shut, and whose commits while they are held.
class GatedStore final : public meta::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  void shut() { open_ = false; }
  void open() { open_ = true; }
  [[nodiscard]] int waiting() const { return waiting_; }
  // The next scan throws.
  void break_once() { broken_ = true; }
  void hold_commits(bool held) { commits_held_ = held; }

  Task<Result<meta::CommitInfo>> commit(meta::Commit change, Deadline deadline) override {
    while (commits_held_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return ForwardingStore::commit(std::move(change), deadline);
  }
  Task<Result<std::vector<meta::Item>>> scan(meta::Scan scan) override {
    ++waiting_;
    while (!open_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    --waiting_;
    if (broken_.exchange(false)) throw std::runtime_error("a fault of the program");
    return ForwardingStore::scan(std::move(scan));
  }

 private:
  std::atomic<bool> open_{true};
  std::atomic<int> waiting_{0};
  std::atomic<bool> broken_{false};
  std::atomic<bool> commits_held_{false};
};

// The front end on a real listener, over a real fleet.
class OperatorFrontEndTest : public testing::Test {
 protected:
  OperatorFrontEndTest() {
    OperatorOptions options;
    options.version = "1.2.3";
    options.warnings = [] { return std::vector<std::string>{"a warning of the objects"}; };
    options.ready = [this]() -> Status {
      ++ready_asked_;
      while (ready_stuck_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (ready_) return {};
      return fail(Errc::kUnavailable, "no metadata mirror is online");
    };
    front_end_ = std::make_unique<OperatorFrontEnd>(control_.services(*cloud_.fleet, store_), cloud_.metrics,
                                                    cloud_.clock, cloud_.random, options);
    auto server = net::Server::start(
        loops_, net::ListenOptions{}, [this](net::Exchange& exchange) { return front_end_->handle(exchange); },
        cloud_.metrics);
    EXPECT_TRUE(server) << server.error().describe();
    server_ = *std::move(server);
    client_ = *net::Client::make("127.0.0.1", server_->port(), "", kPatience);
  }
  ~OperatorFrontEndTest() override {
    store_.open();
    store_.hold_commits(false);
    ready_stuck_ = false;
    server_->stop(std::chrono::seconds(1));
  }

  struct Answer {
    unsigned status = 0;
    json body;
    std::string text;
  };
  Answer call(const std::string& method, const std::string& target, const std::string& body = "",
              std::optional<std::string> authorization = std::nullopt) {
    net::Headers headers;
    if (!authorization) authorization = "Bearer " + control_.token;
    if (!authorization->empty()) headers.add("Authorization", *authorization);
    // What a client says of itself counts for nothing.
    headers.add("X-Andromede-Operator", "mallory");
    const auto response = client_->request(method, target, std::move(headers), body);
    EXPECT_TRUE(response) << response.error().describe();
    if (!response) return {};
    EXPECT_EQ(response->headers.find("x-request-id").value_or("").size(), 16U);
    return {response->status, json::parse(response->body, nullptr, false), response->body};
  }
  // On a connection of its own.
  std::unique_ptr<net::Client> another_client() const {
    return *net::Client::make("127.0.0.1", server_->port(), "", kPatience);
  }
  // Of refused operators, in the journal; the peer and how many, as text.
  std::vector<std::string> refusals() {
    std::vector<std::string> found;
    Answer journal = call("GET", "/v1/journal?limit=1000");
    for (const json& entry : journal.body["entries"]) {
      const json& event = entry["event"];
      if (event["eventName"] != "RefuseOperator") continue;
      found.push_back(event["sourceIPAddress"].get<std::string>() + " " +
                      event["requestParameters"]["refused"].get<std::string>());
    }
    return found;
  }
  // The status of a call without a token from `address`, which counts for `peer`.
  unsigned refused_from(const std::string& address, const std::string& peer) {
    TestExchange exchange(
        {.method = "GET", .target = "/v1/status", .headers = {}, .peer_address = address, .peer = peer});
    sync_wait(front_end_->handle(exchange));
    return exchange.status;
  }
  net::Headers with_token() const {
    net::Headers headers;
    headers.add("Authorization", "Bearer " + control_.token);
    return headers;
  }

  FleetCloud cloud_{{1, 1, 1, 1, 1}};
  TestOperators control_{*cloud_.meta, cloud_.clock, cloud_.random};
  GatedStore store_{*cloud_.meta};
  std::atomic<bool> ready_{true};
  std::atomic<bool> ready_stuck_{false};
  std::atomic<int> ready_asked_{0};
  const SystemClock clock_;
  net::Loops loops_{1, clock_};
  std::unique_ptr<OperatorFrontEnd> front_end_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<net::Client> client_;
};

TEST_F(OperatorFrontEndTest, HealthAndMetricsNeedNoToken) {
  EXPECT_EQ(call("GET", "/health/live", "", "").status, 200U);
  EXPECT_EQ(call("GET", "/health/ready", "", "").status, 200U);
  ready_ = false;
  Answer unready;
  ASSERT_TRUE(eventually([&] {
    unready = call("GET", "/health/ready", "", "");
    return unready.status == 503U;
  }));
  EXPECT_EQ(unready.body["reason"], "no metadata mirror is online");
  const Answer metrics = call("GET", "/metrics", "", "");
  EXPECT_EQ(metrics.status, 200U);
  EXPECT_NE(metrics.text.find("andromede_degraded"), std::string::npos);
}

TEST_F(OperatorFrontEndTest, ProbesAreNotChargedAsRefusals) {
  for (const char* target : {"/health/live", "/health/ready", "/metrics", "/other", "/v1/status"}) {
    TestExchange exchange({.method = "GET", .target = target, .headers = {}, .peer_address = "127.0.0.1"});
    sync_wait(front_end_->handle(exchange));
    EXPECT_EQ(exchange.open_to_anybody, exchange.status == 200) << target;
    EXPECT_FALSE(exchange.admitted) << target;
  }
}

TEST_F(OperatorFrontEndTest, ProbesAreCheap) {
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(call("GET", "/health/ready", "", "").status, 200U);
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_LE(ready_asked_, 1 + took / std::chrono::seconds(1)) << "once a second";
}

TEST_F(OperatorFrontEndTest, NotToKnowInTimeIsNotToBeReady) {
  ready_stuck_ = true;
  const auto began = std::chrono::steady_clock::now();
  const Answer stuck = call("GET", "/health/ready", "", "");
  EXPECT_LT(std::chrono::steady_clock::now() - began, kPatience);
  EXPECT_EQ(stuck.status, 503U);
  EXPECT_EQ(stuck.body["status"], "not ready");
  EXPECT_EQ(call("GET", "/health/live", "", "").status, 200U);
}

TEST_F(OperatorFrontEndTest, ReadinessIsToldWhileCallsAreStuck) {
  ASSERT_EQ(call("POST", "/v1/scrub").status, 202U);  // so that the journal has an entry to look for
  store_.shut();
  std::vector<std::thread> stuck;
  for (int i = 0; i < 5; ++i) {
    stuck.emplace_back(
        [this] { EXPECT_TRUE(another_client()->request("GET", "/v1/journal?first=1", with_token(), {})); });
  }
  ASSERT_TRUE(eventually([&] { return store_.waiting() == 4; }));
  EXPECT_EQ(call("GET", "/health/ready", "", "").status, 200U);
  const std::string depth = "andromede_pool_queue_depth{pool=\"operator\"} 1";
  EXPECT_TRUE(eventually([&] { return call("GET", "/metrics", "", "").text.find(depth) != std::string::npos; }));
  store_.open();
  for (auto& thread : stuck) thread.join();
}

TEST_F(OperatorFrontEndTest, TheJournalIsVerifiedOnceAtATime) {
  ASSERT_EQ(call("POST", "/v1/scrub").status, 202U);
  store_.shut();
  unsigned first_status = 0;
  std::thread first([&] {
    const auto verified = another_client()->request("GET", "/v1/journal/verify", with_token(), {});
    if (verified) first_status = verified->status;
  });
  ASSERT_TRUE(eventually([&] { return store_.waiting() == 1; }));
  const Answer second = call("GET", "/v1/journal/verify");
  EXPECT_EQ(second.status, 409U);
  EXPECT_EQ(second.body["code"], "conflict");
  store_.open();
  first.join();
  EXPECT_EQ(first_status, 200U);
  EXPECT_EQ(call("GET", "/v1/journal/verify").body["ok"], true);
}

TEST_F(OperatorFrontEndTest, AStopDoesNotWaitForACallThatIsStuck) {
  store_.shut();
  std::thread caller(
      [this] { EXPECT_FALSE(another_client()->request("GET", "/v1/journal/verify", with_token(), {})); });
  ASSERT_TRUE(eventually([&] { return store_.waiting() == 1; }));
  const auto began = std::chrono::steady_clock::now();
  server_->stop(std::chrono::milliseconds(200));
  EXPECT_LT(std::chrono::steady_clock::now() - began, kPatience);
  caller.join();
}

TEST_F(OperatorFrontEndTest, ChangesAreLoggedWithWhatFindsThemAgain) {
  net::Headers headers = with_token();
  headers.add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  testing::internal::CaptureStderr();
  const auto answer = client_->request("POST", "/v1/scrub", std::move(headers), {});
  call("GET", "/v1/status");
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(answer);
  const std::string id(answer->headers.find("x-request-id").value_or("none"));
  const auto line = log.find("\"requestId\":\"" + id + "\"");
  ASSERT_NE(line, std::string::npos) << log;
  EXPECT_NE(log.find("\"operation\":\"Scrub\"", line), std::string::npos) << log;
  EXPECT_NE(log.find("\"operator\":\"claire\"", line), std::string::npos) << log;
  EXPECT_NE(log.find("\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"", line),
            std::string::npos)
      << log;
  EXPECT_EQ(log.find("\"operation\":\"Status\""), std::string::npos) << log;
  EXPECT_EQ(log.find(control_.token), std::string::npos);
}

TEST_F(OperatorFrontEndTest, CountsRequests) {
  call("GET", "/v1/status");
  call("POST", "/v1/drain", "{}");
  call("GET", "/v1/nothing");
  const std::string text = call("GET", "/metrics", "", "").text;
  for (const char* series : {R"({operation="Status",status="200"} 1)", R"({operation="Drain",status="400"} 1)",
                             R"({operation="Unknown",status="404"} 1)"}) {
    EXPECT_NE(text.find(std::string("andromede_operator_requests_total") + series), std::string::npos) << series;
  }
}

TEST_F(OperatorFrontEndTest, EverythingElseNeedsAToken) {
  const std::string& token = control_.token;
  std::string almost = token;
  almost.back() = almost.back() == 'b' ? 'c' : 'b';
  for (const std::string& authorization :
       {std::string(), "Bearer " + almost, "Bearer " + token + "a", std::string("Bearer "), "Basic " + token, token}) {
    const Answer refused = call("GET", "/v1/status", "", authorization);
    EXPECT_EQ(refused.status, 401U) << authorization;
    EXPECT_EQ(refused.body["code"], "unauthorised");
  }
  for (const char* target : {"/v1/journal", "/v1/nothing"}) EXPECT_EQ(call("GET", target, "", "").status, 401U);
  ASSERT_TRUE(eventually([&] { return refusals().size() == 1; }));
  const auto entries = cloud_.meta->last_sequence();
  EXPECT_EQ(call("POST", "/v1/drain", R"({"site":"s0"})", "").status, 401U);
  EXPECT_EQ(cloud_.meta->last_sequence(), entries);
}

TEST_F(OperatorFrontEndTest, WrongTokensAreJournaledOnceAMinuteAndTakeNothingFromRightOnes) {
  const auto entries = cloud_.meta->last_sequence();
  for (std::uint64_t i = 0; i < RefusedTokens::kMaxPerWindow; ++i) {
    EXPECT_EQ(call("GET", "/v1/status", "", "Bearer wrong").status, 401U);
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(call("GET", "/v1/status", "", "Bearer wrong").status, 429U);
  EXPECT_EQ(call("GET", "/v1/status").status, 200U);
  ASSERT_TRUE(eventually([&] { return !refusals().empty(); }));
  EXPECT_EQ(refusals(), std::vector<std::string>{"127.0.0.1 1"});
  EXPECT_EQ(cloud_.meta->last_sequence(), entries + 1);
  EXPECT_NE(call("GET", "/metrics", "", "").text.find("andromede_operator_refused_tokens_total 30"), std::string::npos);
}

TEST_F(OperatorFrontEndTest, WrongTokensOccupyNoThreadThatOperatorsNeedWhileTheJournalIsHeld) {
  store_.hold_commits(true);
  std::vector<std::thread> refused;
  for (int i = 0; i < 8; ++i) {
    const std::string address = "127.0.0." + std::to_string(i + 2);
    refused.emplace_back([this, address] { EXPECT_EQ(refused_from(address, address), 401U) << address; });
  }
  for (auto& thread : refused) thread.join();
  EXPECT_EQ(call("GET", "/v1/status").status, 200U);
  store_.hold_commits(false);
  EXPECT_TRUE(eventually([&] { return refusals().size() == 8; })) << "none is forgotten";
}

TEST_F(OperatorFrontEndTest, OneHostIsOnePeerWhateverAddressesItTakes) {
  for (std::uint64_t i = 0; i < RefusedTokens::kMaxPerWindow; ++i) {
    EXPECT_EQ(refused_from("2001:db8::" + std::to_string(i), "2001:db8::/64"), 401U);
  }
  EXPECT_EQ(refused_from("2001:db8::ffff", "2001:db8::/64"), 429U);
  EXPECT_EQ(refused_from("2001:db8:0:1::1", "2001:db8:0:1::/64"), 401U);
  ASSERT_TRUE(eventually([&] { return refusals().size() == 2; }));
  EXPECT_EQ(refusals().front(), "2001:db8::/64 1");
}

TEST_F(OperatorFrontEndTest, AFaultOfTheProgramIsAnAnswerAndLocksNothing) {
  ASSERT_EQ(call("POST", "/v1/scrub").status, 202U);
  store_.break_once();
  const Answer failed = call("GET", "/v1/journal/verify");
  EXPECT_EQ(failed.status, 500U) << failed.text;
  EXPECT_EQ(failed.body["code"], "internal");
  EXPECT_EQ(call("GET", "/v1/journal/verify").body["ok"], true);
}

TEST_F(OperatorFrontEndTest, TellsTheStatus) {
  const Answer status = call("GET", "/v1/status");
  ASSERT_EQ(status.status, 200U);
  EXPECT_EQ(status.body["version"], "1.2.3");
  EXPECT_EQ(status.body["warnings"].back(), "a warning of the objects");
  EXPECT_EQ(status.body["drives"].size(), 5U);
  ASSERT_EQ(status.body["policies"].size(), 1U);
  EXPECT_EQ(status.body["policies"][0]["name"], "standard");
  EXPECT_EQ(status.body["policies"][0]["default"], true);
  EXPECT_EQ(status.body["policies"][0]["demanded"]["site_losses"], 2);
  EXPECT_EQ(status.body["policies"][0]["actual"]["site_losses"], 2);
  EXPECT_EQ(status.body["drives"][0]["name"], "s0-1");
  EXPECT_EQ(status.body["drives"][0]["state"], "active");
}

TEST_F(OperatorFrontEndTest, RunsADrainAndNamesItsOperatorInTheJournal) {
  const Answer started = call("POST", "/v1/drain", R"({"site":"s0"})");
  ASSERT_EQ(started.status, 202U) << started.text;
  const std::string target = "/v1/jobs/" + std::to_string(started.body["number"].get<unsigned>());
  ASSERT_TRUE(eventually([&] { return call("GET", target).body["state"] == "done"; }));
  const Answer journal = call("GET", "/v1/journal?limit=100");
  const std::string text = journal.text;
  EXPECT_NE(text.find("DrainSite"), std::string::npos);
  EXPECT_NE(text.find("claire"), std::string::npos);
  const Answer verified = call("GET", "/v1/journal/verify");
  EXPECT_EQ(verified.body["ok"], true);
  EXPECT_EQ(verified.body["entries"], cloud_.meta->last_sequence());
}

TEST_F(OperatorFrontEndTest, ARefusalHasItsCodeAndMessage) {
  ASSERT_EQ(call("POST", "/v1/drain", R"({"site":"s0"})").status, 202U);
  ASSERT_TRUE(eventually([&] { return cloud_.drive("s0-1").phase == fleet::DrivePhase::kDrained; }));
  ASSERT_TRUE(eventually([&] { return cloud_.healthy(); })) << cloud_.reasons();
  const Answer refused = call("POST", "/v1/drain", R"({"site":"s1"})");
  EXPECT_EQ(refused.status, 422U);
  EXPECT_EQ(refused.body["code"], "refused");
  EXPECT_NE(refused.body["message"].get<std::string>().find("4 drives"), std::string::npos);
}

TEST_F(OperatorFrontEndTest, PagesTheJournal) {
  ASSERT_EQ(call("POST", "/v1/scrub").status, 202U);
  const Answer page = call("GET", "/v1/journal?first=1&limit=2");
  ASSERT_EQ(page.body["entries"].size(), 2U);
  EXPECT_EQ(page.body["entries"][0]["sequence"], 1);
  EXPECT_EQ(page.body["entries"][0]["event"]["eventName"], "CreateOperator");
  EXPECT_EQ(page.body["entries"][1]["event"]["eventName"], "StartScrub");
  EXPECT_TRUE(call("GET", "/v1/journal?first=1000000").body["entries"].empty());
  EXPECT_EQ(call("GET", "/v1/journal?first=one").status, 400U);
}

TEST_F(OperatorFrontEndTest, JoinsADrive) {
  const std::string path = cloud_.make_folder("s9-1");
  const Answer added =
      call("POST", "/v1/drives", json{{"name", "s9-1"}, {"site", "s9"}, {"associate", "s9"}, {"path", path}}.dump());
  EXPECT_EQ(added.status, 201U) << added.text;
  EXPECT_EQ(cloud_.drives->map()->drives.size(), 6U);
}

struct BadCall {
  const char* method;
  const char* target;
  const char* body;
  unsigned status;
};

TEST_F(OperatorFrontEndTest, BadCallsChangeNothing) {
  const auto map = *cloud_.drives->map();
  const std::string huge = "{\"site\":\"" + std::string(70'000, 'x') + "\"}";
  for (const BadCall& bad :
       {BadCall{"GET", "/v1/nothing", "", 404},
        BadCall{"GET", "/other", "", 404},
        BadCall{"POST", "/v1/drain", "{", 400},
        BadCall{"POST", "/v1/drain", "[]", 400},
        BadCall{"POST", "/v1/drain", "{}", 400},
        BadCall{"POST", "/v1/drain", huge.c_str(), 400},
        BadCall{"POST", "/v1/drain", R"({"site":"s0","sites":1})", 400},
        BadCall{"POST", "/v1/drain", R"({"site":"s0","accept_site_losses":-1})", 400},
        BadCall{"POST", "/v1/drain", R"({"site":"nowhere"})", 404},
        BadCall{"DELETE", "/v1/drain", "", 409},
        BadCall{"GET", "/v1/jobs/7777", "", 404},
        BadCall{"GET", "/v1/jobs/x", "", 400},
        BadCall{"POST", "/v1/drives", R"({"name":"Ä"})", 400},
        BadCall{"POST", "/v1/drives", R"({"name":"a","site":"a","associate":"a","path":"relative"})", 400},
        BadCall{"POST", "/v1/drives", R"({"name":"a","site":"a","associate":"a","path":"/no/such/folder"})", 404},
        BadCall{"POST", "/v1/drives/none/replace", R"({"path":"/tmp"})", 404},
        BadCall{"POST", "/v1/drives/none/reclaim", "{}", 404},
        BadCall{"POST", "/v1/drives/s0-1/reclaim", "{}", 409},
        BadCall{"POST", "/v1/drives/replace", R"({"path":"/tmp"})", 404},
        BadCall{"POST", "/v1/drives//replace", R"({"path":"/tmp"})", 404},
        BadCall{"POST", "/v1/accounts", "{}", 400},
        BadCall{"POST", "/v1/accounts", R"({"name":""})", 400},
        BadCall{"POST", "/v1/accounts", R"({"name":3})", 400},
        BadCall{"POST", "/v1/accounts", R"({"name":"A","account":"12"})", 400},
        BadCall{"POST", "/v1/accounts", R"({"name":"A","key":"12"})", 400},
        BadCall{"DELETE", "/v1/accounts/000000000009", "", 404},
        BadCall{"GET", "/v1/accounts/000000000009/keys", "", 404},
        BadCall{"POST", "/v1/accounts/000000000009/keys", "{}", 404},
        BadCall{"POST", "/v1/keys/AKIAABCDEFGHIJKLMNOP/disable", "{}", 404},
        BadCall{"DELETE", "/v1/keys/AKIAABCDEFGHIJKLMNOP", "", 404},
        BadCall{"POST", "/v1/operators", R"({"name":"A B"})", 400},
        BadCall{"POST", "/v1/operators", R"({"name":"a","expires_days":0})", 400},
        BadCall{"POST", "/v1/operators", R"({"name":"claire"})", 409},
        BadCall{"DELETE", "/v1/operators/nobody", "", 404},
        BadCall{"DELETE", "/v1/operators/claire", "", 422}}) {
    const Answer answer = call(bad.method, bad.target, bad.body);
    EXPECT_EQ(answer.status, bad.status) << bad.method << " " << bad.target << " "
                                         << std::string(bad.body).substr(0, 80);
    EXPECT_TRUE(answer.body.contains("message")) << answer.text;
  }
  EXPECT_EQ(*cloud_.drives->map(), map);
}

}  // namespace
}  // namespace andromede::api
