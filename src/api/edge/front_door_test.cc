// What every API's requests have in common, with a dialect that only notes what is asked of it.
#include "api/edge/front_door.h"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "api/edge/test_exchange.h"

namespace andromede::api::edge {
namespace {

constexpr Operation kRead{"Read", "test:Read", "thing"};
constexpr Operation kWrite{"Write", "test:Write", "thing", Access::kWrite};
constexpr Operation kOpen{.name = "Open", .open_to_anybody = true};

// One operation, what may go wrong with it, and what was asked for.
class TestCall final : public Call {
 public:
  TestCall(NoExchange& exchange, const Operation& operation)
      : Call(exchange, identity::Listener::kTenants, "request-1"), operation_(operation) {}

  Status find_operation() override {
    asked.emplace_back("find");
    return found;
  }
  [[nodiscard]] const Operation& operation() const override { return operation_; }
  [[nodiscard]] std::size_t row() const override { return 0; }
  Result<identity::Principal> authenticate() override {
    asked.emplace_back("authenticate");
    if (!known) return fail(Errc::kRefused, "a wrong signature");
    return identity::Principal{
        identity::PrincipalKind::kAccountRoot, {AccountId("000000000001"), "Lyon", "canonical"}, "AKIATEST"};
  }
  Task<Status> run() override {
    asked.emplace_back("run");
    status_ = answers;
    if (throws) throw std::runtime_error("a fault of the program");
    co_return outcome;
  }
  Task<Status> answer_error(const Error& error) override {
    asked.emplace_back("tell " + std::string(error.message()));
    status_ = 500;
    co_return Status{};
  }
  [[nodiscard]] std::uint64_t body_bytes() const override { return 7; }
  void describe(std::vector<LogField>& fields) const override { fields.emplace_back("thing", "t"); }

  Status found;
  bool known = true;
  bool throws = false;
  unsigned answers = 200;
  Status outcome;
  std::vector<std::string> asked;

 private:
  const Operation& operation_;
};

using Steps = std::vector<std::string>;

class FrontDoorTest : public testing::Test {
 protected:
  // What it logs.
  std::string handle(TestCall& call, Lines lines = Lines::kFaults) {
    FrontDoor door("test", 1, lines, clock_, random_, metrics_);
    testing::internal::CaptureStderr();
    sync_wait(door.handle(call));
    return testing::internal::GetCapturedStderr();
  }

  ManualClock clock_{Timestamp{0}};
  SystemRandom random_;
  Metrics metrics_;
  NoExchange exchange_;
};

TEST_F(FrontDoorTest, WhoAsksIsKnownBeforeAnythingIsDone) {
  TestCall call(exchange_, kRead);
  exchange_.request.headers.add("User-Agent", "a client");
  EXPECT_EQ(handle(call), "");
  EXPECT_EQ(call.asked, (Steps{"find", "authenticate", "run"}));
  EXPECT_EQ(exchange_.admitted, "000000000001");
  const identity::Context& context = call.context();
  EXPECT_EQ(context.principal.id, "AKIATEST");
  EXPECT_EQ(context.action, "test:Read");
  EXPECT_EQ(context.listener, identity::Listener::kTenants);
  EXPECT_EQ(context.request_id, "request-1");
  EXPECT_EQ(context.source_address, "192.0.2.1");
  EXPECT_EQ(context.user_agent, "a client");
  exchange_.cut.request_stop();
  EXPECT_TRUE(context.stop.stop_requested());
  EXPECT_NE(metrics_.render().find("andromede_test_requests_total{operation=\"Read\",status=\"200\"} 1"),
            std::string::npos);
}

TEST_F(FrontDoorTest, WhoIsNotKnownIsToldSoAndNoMore) {
  TestCall call(exchange_, kWrite);
  call.known = false;
  handle(call);
  EXPECT_EQ(call.asked, (Steps{"find", "authenticate", "tell a wrong signature"}));
  EXPECT_EQ(exchange_.admitted, "");
  EXPECT_EQ(call.context().principal.kind, identity::PrincipalKind::kAnonymous);
}

TEST_F(FrontDoorTest, WhatIsOpenToAnybodyAsksNobody) {
  TestCall call(exchange_, kOpen);
  call.answers = 503;
  EXPECT_EQ(handle(call), "") << "a probe that tells of a fault is none";
  EXPECT_EQ(call.asked, (Steps{"find", "run"}));
  EXPECT_EQ(exchange_.admitted, "");
}

TEST_F(FrontDoorTest, WhatCannotBeFoundIsTold) {
  TestCall call(exchange_, kRead);
  call.found = fail(Errc::kInvalidArgument, "no path");
  handle(call);
  EXPECT_EQ(call.asked, (Steps{"find", "tell no path"}));
}

TEST_F(FrontDoorTest, AnExceptionIsAnError) {
  TestCall call(exchange_, kRead);
  call.throws = true;
  call.answers = 0;
  EXPECT_NE(handle(call).find("a fault of the program"), std::string::npos);
  EXPECT_EQ(call.asked.back(), "tell exception: a fault of the program");
}

TEST_F(FrontDoorTest, NobodyIsToldWhoIsGoneOrWasAnsweredHalf) {
  TestCall gone(exchange_, kRead);
  gone.answers = 0;
  gone.outcome = fail(Errc::kCancelled, "the peer went away");
  EXPECT_EQ(handle(gone), "");
  EXPECT_EQ(gone.asked.back(), "run");
  TestCall half(exchange_, kRead);
  half.outcome = fail(Errc::kIo, "a drive failed");
  EXPECT_NE(handle(half).find("test request failed"), std::string::npos);
  EXPECT_EQ(half.asked.back(), "run");
}

TEST_F(FrontDoorTest, FaultsAreLoggedAndWhateverElseIsAskedFor) {
  struct Case {
    const Operation& operation;
    unsigned status;
    Lines lines;
    bool logged;
  };
  for (const Case& one : {Case{kRead, 200, Lines::kFaults, false}, Case{kRead, 200, Lines::kWrites, false},
                          Case{kRead, 200, Lines::kAll, true}, Case{kWrite, 200, Lines::kFaults, false},
                          Case{kWrite, 200, Lines::kWrites, true}, Case{kRead, 404, Lines::kFaults, false},
                          Case{kRead, 500, Lines::kFaults, true}, Case{kRead, 501, Lines::kFaults, false}}) {
    TestCall call(exchange_, one.operation);
    call.answers = one.status;
    const std::string log = handle(call, one.lines);
    EXPECT_EQ(!log.empty(), one.logged) << one.operation.name << one.status << log;
    if (!one.logged) continue;
    for (const char* field : {"\"requestId\":\"request-1\"", "\"peer\":\"192.0.2.1\"", "\"bytesIn\":7",
                              "\"principal\":\"arn:aws:iam::000000000001:root\"", "\"thing\":\"t\""}) {
      EXPECT_NE(log.find(field), std::string::npos) << log;
    }
  }
}

}  // namespace
}  // namespace andromede::api::edge
