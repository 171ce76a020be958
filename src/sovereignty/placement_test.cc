#include "sovereignty/placement.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace andromede::sovereignty {
namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;

std::vector<Candidate> make_drives(const std::vector<unsigned>& drives_per_site, std::uint64_t total = 100 * kGiB,
                                   std::uint64_t free = 60 * kGiB) {
  SeededRandom random(7);
  std::vector<Candidate> candidates;
  for (std::size_t site = 0; site < drives_per_site.size(); ++site) {
    for (unsigned drive = 0; drive < drives_per_site[site]; ++drive) {
      const std::string name = "s" + std::to_string(site);
      candidates.push_back({DriveId::random(random), SiteId(name), AssociateId(name), total, free});
    }
  }
  return candidates;
}

SiteId site_of(const std::vector<Candidate>& candidates, DriveId drive) {
  for (const Candidate& candidate : candidates) {
    if (candidate.drive == drive) return candidate.site;
  }
  ADD_FAILURE() << "unknown drive";
  return {};
}

std::vector<SiteId> sites_of(const std::vector<Candidate>& candidates, const std::vector<DriveId>& drives) {
  std::vector<SiteId> sites;
  for (const DriveId drive : drives) sites.push_back(site_of(candidates, drive));
  return sites;
}

std::vector<DriveId> drives_of_site(const std::vector<Candidate>& candidates, const char* site) {
  std::vector<DriveId> drives;
  for (const Candidate& candidate : candidates) {
    if (candidate.site == SiteId(site)) drives.push_back(candidate.drive);
  }
  return drives;
}

// The definition, tried out: every choice of sites (drives) of that many must leave enough shards.
Tolerance brute_force(unsigned data_shards, const std::vector<SiteId>& sites) {
  const std::set<SiteId> distinct_set(sites.begin(), sites.end());
  const std::vector<SiteId> distinct(distinct_set.begin(), distinct_set.end());
  const auto survives_all = [&](std::size_t universe, unsigned lost, const auto& left_after) {
    for (unsigned mask = 0; mask < (1U << universe); ++mask) {
      if (static_cast<unsigned>(__builtin_popcount(mask)) == lost && left_after(mask) < data_shards) return false;
    }
    return true;
  };
  const auto left_without_sites = [&](unsigned mask) {
    unsigned left = 0;
    for (const SiteId& site : sites) {
      const auto at = std::find(distinct.begin(), distinct.end(), site) - distinct.begin();
      if ((mask >> at & 1U) == 0) ++left;
    }
    return left;
  };
  const auto left_without_drives = [&](unsigned mask) {
    return static_cast<unsigned>(sites.size()) - static_cast<unsigned>(__builtin_popcount(mask));
  };
  Tolerance answer;
  while (answer.site_losses < distinct.size() &&
         survives_all(distinct.size(), answer.site_losses + 1, left_without_sites)) {
    ++answer.site_losses;
  }
  while (answer.drive_losses < sites.size() &&
         survives_all(sites.size(), answer.drive_losses + 1, left_without_drives)) {
    ++answer.drive_losses;
  }
  return answer;
}

Policy standard() { return {PolicyId("standard"), {}, 0, std::nullopt}; }

Policy policy_of(unsigned data, unsigned parity) {
  Policy policy = standard();
  Rule& rule = policy.rule;
  rule.data_shards = static_cast<std::uint8_t>(data);
  rule.parity_shards = static_cast<std::uint8_t>(parity);
  rule.site_losses = 0;
  rule.drive_losses = static_cast<std::uint8_t>(parity);
  return policy;
}

RC_GTEST_PROP(Tolerance, IsWhatBruteForceFinds, ()) {
  const auto numbers =
      *rc::gen::resize(10, rc::gen::nonEmpty(rc::gen::container<std::vector<unsigned>>(rc::gen::inRange(0U, 6U))));
  RC_PRE(numbers.size() <= 10);
  const unsigned data = *rc::gen::inRange(1U, static_cast<unsigned>(numbers.size()) + 1);
  std::vector<SiteId> sites;
  for (const unsigned number : numbers) sites.emplace_back("s" + std::to_string(number));
  RC_ASSERT(tolerance_of(data, sites) == brute_force(data, sites));
}

