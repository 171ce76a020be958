#include "objects/account_turns.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>

namespace andromede::objects {
namespace {

constexpr std::size_t kAtOnce = 2;
constexpr std::size_t kWaiting = 3;

class AccountTurnsTest : public testing::Test {
 protected:
  using Turn = AccountTurns::Turn;
  // Whoever asks for a turn, and what he was answered: nothing yet, the turn, or an error.
  struct Asker {
    std::stop_source gone;
    std::optional<Result<Turn>> answer;
  };

  static task_detail::Root run(Task<Result<Turn>> take, std::optional<Result<Turn>>& answer) {
    answer.emplace(co_await std::move(take));
  }
  Asker& ask(const AccountId& account = AccountId("acme"), Deadline deadline = Deadline::never()) {
    Asker& asker = askers_.emplace_back();
    run(turns_.take(account, {deadline, asker.gone.get_token()}), asker.answer);
    return asker;
  }
  static bool has_turn(const Asker& asker) { return asker.answer && *asker.answer; }
  static std::optional<Errc> failed(const Asker& asker) {
    if (!asker.answer || *asker.answer) return std::nullopt;
    for (const Errc code : {Errc::kOverloaded, Errc::kCancelled, Errc::kTimeout}) {
      if ((*asker.answer).error() == code) return code;
    }
    return Errc::kInternal;
  }

  ManualClock clock_{{0}};
  AccountTurns turns_{kAtOnce, kWaiting, clock_};
  std::deque<Asker> askers_;
};

TEST_F(AccountTurnsTest, AreTakenInTheOrderInWhichTheyWereAskedFor) {
  Asker& first = ask();
  Asker& second = ask();
  Asker& third = ask();
  Asker& fourth = ask();
  EXPECT_TRUE(has_turn(first) && has_turn(second));
  EXPECT_TRUE(!third.answer && !fourth.answer);
  EXPECT_TRUE(has_turn(ask(AccountId("other"))));
  second.answer.reset();
  EXPECT_TRUE(has_turn(third));
  EXPECT_FALSE(fourth.answer);
  first.answer.reset();
  EXPECT_TRUE(has_turn(fourth));
}

TEST_F(AccountTurnsTest, SoManyWaitAndNoMore) {
  for (std::size_t i = 0; i < kAtOnce + kWaiting; ++i) ask();
  EXPECT_EQ(failed(ask()), Errc::kOverloaded);
  EXPECT_TRUE(has_turn(ask(AccountId("other"))));
  askers_.front().answer.reset();
  EXPECT_FALSE(ask().answer) << "there is room to wait again";
}

TEST_F(AccountTurnsTest, WhoGoesLeavesTheLine) {
  Asker& first = ask();
  ask();
  Asker& goes = ask();
  Asker& stays = ask();
  goes.gone.request_stop();
  EXPECT_EQ(failed(goes), Errc::kCancelled);
  EXPECT_FALSE(stays.answer);
  first.answer.reset();
  EXPECT_TRUE(has_turn(stays));
  // Who had gone before he asked neither waits nor gets one that is free; who has a turn keeps it until he gives it
  // back.
  for (const char* account : {"acme", "other"}) {
    Asker& late = askers_.emplace_back();
    late.gone.request_stop();
    run(turns_.take(AccountId(account), {Deadline::never(), late.gone.get_token()}), late.answer);
    EXPECT_EQ(failed(late), Errc::kCancelled) << account;
  }
  stays.gone.request_stop();
  EXPECT_TRUE(has_turn(stays));
}

TEST_F(AccountTurnsTest, WhoWaitedTooLongIsPassedOver) {
  Asker& first = ask();
  ask();
  const auto soon = [&] { return Deadline::after(clock_, std::chrono::seconds(1)); };
  Asker& hasty = ask(AccountId("acme"), soon());
  Asker& also_hasty = ask(AccountId("acme"), soon());
  Asker& patient = ask();
  clock_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(hasty.answer);
  first.answer.reset();
  EXPECT_EQ(failed(hasty), Errc::kTimeout);
  EXPECT_EQ(failed(also_hasty), Errc::kTimeout);
  EXPECT_TRUE(has_turn(patient));
  // With the last of them gone, all turns are there again.
  askers_.clear();
  EXPECT_TRUE(has_turn(ask()) && has_turn(ask()));
  EXPECT_FALSE(ask().answer);
}

}  // namespace
}  // namespace andromede::objects
