#include "fleet/volumes/move_planner.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "fleet/volumes/balance.h"

namespace andromede::fleet {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

struct World {
  std::shared_ptr<io::DriveMap> map = std::make_shared<io::DriveMap>();
  // 2+2 anywhere, and 2+1 without the site s3.
  std::shared_ptr<const sovereignty::Policies> policies = std::make_shared<sovereignty::Policies>(
      std::vector<sovereignty::Policy>{{PolicyId("standard"), {}, 0, std::nullopt},
                                       {PolicyId("apart"),
                                        {2, 1, 1, 1},
                                        0,
                                        std::set<SiteId>{SiteId("s0"), SiteId("s1"), SiteId("s2"), SiteId("s4")}}},
      PolicyId("standard"));
  SeededRandom random{5};

  explicit World(const std::vector<unsigned>& drives_per_site) {
    for (std::size_t site = 0; site < drives_per_site.size(); ++site) {
      for (unsigned i = 0; i < drives_per_site[site]; ++i) {
        io::DriveInfo drive;
        drive.id = DriveId::random(random);
        drive.site = SiteId("s" + std::to_string(site));
        map->drives.push_back(drive);
      }
    }
  }
  // The candidates: active drives except those at `offline`.
  [[nodiscard]] std::shared_ptr<CandidateList> online(const std::vector<std::size_t>& offline = {}) const {
    auto list = std::make_shared<CandidateList>();
    for (std::size_t i = 0; i < map->drives.size(); ++i) {
      const io::DriveInfo& drive = map->drives[i];
      const bool away = std::find(offline.begin(), offline.end(), i) != offline.end();
      if (drive.state == io::DriveState::kActive && !away) {
        list->push_back({drive.id, drive.site, drive.associate, 200 * kMiB, 100 * kMiB});
      }
    }
    return list;
  }
  blob::ShardedBlob blob(const std::vector<std::size_t>& on) {
    blob::ShardedBlob ref;
    ref.id = BlobId::random(random);
    ref.size_bytes = kMiB;
    ref.code = {2, static_cast<std::uint8_t>(on.size() - 2)};
    ref.policy = PolicyId(on.size() == 3 ? "apart" : "standard");
    for (const std::size_t drive : on) ref.shards.push_back({map->drives[drive].id, 0, 0});
    return ref;
  }
};

blob::ShardedBlob after(blob::ShardedBlob ref, const std::vector<Move>& moves) {
  for (const Move& move : moves) ref.shards[move.shard].drive = move.to;
  return ref;
}

TEST(MovePlanner, LeavesAWellSpreadBlobAlone) {
  World world({2, 2, 2, 2});
  const auto ref = world.blob({0, 2, 4, 6});
  EXPECT_TRUE(MovePlanner(world.map, world.online(), world.policies).moves(ref, world.random)->empty());
  EXPECT_TRUE(MovePlanner(world.map, world.online({0, 1}), world.policies).moves(ref, world.random)->empty())
      << "offline is expected back";
}

TEST(MovePlanner, MovesOneOfTwoShardsThatShareASite) {
  World world({2, 2, 2, 2});
  const auto ref = world.blob({0, 1, 2, 4});
  MovePlanner planner(world.map, world.online(), world.policies);
  const auto moves = planner.moves(ref, world.random);
  ASSERT_TRUE(moves);
  EXPECT_EQ(moves->size(), 1U);
  EXPECT_EQ(planner.tolerance(after(ref, *moves)).site_losses, 2U);
}

TEST(MovePlanner, MovesOffDrivesThatLeave) {
  World world({2, 2, 2, 2});
  world.map->drives[0].state = io::DriveState::kDraining;
  const auto ref = world.blob({0, 2, 4, 6});
  const auto moves = MovePlanner(world.map, world.online(), world.policies).moves(ref, world.random);
  ASSERT_TRUE(moves);
  ASSERT_EQ(moves->size(), 1U);
  EXPECT_EQ(moves->front().shard, 0U);
  EXPECT_EQ(moves->front().to, world.map->drives[1].id);
}

RC_GTEST_PROP(MovePlanner, EndsWhereItWouldNotMoveAgain, ()) {
  const auto per_site = *rc::gen::container<std::vector<unsigned>>(5, rc::gen::inRange(1U, 4U));
  World world(per_site);
  const std::size_t drives = world.map->drives.size();
  std::vector<std::size_t> all(drives);
  for (std::size_t i = 0; i < drives; ++i) all[i] = i;
  std::vector<std::size_t> on;
  for (unsigned i = 0; i < 4; ++i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, all.size());
    on.push_back(all[at]);
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(at));
  }
  const auto ref = world.blob(on);
  MovePlanner planner(world.map, world.online(), world.policies);
  const auto moves = planner.moves(ref, world.random);
  RC_ASSERT(moves.has_value());
  const auto settled = after(ref, *moves);
  RC_ASSERT(planner.tolerance(settled).site_losses >= planner.tolerance(ref).site_losses);
  RC_ASSERT(planner.tolerance(settled).site_losses == 2U);  // five sites, four shards
  RC_ASSERT(planner.moves(settled, world.random)->empty());
}