RC_GTEST_PROP(Place, UsesDistinctDrivesAndTheBestSpread, ()) {
  const auto layout = *rc::gen::container<std::vector<unsigned>>(6, rc::gen::inRange(0U, 5U));
  const unsigned data = *rc::gen::inRange(1U, 6U);
  const unsigned parity = *rc::gen::inRange(0U, 4U);
  const Policy policy = policy_of(data, parity);
  const auto candidates = make_drives(layout);
  SeededRandom random(*rc::gen::arbitrary<std::uint64_t>());
  const auto placed = place(policy, candidates, {}, kGiB, random);
  const auto best = best_tolerance(policy, candidates);
  if (candidates.size() < policy.rule.shards()) {
    RC_ASSERT(!placed && placed.error() == Errc::kUnavailable);
    RC_ASSERT(!best && best.error() == Errc::kUnavailable);
    return;
  }
  RC_ASSERT(placed.has_value());
  RC_ASSERT(std::set<DriveId>(placed->begin(), placed->end()).size() == policy.rule.shards());
  RC_ASSERT(tolerance_of(data, sites_of(candidates, *placed)) == *best);
}

RC_GTEST_PROP(Place, KeepsWhatItIsToldAndIsAsEvenAroundIt, ()) {
  const Policy policy = policy_of(2, 2);
  const auto candidates = make_drives({2, 2, 2, 2});
  SeededRandom random(*rc::gen::arbitrary<std::uint64_t>());
  const auto first = place(policy, candidates, {}, 1, random);
  RC_ASSERT(first.has_value());
  const unsigned mask = *rc::gen::inRange(0U, 16U);
  std::vector<std::optional<DriveId>> keep(4);
  for (unsigned i = 0; i < 4; ++i) {
    if ((mask >> i & 1U) != 0) keep[i] = (*first)[i];
  }
  const auto second = place(policy, candidates, keep, 1, random);
  RC_ASSERT(second.has_value());
  for (unsigned i = 0; i < 4; ++i) {
    if (keep[i]) RC_ASSERT((*second)[i] == *keep[i]);
  }
  RC_ASSERT(tolerance_of(2, sites_of(candidates, *second)) == (Tolerance{2, 2}));
}

TEST(ToleranceLeft, IsWhatWasPromisedLessWhatIsGone) {
  const Tolerance promised{2, 2};
  EXPECT_EQ(tolerance_left(promised, 0, 0), promised);
  EXPECT_EQ(tolerance_left(promised, 1, 1), (Tolerance{1, 1}));
  EXPECT_EQ(tolerance_left(promised, 2, 2), (Tolerance{0, 0}));
  EXPECT_EQ(tolerance_left(promised, 3, 3), std::nullopt);
}

TEST(ToleranceLeft, ALostSiteCountsOnceHoweverManyDrivesItHad) {
  EXPECT_EQ(tolerance_left({2, 2}, 1, 5), (Tolerance{1, 1}));
}

TEST(ToleranceLeft, WithinOneSiteTheDrivesCount) {
  EXPECT_EQ(tolerance_left({0, 2}, 1, 1), (Tolerance{0, 1}));
  EXPECT_EQ(tolerance_left({0, 2}, 1, 3), std::nullopt);
}

