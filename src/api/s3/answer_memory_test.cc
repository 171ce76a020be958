#include "api/s3/answer_memory.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>

namespace andromede::api::s3 {
namespace {

constexpr std::size_t kBytes = 120;
constexpr std::size_t kEach = 10;

class AnswerMemoryTest : public testing::Test {
 protected:
  using Share = AnswerMemory::Share;
  // Whoever asks for memory, and what he was answered: nothing yet, his share, or an error.
  struct Asker {
    std::stop_source gone;
    std::optional<Result<Share>> answer;
  };

  static task_detail::Root run(Task<Result<Share>> take, std::optional<Result<Share>>& answer) {
    answer.emplace(co_await std::move(take));
  }
  Asker& ask(const std::string& account, const std::string& peer, std::size_t bytes = kEach,
             Deadline deadline = Deadline::never()) {
    Asker& asker = askers_.emplace_back();
    run(memory_.take({AccountId(account), peer}, bytes, deadline, asker.gone.get_token()), asker.answer);
    return asker;
  }
  void TearDown() override {
    // Who waits gets his share in the end, and gives it back.
    while (memory_.held_bytes() > 0) {
      for (Asker& asker : askers_) asker.answer.reset();
    }
  }
  // As many as get some at once.
  std::size_t take_all(const std::string& account, const std::string& peer) {
    std::size_t count = 0;
    while (has_share(ask(account, peer))) ++count;
    return count;
  }
  static bool has_share(const Asker& asker) { return asker.answer && *asker.answer; }
  static bool failed(const Asker& asker, Errc code) {
    return asker.answer && !*asker.answer && (*asker.answer).error() == code;
  }

  ManualClock clock_{{0}};
  AnswerMemory memory_{kBytes, clock_};
  std::deque<Asker> askers_;
};

TEST_F(AnswerMemoryTest, NobodyTakesAllOfIt) {
  EXPECT_EQ(take_all("acme", "a"), 4U) << "of 120, a peer alone takes no more than half of what is left";
  EXPECT_EQ(take_all("acme", "b"), 2U) << "and its account no more than what is left";
  EXPECT_EQ(take_all("other", "a"), 2U);
  EXPECT_EQ(take_all("third", "a"), 1U);
  EXPECT_EQ(take_all("fourth", "a"), 1U) << "there is some for another";
  EXPECT_EQ(memory_.held_bytes(), 10 * kEach);
}

TEST_F(AnswerMemoryTest, OneThatNeedsAllThereIsGetsIt) {
  Asker& asker = ask("acme", "a", kBytes);
  EXPECT_TRUE(has_share(asker));
  Asker& next = ask("other", "b");
  EXPECT_FALSE(next.answer);
  asker.answer.reset();
  EXPECT_TRUE(has_share(next));
}

TEST_F(AnswerMemoryTest, WhoWaitsIsCalledInTheOrderOfHisLineAndTheLinesInTurn) {
  Asker& all = ask("acme", "a", kBytes);
  Asker& first = ask("acme", "b", 30);
  Asker& second = ask("acme", "b");
  Asker& other = ask("other", "c", 50);
  EXPECT_TRUE(!first.answer && !second.answer && !other.answer);
  // Its answer is made and is shorter than it might have been.
  (*all.answer)->shrink(70);
  EXPECT_FALSE(first.answer) << "its account has more than is left";
  EXPECT_FALSE(second.answer) << "it would fit, but stands behind";
  EXPECT_TRUE(has_share(other));
  (*all.answer)->shrink(5);
  EXPECT_TRUE(has_share(first));
  EXPECT_FALSE(second.answer);
  (*all.answer)->shrink(80);
  EXPECT_EQ(memory_.held_bytes(), 85U) << "a share does not grow";
  all.answer.reset();
  EXPECT_FALSE(second.answer) << "a peer has half of what is left";
  other.answer.reset();
  EXPECT_TRUE(has_share(second));
}

TEST_F(AnswerMemoryTest, WhoAsksAgainAndAgainKeepsNobodyWaiting) {
  Asker& all = ask("acme", "a", kBytes);
  Asker& first = ask("busy", "b");
  Asker& again = ask("busy", "b");
  Asker& other = ask("other", "c");
  (*all.answer)->shrink(kBytes - kEach);
  EXPECT_TRUE(has_share(first));
  first.answer.reset();
  EXPECT_TRUE(has_share(other));
  EXPECT_FALSE(again.answer);
}

TEST_F(AnswerMemoryTest, WhoGoesLeavesTheLine) {
  ask("acme", "a", 60);
  Asker& goes = ask("acme", "a", 40);
  Asker& stays = ask("acme", "a", 5);
  EXPECT_TRUE(!goes.answer && !stays.answer);
  askers_.front().answer->value().shrink(15);
  EXPECT_FALSE(stays.answer);
  EXPECT_FALSE(ask("acme", "a", 5).answer) << "nobody overtakes";
  goes.gone.request_stop();
  EXPECT_TRUE(failed(goes, Errc::kCancelled));
  EXPECT_TRUE(has_share(stays));
}

TEST_F(AnswerMemoryTest, WhoWaitedTooLongIsToldWhenSomebodyElseAsks) {
  ask("acme", "a", kBytes);
  Asker& hasty = ask("acme", "a", kEach, Deadline::after(clock_, std::chrono::seconds(1)));
  clock_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(hasty.answer);
  ask("other", "b");
  EXPECT_TRUE(failed(hasty, Errc::kOverloaded));
}

TEST_F(AnswerMemoryTest, SoManyWaitAndNoMore) {
  ask("acme", "a", kBytes);
  for (std::size_t i = 0; i < kAnswersWaiting; ++i) ASSERT_FALSE(ask("acme", "a").answer);
  EXPECT_TRUE(failed(ask("acme", "a"), Errc::kOverloaded));
  EXPECT_FALSE(ask("acme", "b").answer);
  // All get theirs in the end.
  for (std::size_t i = 0; i < askers_.size(); ++i) {
    EXPECT_TRUE(has_share(askers_[i]) || failed(askers_[i], Errc::kOverloaded)) << i;
    askers_[i].answer.reset();
  }
  EXPECT_EQ(memory_.held_bytes(), 0U);
}

}  // namespace
}  // namespace andromede::api::s3