TEST(MovePlanner, MovesNothingOutOfItsPolicyAndWhatIsOutsideBackIn) {
  World world({2, 1, 1, 9});
  world.map->drives[0].state = io::DriveState::kDraining;
  const auto ref = world.blob({0, 2, 3});
  const auto moves = MovePlanner(world.map, world.online(), world.policies).moves(ref, world.random);
  ASSERT_TRUE(moves);
  ASSERT_EQ(moves->size(), 1U);
  EXPECT_EQ(moves->front().to, world.map->drives[1].id) << "the one drive left that the policy allows";
  world.map->drives[1].state = io::DriveState::kDraining;
  const auto none = MovePlanner(world.map, world.online(), world.policies).moves(ref, world.random);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error(), Errc::kUnavailable);
  EXPECT_TRUE(none.error().message().starts_with("policy apart: ")) << none.error().message();
  world.map->drives[0].state = io::DriveState::kActive;
  const auto outside = world.blob({4, 2, 3});
  const auto back = MovePlanner(world.map, world.online(), world.policies).moves(outside, world.random);
  ASSERT_TRUE(back);
  ASSERT_EQ(back->size(), 1U);
  EXPECT_EQ(back->front().to, world.map->drives[0].id);
}

// Two blobs of one code, with different policies: the code alone says nothing.
TEST(MovePlanner, OfAPolicyThatIsNotThereOrHasAnotherCodeNothingMoves) {
  World world({2, 2, 2, 2});
  auto ref = world.blob({0, 1, 2, 3});
  for (const char* policy : {"", "other", "apart"}) {
    ref.policy = PolicyId(policy);
    const auto moves = MovePlanner(world.map, world.online(), world.policies).moves(ref, world.random);
    ASSERT_FALSE(moves) << policy;
    EXPECT_EQ(moves.error(), Errc::kUnavailable);
  }
}

RC_GTEST_PROP(MovePlanner, WhateverLeavesTheMovesStayInThePolicy, ()) {
  World world({2, 2, 2, 2, 1});
  std::vector<std::size_t> offline;
  for (std::size_t i = 0; i < world.map->drives.size(); ++i) {
    const auto fate = *rc::gen::inRange(0, 4);
    if (fate == 0) world.map->drives[i].state = io::DriveState::kDraining;
    if (fate == 1) offline.push_back(i);
  }
  const auto ref = world.blob({*rc::gen::inRange<std::size_t>(0, 2), *rc::gen::inRange<std::size_t>(2, 4),
                               *rc::gen::inRange<std::size_t>(4, 9)});
  MovePlanner planner(world.map, world.online(offline), world.policies);
  const auto moves = planner.moves(ref, world.random);
  if (!moves) return;
  for (const Move& move : *moves) RC_ASSERT(planner.may_hold(ref, move.to));
}