TEST(Place, FillsDrivesInProportionToTheirFreeSpace) {
  auto candidates = make_drives({2, 2, 2, 2});
  candidates[0].free_bytes = 30 * kGiB;  // half as free as its neighbour
  const Policy policy = standard();
  SeededRandom random(11);
  std::map<DriveId, unsigned> shards;
  constexpr unsigned kBlobs = 3000;
  for (unsigned i = 0; i < kBlobs; ++i) {
    const auto placed = place(policy, candidates, {}, 1, random);
    ASSERT_TRUE(placed);
    for (const DriveId drive : *placed) ++shards[drive];
  }
  EXPECT_NEAR(shards[candidates[0].drive], kBlobs / 3.0, kBlobs * 0.05);
  EXPECT_NEAR(shards[candidates[1].drive], kBlobs * 2 / 3.0, kBlobs * 0.05);
  for (unsigned i = 2; i < 8; ++i) EXPECT_NEAR(shards[candidates[i].drive], kBlobs / 2.0, kBlobs * 0.05);
}

TEST(Place, WithTwoSitesLeftPutsTwoShardsOnEach) {
  const auto candidates = make_drives({2, 2});
  SeededRandom random(3);
  const auto placed = place(standard(), candidates, {}, 1, random);
  ASSERT_TRUE(placed);
  EXPECT_EQ(tolerance_of(2, sites_of(candidates, *placed)), (Tolerance{1, 2}));
}

TEST(Place, SaysNoSpaceWhenDrivesAreThereButFull) {
  auto candidates = make_drives({1, 1, 1, 1});
  candidates[2].free_bytes = 10;
  SeededRandom random(3);
  const auto placed = place(standard(), candidates, {}, 11, random);
  ASSERT_FALSE(placed);
  EXPECT_EQ(placed.error(), Errc::kNoSpace);
}

TEST(Place, AFullOrOfflineDriveCanBeKeptButNotChosen) {
  auto candidates = make_drives({1, 1, 1, 2});
  candidates[0].free_bytes = 0;
  SeededRandom random(3);
  const auto placed = place(standard(), candidates, {candidates[0].drive}, 1, random);
  ASSERT_TRUE(placed);
  EXPECT_EQ((*placed)[0], candidates[0].drive);
}

TEST(Place, RefusesToKeepTwoShardsOnOneDriveOrAnUnknownOne) {
  const auto candidates = make_drives({2, 2, 2, 2});
  SeededRandom random(3);
  EXPECT_EQ(place(standard(), candidates, {candidates[0].drive, candidates[0].drive}, 1, random).error(),
            Errc::kInvalidArgument);
  EXPECT_EQ(place(standard(), candidates, {DriveId::random(random)}, 1, random).error(), Errc::kInvalidArgument);
}

// Two drives at each of four sites; one without the last site.
Policy without_s3() {
  Policy policy = policy_of(2, 1);
  policy.id = PolicyId("apart");
  policy.rule.site_losses = 1;
  policy.sites = {SiteId("s0"), SiteId("s1"), SiteId("s2")};
  return policy;
}

RC_GTEST_PROP(Place, NeverLeavesThePolicyHoweverLittleRoomThereIs, ()) {
  auto candidates = make_drives({2, 2, 2, 2});
  for (Candidate& candidate : candidates) candidate.free_bytes = *rc::gen::inRange<std::uint64_t>(0, 3);
  const Policy policy = without_s3();
  SeededRandom random(*rc::gen::arbitrary<std::uint64_t>());
  const auto placed = place(policy, candidates, {candidates[*rc::gen::inRange(0U, 6U)].drive}, 1, random);
  if (!placed) {
    RC_ASSERT(placed.error() == Errc::kNoSpace);
    return;
  }
  for (const SiteId& site : sites_of(candidates, *placed)) RC_ASSERT(policy.allows(site));
}

TEST(Place, SaysWhichPolicyLacksDrivesAndKeepsNoneOutsideOfIt) {
  const auto candidates = make_drives({1, 0, 1, 4});
  SeededRandom random(3);
  const auto placed = place(without_s3(), candidates, {}, 1, random);
  EXPECT_EQ(placed.error(), Errc::kUnavailable);
  EXPECT_EQ(placed.error().message(), "policy apart: a 2+1 code needs 3 drives; 2 can take data: 1 drive missing");
  const auto all = make_drives({2, 2, 2, 2});
  EXPECT_EQ(place(without_s3(), all, {all[7].drive}, 1, random).error(), Errc::kInvalidArgument);
}

