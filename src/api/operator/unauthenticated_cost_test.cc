// Without the token, a request costs next to nothing: heads made to be expensive may allocate no more than a small
// multiple of their size, nothing of a body is read, and the answer is small. Counted, not timed.
#include <gtest/gtest.h>

#include "api/operator/front_end.h"
#include "api/operator/test_exchange.h"
#include "api/operator/test_operators.h"
#include "base/test_allocations.h"
#include "fleet/volumes/test_fleet_cloud.h"
#include "net/head_parser.h"

namespace andromede::api {
namespace {

constexpr std::uint64_t kBytesPerByte = 8;
constexpr std::uint64_t kConstantBytes = 16 * 1024;
constexpr std::size_t kMostAnswerBytes = 2048;

std::string repeat(std::string_view piece, std::size_t bytes) {
  std::string out;
  while (out.size() + piece.size() <= bytes) out += piece;
  return out;
}

TEST(OperatorUnauthenticatedCostTest, NoHeadCostsMoreThanASmallMultipleOfItsSize) {
  fleet::FleetCloud cloud({1, 1, 1});
  OperatorOptions options;
  options.ready = [] { return Status{}; };
  TestOperators control(*cloud.meta, cloud.clock, cloud.random);
  OperatorFrontEnd front_end(control.services(*cloud.fleet, *cloud.meta), cloud.metrics, cloud.clock, cloud.random,
                             options);
  std::string distinct;
  for (int i = 0; distinct.size() < 15'000; ++i) distinct += "p" + std::to_string(i) + "&";
  const std::string many = repeat("x", 15'000);
  const std::string paths[] = {
      "/" + many,
      "/" + repeat("\"", 100),
      "/v1/" + repeat("%22", 15'000),
      "/v1/status?" + distinct,
      "/v1/status?" + repeat("a&", 15'000),
      "/v1/jobs/" + many,
      "/v1/drives/" + many + "/replace",
  };
  const std::string authorizations[] = {"", "Bearer ", "Bearer " + std::string(64, 'b'),
                                        "Bearer aop.claire." + std::string(32, 'b'), "Basic YTph"};
  // The first refusal is journaled, which costs what a commit does, on another thread: once a minute and peer, however
  // many follow.
  TestExchange journaled({.method = "GET", .target = "/v1/status", .headers = {}, .peer_address = {}});
  sync_wait(front_end.handle(journaled));
  EXPECT_EQ(journaled.status, 401u);
  for (const std::string& path : paths) {
    for (const std::string& authorization : authorizations) {
      std::string text = "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n";
      if (!authorization.empty()) text += "Authorization: " + authorization + "\r\n";
      text += "\r\n";
      const testing::AllocationCount count;
      auto parsed = net::parse_head(text);
      if (!parsed) continue;
      TestExchange exchange(std::move(parsed->head));
      sync_wait(front_end.handle(exchange));
      const std::uint64_t bytes = count.bytes();
      SCOPED_TRACE(path.substr(0, 40) + ", " + std::to_string(text.size()) + " bytes, " + std::to_string(bytes) +
                   " allocated");
      EXPECT_TRUE(exchange.status == 401 || exchange.status == 404 || exchange.status == 429) << exchange.status;
      EXPECT_FALSE(exchange.admitted);
      EXPECT_FALSE(exchange.body_was_asked_for);
      EXPECT_LE(exchange.answer_bytes, kMostAnswerBytes);
      if (testing::kCountsAllocations) EXPECT_LE(bytes, kBytesPerByte * text.size() + kConstantBytes);
    }
  }
  TestExchange unknown({.method = "GET", .target = "/v1/absent", .headers = {}, .peer_address = {}});
  sync_wait(front_end.handle(unknown));
  EXPECT_FALSE(unknown.admitted);
  net::RequestHead head{.method = "GET", .target = "/v1/absent", .headers = {}, .peer_address = {}};
  head.headers.add("Authorization", "Bearer " + control.token);
  TestExchange admitted(std::move(head));
  sync_wait(front_end.handle(admitted));
  EXPECT_EQ(admitted.status, 404u);
  EXPECT_TRUE(admitted.admitted);
}

}  // namespace
}  // namespace andromede::api