TEST(Balance, LeavesAnEmptyDriveEmptyThatThePolicyDoesNotAllow) {
  World world({1, 1, 1, 1});
  CandidateList candidates = *world.online();
  candidates[3].free_bytes = 200 * kMiB;
  const Balance balance(candidates);
  const MovePlanner planner(world.map, std::make_shared<CandidateList>(candidates), world.policies);
  EXPECT_FALSE(balance.next(planner, world.blob({0, 1, 2}), Balance::Reach::kAnySite));
}

TEST(Balance, MovesToTheEmptyDriveUntilEvenAndKeepsTheSpread) {
  World world({1, 1, 1, 1, 1});
  CandidateList candidates = *world.online();
  for (std::size_t i = 0; i < 4; ++i) candidates[i].free_bytes = 100 * kMiB;
  candidates[4].free_bytes = 200 * kMiB;
  Balance balance(candidates);
  EXPECT_FALSE(balance.even(Balance::Reach::kAnySite));
  const MovePlanner planner(world.map, std::make_shared<CandidateList>(candidates), world.policies);
  std::uint64_t moved = 0;
  for (int i = 0; i < 1000 && !balance.even(Balance::Reach::kAnySite); ++i) {
    const auto ref = world.blob({0, 1, 2, 3});
    const auto move = balance.next(planner, ref, Balance::Reach::kAnySite);
    if (!move) break;
    EXPECT_EQ(move->to, world.map->drives[4].id);
    EXPECT_EQ(planner.tolerance(after(ref, {*move})).site_losses, 2U);
    balance.moved(ref.shards[move->shard].drive, move->to, shard_bytes(ref));
    moved += shard_bytes(ref);
  }
  EXPECT_TRUE(balance.even(Balance::Reach::kAnySite));
  EXPECT_LE(moved, 82 * kMiB);
  EXPECT_GE(moved, 76 * kMiB);
}

TEST(Balance, DoesNotPutTwoShardsOfABlobOnOneSiteForTheSakeOfEvenness) {
  World world({2, 1, 1, 1});
  CandidateList candidates = *world.online();
  candidates[1].free_bytes = 200 * kMiB;  // the second drive of site 0 is empty
  const Balance balance(candidates);
  const MovePlanner planner(world.map, std::make_shared<CandidateList>(candidates), world.policies);
  const auto move = balance.next(planner, world.blob({0, 2, 3, 4}), Balance::Reach::kAnySite);
  ASSERT_TRUE(move);
  EXPECT_EQ(move->shard, 0U) << "only the shard that is on site 0 already may go there";
}

// Four sites hold a shard of every blob each: nothing can leave a site, and a new drive of one takes its site's share.
TEST(Balance, EvensASiteWithinItselfWhereTheSpreadKeepsEverythingThere) {
  World world({3, 2, 2, 2});
  CandidateList candidates = *world.online();
  for (auto& candidate : candidates) candidate.free_bytes = candidate.total_bytes - 90 * kMiB;
  candidates[2].free_bytes = candidates[2].total_bytes;
  Balance balance(candidates);
  const MovePlanner planner(world.map, std::make_shared<CandidateList>(candidates), world.policies);
  std::uint64_t moved = 0;
  for (const auto reach : {Balance::Reach::kAnySite, Balance::Reach::kSameSite}) {
    for (std::size_t i = 0; i < 1000; ++i) {
      const auto ref = world.blob({i % 2, 3, 5, 7});
      const auto move = balance.next(planner, ref, reach);
      if (!move) continue;
      EXPECT_EQ(move->shard, 0U);
      EXPECT_EQ(move->to, world.map->drives[2].id);
      balance.moved(ref.shards[move->shard].drive, move->to, shard_bytes(ref));
      moved += shard_bytes(ref);
    }
  }
  EXPECT_TRUE(balance.even(Balance::Reach::kSameSite));
  EXPECT_FALSE(balance.even(Balance::Reach::kAnySite)) << "the other sites stay fuller: that is as even as it gets";
  EXPECT_NEAR(static_cast<double>(moved) / kMiB, 60, 4);
}

}  // namespace
}  // namespace andromede::fleet
