// Whoever has not proven who it is costs next to nothing: heads made to be expensive, from the first byte to the
// answer, may allocate no more than a small multiple of their size, and the answer is small. Counted, not timed.
#include <gtest/gtest.h>

#include "api/s3/errors.h"
#include "api/s3/front_end.h"
#include "api/s3/test_dear_heads.h"
#include "api/s3/test_gateway.h"
#include "base/test_allocations.h"
#include "net/head_parser.h"

namespace andromede::api::s3 {
namespace {

// Measured, all bytes ever allocated added up: the dearest of the heads below takes 24 times its size, the cheapest
// 6 KiB. Names and values of a query are decoded, encoded to three bytes each and sorted, by strings that grow.
constexpr std::uint64_t kBytesPerByte = 26;
constexpr std::uint64_t kConstantBytes = 16 * 1024;
// Escaped, an echo of kMaxEchoesBytes may take six times as much.
constexpr std::size_t kMostAnswerBytes = 6 * kMaxEchoesBytes + 2048;
constexpr std::size_t kHeadBytes = net::ServerLimits{}.head_bytes;

class UnauthenticatedCostTest : public GatewayTest {
 protected:
  struct Cost {
    std::uint64_t bytes = 0;
    std::size_t answer_bytes = 0;
    unsigned status = 0;
    bool body_was_asked_for = false;
    bool admitted = false;
  };

  // As net::Connection: scan, parse, and either the handler or the server's own refusal.
  Cost cost_of(const std::string& text) {
    Cost cost;
    const andromede::testing::AllocationCount count;
    net::HeadScanner scanner(kHeadBytes);
    const auto whole = scanner.scan(text);
    auto parsed = whole && *whole ? net::parse_head(scanner.text(text))
                                  : tl::expected<net::ParsedHead, net::ProtocolError>(
                                        tl::unexpected(whole ? net::ProtocolError{} : whole.error()));
    if (!parsed) {
      const std::string answer =
          gateway_.front_end().render_protocol_error(parsed.error().status, parsed.error().message);
      return {count.bytes(), answer.size(), parsed.error().status, false, false};
    }
    TestExchange exchange(std::move(parsed->head), {}, true);
    sync_wait(gateway_.front_end().handler()(exchange));
    cost.bytes = count.bytes();
    cost.answer_bytes = exchange.response.body.size();
    for (const net::Header& header : exchange.response.headers.list()) {
      cost.answer_bytes += header.name.size() + header.value.size();
    }
    cost.status = exchange.response.status;
    cost.body_was_asked_for = exchange.response.body_was_asked_for;
    cost.admitted = exchange.response.admitted;
    return cost;
  }
};

TEST_F(UnauthenticatedCostTest, NoHeadCostsMoreThanASmallMultipleOfItsSize) {
  for (const std::size_t bytes : {std::size_t{1024}, std::size_t{4096}, kHeadBytes}) {
    for (const s3::testing::Head& head : s3::testing::DearHeads(gateway_.signer()).of(bytes)) {
      const Cost cost = cost_of(head.text);
      SCOPED_TRACE(head.name + ", " + std::to_string(head.text.size()) + " bytes, status " +
                   std::to_string(cost.status) + ", " + std::to_string(cost.bytes) + " allocated");
      EXPECT_LE(head.text.size(), bytes) << "not what a client could send";
      EXPECT_GE(cost.status, 400u);
      EXPECT_LT(cost.status, 500u);
      EXPECT_FALSE(cost.body_was_asked_for);
      EXPECT_FALSE(cost.admitted);
      EXPECT_LE(cost.answer_bytes, std::min(kMostAnswerBytes, 8 * head.text.size() + 2048));
      if (andromede::testing::kCountsAllocations)
        EXPECT_LE(cost.bytes, kBytesPerByte * head.text.size() + kConstantBytes);
    }
  }
}

// What the server keeps a connection for.
TEST_F(UnauthenticatedCostTest, WhoSignedIsAdmitted) {
  EXPECT_TRUE(gateway_.get("/bucket").admitted);
  EXPECT_TRUE(gateway_.get("/absent").admitted);
  EXPECT_FALSE(gateway_.send(TestGateway::head_of({.target = "/bucket"}), "").admitted);
}

}  // namespace
}  // namespace andromede::api::s3