TEST(BestTolerance, CountsTheSitesOfThePolicyOnly) {
  EXPECT_EQ(*best_tolerance(without_s3(), make_drives({1, 1, 1, 9})), (Tolerance{1, 1}));
  EXPECT_EQ(*best_tolerance(without_s3(), make_drives({2, 1, 0, 9})), (Tolerance{0, 1}));
  EXPECT_EQ(best_tolerance(without_s3(), make_drives({1, 1, 0, 9})).error(), Errc::kUnavailable);
}

TEST(CheckWithdrawal, OfAPolicyLooksAtItsOwnSites) {
  const auto candidates = make_drives({2, 2, 2, 2});
  const auto refused = check_withdrawal(without_s3(), candidates, drives_of_site(candidates, "s1"), std::nullopt, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(),
            "policy apart: on the 2 sites that would remain (s0, s2), 2+1 shards survive the loss of 0 sites; 1 are "
            "demanded: first add drives at 1 further site, or accept to tolerate only 0 lost sites from now on: "
            "--accept-site-losses 0");
  const auto elsewhere = check_withdrawal(without_s3(), candidates, drives_of_site(candidates, "s3"), std::nullopt, 0);
  ASSERT_TRUE(elsewhere) << elsewhere.error().message();
  EXPECT_EQ(elsewhere->after, (Tolerance{1, 1}));
  EXPECT_EQ(elsewhere->bytes_to_move, 0U);
}

TEST(CheckWithdrawal, MoreAcceptedThanThePolicyDemandsIsNotDemanded) {
  const auto candidates = make_drives({2, 2, 2, 2, 2});
  EXPECT_TRUE(check_withdrawal(standard(), candidates, drives_of_site(candidates, "s2"), std::uint8_t{9}, 0));
}

TEST(PlaceMirrors, TakesParityPlusOneOnDifferentSitesAndKeepsCurrentOnes) {
  const auto candidates = make_drives({2, 2, 2, 2});
  const DriveId current = candidates[5].drive;
  const auto mirrors = place_mirrors(3, candidates, {current});
  ASSERT_EQ(mirrors.size(), 3U);
  EXPECT_EQ(mirrors[0], current);
  const auto sites = sites_of(candidates, mirrors);
  EXPECT_EQ(std::set<SiteId>(sites.begin(), sites.end()).size(), 3U);
}

TEST(PlaceMirrors, WithFewerSitesSharesThemOutEvenly) {
  const auto candidates = make_drives({3, 1});
  EXPECT_EQ(place_mirrors(3, candidates, {candidates[0].drive, candidates[1].drive}),
            (std::vector<DriveId>{candidates[0].drive, candidates[3].drive, candidates[1].drive}));
  EXPECT_EQ(place_mirrors(3, make_drives({4}), {}).size(), 3U) << "one site: what drives may fail, mirrors survive";
  EXPECT_EQ(place_mirrors(3, make_drives({1, 1}), {}).size(), 2U);
}

TEST(PlaceMirrors, ASecondOneOfASiteGoesWhenAFurtherSiteIsThere) {
  const auto candidates = make_drives({2, 2, 1});
  EXPECT_EQ(place_mirrors(3, candidates, {candidates[0].drive, candidates[1].drive, candidates[2].drive}),
            (std::vector<DriveId>{candidates[0].drive, candidates[2].drive, candidates[4].drive}));
  EXPECT_TRUE(place_mirrors(3, {}, {}).empty());
}

TEST(CheckWithdrawal, RefusesToLoseToleranceAndSaysWhatWouldDo) {
  const auto candidates = make_drives({2, 2, 2, 2});
  const auto check = check_withdrawal(standard(), candidates, drives_of_site(candidates, "s2"), std::nullopt, 0);
  ASSERT_FALSE(check);
  EXPECT_EQ(check.error(), Errc::kRefused);
  EXPECT_EQ(
      check.error().message(),
      "policy standard: on the 3 sites that would remain (s0, s1, s3), 2+2 shards survive the loss of 1 site; 2 are "
      "demanded: "
      "first add drives at 1 further site, or accept to tolerate only 1 lost site from now on: --accept-site-losses 1");
}

