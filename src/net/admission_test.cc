#include "net/admission.h"

#include <gtest/gtest.h>

#include <deque>

namespace andromede::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class AdmissionTest : public ::testing::Test {
 protected:
  AdmissionTest() {
    limits_.connections = 8;
    limits_.connections_per_peer = 3;
    limits_.refusals_per_s = 10;
    limits_.refusals_burst = 2;
    limits_.refusal_pause = milliseconds(1'000);
  }

  Admission& admission() {
    if (!admission_) admission_.emplace(2, limits_, clock_, metrics_.gauge("open", "", {}));
    return *admission_;
  }
  // Enters, and leaves the seat whose connection gave way.
  bool enter(const std::string& group) {
    Admission::Answer answer = admission().enter(group);
    if (answer.victim) {
      victims_.push_back(answer.victim->id);
      std::erase_if(seats_, [&](const auto& seat) { return seat->id() == answer.victim->id; });
    }
    may_wait_ = answer.may_wait;
    if (!answer.seat) return false;
    answer.seat->admitted();
    seats_.push_back(std::move(answer.seat));
    return true;
  }
  [[nodiscard]] SteadyTime now() const { return clock_.steady(); }
  void fill(const std::string& group, int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(enter(group)) << group << i;
  }

  ServerLimits limits_;
  Metrics metrics_;
  ManualClock clock_{{}};
  std::optional<Admission> admission_;
  std::deque<std::unique_ptr<Seat>> seats_;
  std::vector<std::uint64_t> victims_;
  bool may_wait_ = false;
};

TEST_F(AdmissionTest, SpreadsOverShards) {
  fill("a", 3);
  fill("b", 3);
  int on_first = 0;
  for (const auto& seat : seats_) on_first += seat->shard() == 0 ? 1 : 0;
  EXPECT_EQ(on_first, 3);
}

TEST_F(AdmissionTest, APeerWithItsShareMakesRoomForItself) {
  fill("a", 3);
  EXPECT_FALSE(enter("a"));
  EXPECT_FALSE(may_wait_);
  clock_.advance(kMinQuiet);
  seats_[1]->set_quiet_since(now() - kMinQuiet - milliseconds(1));
  const std::uint64_t oldest = seats_[1]->id();
  // Not of another that holds as much, and has been quiet for longer.
  fill("b", 3);
  for (std::size_t i = 3; i < 6; ++i) seats_[i]->set_quiet_since(now() - kMinQuiet - milliseconds(500));
  EXPECT_TRUE(enter("a"));
  EXPECT_EQ(victims_, std::vector{oldest});
  EXPECT_EQ(admission().of_group("a"), 3u);
}

TEST_F(AdmissionTest, WhoHoldsMostGivesWayTheQuietestFirst) {
  fill("small", 2);
  clock_.advance(milliseconds(10));
  fill("big", 3);
  fill("third", 3);
  const std::uint64_t of_big = seats_[3]->id();
  seats_[3]->set_quiet_since(now() - milliseconds(1));
  clock_.advance(kMinQuiet);
  // "small" has been quiet for longest, and holds less.
  EXPECT_TRUE(enter("new"));
  EXPECT_EQ(victims_, std::vector{of_big});
}

TEST_F(AdmissionTest, NobodyGivesWayToWhoHoldsMore) {
  limits_.connections_per_peer = 5;
  fill("small", 2);
  fill("big", 3);
  fill("third", 2);
  fill("fourth", 1);
  for (std::size_t i = 2; i < 7; ++i) seats_[i]->set_quiet_since(SteadyTime::max());  // at work
  clock_.advance(kMinQuiet);
  EXPECT_FALSE(enter("big"));
  EXPECT_TRUE(may_wait_);
  EXPECT_TRUE(enter("third"));  // "small" holds as much
  EXPECT_EQ(victims_.size(), 1u);
  EXPECT_TRUE(enter("new"));
}

TEST_F(AdmissionTest, WhoIsAtWorkOrJustCameStays) {
  fill("a", 3);
  fill("b", 3);
  fill("c", 2);
  EXPECT_FALSE(enter("new"));
  EXPECT_TRUE(may_wait_);
  clock_.advance(kMinQuiet);
  for (const auto& seat : seats_) seat->set_quiet_since(SteadyTime::max());
  EXPECT_FALSE(enter("new"));
  EXPECT_FALSE(admission().make_room());
  seats_.pop_back();
  EXPECT_TRUE(enter("new"));
}

// Two hostile peers hold all that they may, and come back as fast as they can: others always get in.
TEST_F(AdmissionTest, TwoWhoHoldNearlyAllKeepNobodyOut) {
  limits_.connections = 7;
  fill("evil", 3);
  fill("worse", 3);
  for (int i = 0; i < 20; ++i) {
    clock_.advance(kMinQuiet);
    EXPECT_TRUE(enter("good" + std::to_string(i)));
    while (enter("evil") && admission().of_group("evil") < 3) {
    }
    enter("worse");
  }
  EXPECT_LE(admission().of_group("evil"), 3u);
}

TEST_F(AdmissionTest, NoMoreThanAFewAreOnTheirWayOutAtOnce) {
  limits_.connections = 200;
  limits_.connections_per_peer = 200;
  std::vector<Admission::Answer> held;
  for (int i = 0; i < 200; ++i) held.push_back(admission().enter("a"));
  clock_.advance(kMinQuiet);
  std::vector<Admission::Answer> more;
  for (;;) {
    more.push_back(admission().enter("b"));
    if (!more.back().seat) break;
    ASSERT_TRUE(more.back().victim);
    ASSERT_LE(more.size(), most_leaving(200));
  }
  EXPECT_EQ(more.size(), most_leaving(200) + 1);
  EXPECT_FALSE(admission().make_room());
  // One that changes its mind still takes its place.
  for (const auto& one : held) one.seat->stay();
  EXPECT_FALSE(admission().enter("c").seat);
}

TEST_F(AdmissionTest, RefusalsAreFreeUpToABurstAndThenCostTime) {
  fill("a", 2);
  EXPECT_EQ(seats_[0]->refused(now()), now());
  EXPECT_EQ(seats_[1]->refused(now()), now());
  EXPECT_EQ(seats_[0]->refused(now()), now() + milliseconds(100));
  EXPECT_EQ(seats_[1]->refused(now()), now() + milliseconds(200));
  fill("a", 1);
  EXPECT_EQ(seats_[2]->may_begin(now()), now() + milliseconds(200));
  fill("b", 1);
  EXPECT_EQ(seats_[3]->may_begin(now()), now());
  for (int i = 0; i < 100; ++i) seats_[0]->refused(now());
  EXPECT_EQ(seats_[0]->refused(now()), now() + milliseconds(1'000));
  clock_.advance(milliseconds(1'200));
  EXPECT_EQ(seats_[0]->may_begin(now()), now());
}

TEST_F(AdmissionTest, ADebtOutlivesItsConnections) {
  limits_.refusals_burst = 1;
  limits_.refusal_pause = seconds(60);
  for (int i = 0; i < 50; ++i) {
    const Admission::Answer answer = admission().enter("a");  // comes and goes without a word
    ASSERT_TRUE(answer.seat);
  }
  const Admission::Answer again = admission().enter("a");
  EXPECT_GE(again.seat->may_begin(now()), now() + seconds(3));
}

TEST_F(AdmissionTest, NobodyEntersAfterTheStop) {
  fill("a", 1);
  admission().stop();
  EXPECT_FALSE(admission().enter("b").seat);
  EXPECT_FALSE(admission().wait_empty(milliseconds(1)));
  seats_.clear();
  EXPECT_TRUE(admission().wait_empty(milliseconds(1)));
}

}  // namespace
}  // namespace andromede::net
