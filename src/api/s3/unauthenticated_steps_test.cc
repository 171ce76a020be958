// Whoever has not proven who it is costs next to nothing, in time too: what stands between the first byte of a head and
// its refusal is compiled once more so that every branch is counted (CMakeLists.txt), and takes a bounded number of
// steps for each byte, whatever the bytes are. Not linked with the rest of the tests: those would count for nothing.
#include <gtest/gtest.h>

#include "api/s3/errors.h"
#include "api/s3/router.h"
#include "api/s3/test_dear_heads.h"
#include "api/sigv4/authenticator.h"
#include "net/head_parser.h"

namespace {
thread_local std::uint64_t steps = 0;
}  // namespace

extern "C" void __sanitizer_cov_trace_pc() { ++steps; }  // NOLINT(bugprone-reserved-identifier): clang calls it so

namespace andromede::api::s3 {
namespace {

// Measured: 26 for the dearest of the long ones, 1,000 for the shortest.
constexpr std::uint64_t kStepsPerByte = 28;
constexpr std::uint64_t kConstantSteps = 8'000;
constexpr std::size_t kHeadBytes = net::ServerLimits{}.head_bytes;

class UnauthenticatedStepsTest : public ::testing::Test {
 protected:
  UnauthenticatedStepsTest() {
    auto credential = std::make_shared<identity::Credential>();
    credential->access_key_id = signer_.access_key_id;
    credential->secret = crypto::SecretText("another");
    credential_ = std::move(credential);
  }

  // As net::Connection and FrontEnd; the head comes in pieces of `piece` bytes. Answers the status.
  unsigned walk(const std::string& text, std::size_t piece) {
    net::HeadScanner scanner(kHeadBytes);
    for (std::size_t received = std::min(piece, text.size());; received = std::min(received + piece, text.size())) {
      const auto whole = scanner.scan(std::string_view(text).substr(0, received));
      if (!whole) return whole.error().status;
      if (*whole) break;
      if (received == text.size()) return 408;
    }
    const auto parsed = net::parse_head(scanner.text(text));
    if (!parsed) return parsed.error().status;
    ErrorFields fields;
    Result<Target> target = route(parsed->head, {"s3.example"});
    const Status outcome = target ? authenticate(parsed->head, *target, fields) : Status(fail(target.error()));
    if (outcome) return 200;
    const WireError wire = wire_error(outcome.error());
    const std::string resource = target ? target->bucket + target->key : std::string();
    EXPECT_FALSE(render_error(wire, resource, "id", "host", fields).empty());
    return wire.status;
  }

  Status authenticate(const net::RequestHead& head, const Target& target, ErrorFields& fields) {
    const auto answer = authenticator_.authenticate(head, target.raw_path, target.query, fields);
    return answer ? Status() : Status(fail(answer.error()));
  }

  const sigv4::testing::TestSigner signer_;
  const ManualClock clock_{signer_.time};
  std::shared_ptr<const identity::Credential> credential_;
  sigv4::Authenticator authenticator_{
      [this](std::string_view id) { return id == credential_->access_key_id ? credential_ : nullptr; }, clock_,
      sigv4::Options{}};
};

TEST_F(UnauthenticatedStepsTest, NoHeadTakesMoreStepsThanASmallMultipleOfItsSize) {
  for (const std::size_t bytes : {std::size_t{1024}, std::size_t{4096}, kHeadBytes}) {
    for (const testing::Head& head : testing::DearHeads(signer_).of(bytes)) {
      for (const std::size_t piece : {head.text.size(), std::size_t{1}}) {
        steps = 0;
        const unsigned status = walk(head.text, piece);
        const std::uint64_t taken = steps;
        SCOPED_TRACE(head.name + ", " + std::to_string(head.text.size()) + " bytes, status " + std::to_string(status) +
                     ", " + std::to_string(taken) + " steps");
        EXPECT_GE(status, 400u);
        EXPECT_GT(taken, 0u) << "nothing is counted";
        EXPECT_LE(taken, kStepsPerByte * head.text.size() + kConstantSteps);
      }
    }
  }
}

}  // namespace
}  // namespace andromede::api::s3