TEST(CheckWithdrawal, WhatNoSiteCanBringIsSaidInOneSentence) {
  const auto candidates = make_drives({2, 2, 2, 2});
  Policy policy = standard();
  policy.rule.site_losses = 9;
  const auto check = check_withdrawal(policy, candidates, drives_of_site(candidates, "s2"), std::nullopt, 0);
  ASSERT_FALSE(check);
  EXPECT_TRUE(check.error().message().ends_with(
      "; 9 are demanded, which no number of further sites can bring: accept to tolerate only 1 lost site from now on: "
      "--accept-site-losses 1"))
      << check.error().message();
}

TEST(CheckWithdrawal, AcceptedLossesLetItPass) {
  const auto candidates = make_drives({2, 2, 2, 2});
  const auto check = check_withdrawal(standard(), candidates, drives_of_site(candidates, "s2"), std::uint8_t{1}, kGiB);
  ASSERT_TRUE(check) << check.error().message();
  EXPECT_EQ(check->before, (Tolerance{2, 2}));
  EXPECT_EQ(check->after, (Tolerance{1, 2}));
  EXPECT_EQ(check->bytes_to_move, 80 * kGiB);
  EXPECT_EQ(check->bytes_free_after, 6 * 59 * kGiB - 80 * kGiB);
}

TEST(CheckWithdrawal, WithAFifthSiteNothingNeedsToBeAccepted) {
  const auto candidates = make_drives({2, 2, 2, 2, 2});
  EXPECT_TRUE(check_withdrawal(standard(), candidates, drives_of_site(candidates, "s2"), std::nullopt, 0));
}

TEST(CheckWithdrawal, RefusesWhenDrivesAreTooFew) {
  const auto candidates = make_drives({1, 1, 1, 1});
  const auto check = check_withdrawal(standard(), candidates, {candidates[0].drive}, std::uint8_t{0}, 0);
  ASSERT_FALSE(check);
  EXPECT_EQ(check.error().message(), "policy standard: a 2+2 code needs 4 drives; 3 would remain: add 1 drive first");
}

TEST(CheckWithdrawal, RefusesWhenBytesDoNotFit) {
  const auto candidates = make_drives({1, 1, 1, 1, 1}, 100 * kGiB, 9 * kGiB);
  const auto check = check_withdrawal(standard(), candidates, {candidates[0].drive}, std::nullopt, 0);
  ASSERT_FALSE(check);
  EXPECT_EQ(check.error(), Errc::kRefused);
  EXPECT_NE(check.error().message().find("room for " + std::to_string(36 * kGiB)), std::string::npos);
}

TEST(CheckWithdrawal, RefusesWhenRoomIsOnTooFewDrives) {
  auto candidates = make_drives({1, 1, 1, 1, 1}, 100 * kGiB, 1 * kGiB);
  candidates[4].total_bytes = 1000 * kGiB;
  candidates[4].free_bytes = 900 * kGiB;  // enough in all, but one drive takes only one shard of each blob
  const auto check = check_withdrawal(standard(), candidates, {candidates[0].drive}, std::nullopt, 0);
  ASSERT_FALSE(check);
  EXPECT_NE(check.error().message().find("too unevenly"), std::string::npos);
}

TEST(CheckWithdrawal, AnUnknownDriveIsAnInvalidArgument) {
  const auto candidates = make_drives({2, 2, 2, 2});
  SeededRandom random(1);
  EXPECT_EQ(check_withdrawal(standard(), candidates, {DriveId::random(random)}, std::nullopt, 0).error(),
            Errc::kInvalidArgument);
}

}  // namespace
}  // namespace andromede::sovereignty
