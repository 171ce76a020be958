// What is released around a change of a blob's record, whatever that change answers.
#include "fleet/volumes/mover.h"

#include "fleet/volumes/test_fleet_cloud.h"

namespace andromede::fleet {
namespace {

// The real catalog, whose replace() answers what the test wants.
class UnsureCatalog final : public blob::ShardCatalog {
 public:
  enum class Answer : std::uint8_t { kTrue, kUnavailableDone, kUnavailableNotDone, kConflict };
  explicit UnsureCatalog(blob::ShardCatalog& real) : real_(real) {}
  Result<std::vector<blob::ShardedBlob>> list(BlobId after, std::size_t limit) override {
    return real_.list(after, limit);
  }
  Result<std::optional<blob::ShardedBlob>> find(BlobId id) override { return real_.find(id); }
  Status replace(const blob::ShardedBlob& before, const blob::ShardedBlob& after) override {
    if (meanwhile) meanwhile();
    if (answer == Answer::kTrue || answer == Answer::kUnavailableDone) CHECK_OK(real_.replace(before, after));
    if (answer == Answer::kTrue) return {};
    return fail(answer == Answer::kConflict ? Errc::kConflict : Errc::kUnavailable, "as the test wants");
  }
  Answer answer = Answer::kTrue;
  std::function<void()> meanwhile;

 private:
  blob::ShardCatalog& real_;
};

// The real mirrors, said to be too few.
class FewMirrors final : public MirrorsOver {
 public:
  using MirrorsOver::MirrorsOver;
  [[nodiscard]] std::optional<std::string> shortfall() const override {
    return few ? std::optional("few") : std::nullopt;
  }
  bool few = false;
};

class MoverTest : public testing::Test {
 protected:
  using Answer = UnsureCatalog::Answer;
  MoverTest() {
    // The mover of the test is the only one: the fleet's heals would do, between two lines of a test, what it asks for.
    cloud_.fleet->stop();
    before_ = cloud_.ref(cloud_.put(40'000));
    const auto map = cloud_.drives->map();
    for (const io::DriveInfo& drive : map->drives) {
      const auto holds = [&](const blob::ShardPlace& place) { return place.drive == drive.id; };
      if (std::none_of(before_.shards.begin(), before_.shards.end(), holds)) to_ = drive.id;
    }
  }
  Result<MoveCount> move() {
    return mover_.move(before_, Move{0, to_}, [](std::uint64_t) { return true; });
  }
  [[nodiscard]] std::uint64_t shards_on(DriveId drive) { return cloud_.blobs->usage(drive)->shards; }
  // Releases are done in their order, drive by drive: what was asked for before is done once this one is.
  void wait_for_releases_on(DriveId drive) {
    const BlobId other = cloud_.put(40'000);
    const auto ref = cloud_.ref(other);
    for (unsigned i = 0; i < ref.shards.size(); ++i) {
      if (ref.shards[i].drive != drive) continue;
      // It is counted off a moment after it is gone.
      const std::uint64_t before = shards_on(drive);
      const auto gone = [&] {
        const auto health = cloud_.blobs->verify_shard(ref, i, {});
        return health && *health == blob::ShardHealth::kMissing && shards_on(drive) < before;
      };
      cloud_.blobs->release_shard(other, i, ref.shards[i]);
      ASSERT_TRUE(eventually(gone));
      return;
    }
    wait_for_releases_on(drive);  // it was not placed there: another one will be
  }
  [[nodiscard]] bool good(const blob::ShardedBlob& ref) {
    const auto health = cloud_.blobs->verify_shard(ref, 0, {});
    return health && *health == blob::ShardHealth::kGood;
  }

  FleetCloud cloud_{{1, 1, 1, 1, 1}};
  UnsureCatalog catalog_{*cloud_.catalog};
  FewMirrors mirrors_{*cloud_.meta};
  Mover mover_{*cloud_.drives, *cloud_.blobs,      catalog_,        cloud_.authenticator,
               mirrors_,       *cloud_.candidates, cloud_.policies, cloud_.random};
  blob::ShardedBlob before_;
  DriveId to_;
};

TEST_F(MoverTest, TheOldPlaceIsGivenBackOnceTheRecordNamesTheNewOneAndNotBefore) {
  bool there = false;
  catalog_.meanwhile = [&] {
    wait_for_releases_on(before_.shards[0].drive);
    there = good(before_);
  };
  ASSERT_TRUE(move());
  EXPECT_TRUE(there);
  EXPECT_TRUE(good(cloud_.ref(before_.id)));
  EXPECT_TRUE(eventually([&] { return !good(before_); }));
}

TEST_F(MoverTest, WhereItIsUnknownWhichPlaceIsNamedBothStay) {
  for (const Answer answer : {Answer::kUnavailableNotDone, Answer::kUnavailableDone}) {
    catalog_.answer = answer;
    const std::uint64_t copies = shards_on(to_);
    EXPECT_EQ(move().error(), Errc::kUnavailable);
    EXPECT_EQ(shards_on(to_), copies + 1);
    const blob::ShardedBlob now = cloud_.ref(before_.id);
    EXPECT_EQ(now == before_, answer == Answer::kUnavailableNotDone);
    wait_for_releases_on(before_.shards[0].drive);
    wait_for_releases_on(to_);
    EXPECT_TRUE(good(before_));
    EXPECT_TRUE(good(now));
  }
}

TEST_F(MoverTest, ACopyThatNobodyNamesIsGivenBack) {
  catalog_.answer = Answer::kConflict;
  const std::uint64_t copies = shards_on(to_);
  ASSERT_TRUE(move());
  EXPECT_TRUE(eventually([&] { return shards_on(to_) == copies; }));
  EXPECT_TRUE(good(before_));
}

class MoverGoneTest : public MoverTest {
 protected:
  // As a record that names volumes which are not there.
  blob::ShardedBlob with_gone(unsigned shards) {
    blob::ShardedBlob ref = before_;
    for (unsigned i = 0; i < shards; ++i) ref.shards[i].volume = 7;
    return ref;
  }
  Result<MoveCount> settle(const blob::ShardedBlob& ref) {
    return mover_.settle(ref, [](std::uint64_t) { return true; });
  }
};

TEST_F(MoverGoneTest, WhatWasInVolumesThatAreGoneIsRebuiltWhereItWas) {
  const blob::ShardedBlob ref = with_gone(2);
  ASSERT_TRUE(cloud_.catalog->replace(before_, ref));
  EXPECT_EQ(mover_.gone(ref).shards, (std::vector<unsigned>{0, 1}));
  EXPECT_TRUE(mover_.gone(ref).all_known);
  const auto settled = settle(ref);
  ASSERT_TRUE(settled) << settled.error().describe();
  EXPECT_EQ(settled->shards, 2U);
  EXPECT_EQ(settled->rebuilt, 2U);
  for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(cloud_.ref(before_.id).shards[i].drive, before_.shards[i].drive);
  cloud_.expect_all_whole(2);
  cloud_.expect_all_readable();
}

TEST_F(MoverGoneTest, WithoutEnoughShardsItIsLost) {
  const blob::ShardedBlob ref = with_gone(3);
  ASSERT_TRUE(cloud_.catalog->replace(before_, ref));
  EXPECT_EQ(settle(ref).error(), Errc::kCorrupt);
}

// The volume of what was moved or deleted may have been removed.
TEST_F(MoverGoneTest, AnOldRecordMissesNothing) {
  const auto moved = settle(with_gone(3));
  ASSERT_TRUE(moved) << moved.error().describe();
  EXPECT_EQ(moved->shards, 0U);
  EXPECT_EQ(cloud_.ref(before_.id), before_);
  blob::ShardedBlob deleted = with_gone(3);
  deleted.id = BlobId::random(cloud_.random);
  const auto nothing = settle(deleted);
  ASSERT_TRUE(nothing) << nothing.error().describe();
  EXPECT_EQ(nothing->shards, 0U);
}

TEST_F(MoverGoneTest, ADriveThatIsAwayMissesNothing) {
  cloud_.drives->report_failure(before_.shards[0].drive, nullptr, Error(make_error_code(Errc::kIo), "by the test"));
  const blob::ShardedBlob ref = with_gone(1);
  EXPECT_TRUE(mover_.gone(ref).shards.empty());
  EXPECT_TRUE(mover_.gone(ref).all_known);
}

// The record is on so few mirrors that the next loss may bring the old one back.
TEST_F(MoverTest, BelowTheLeastRedundancyTheOldPlaceStays) {
  mirrors_.few = true;
  ASSERT_TRUE(move());
  EXPECT_NE(cloud_.ref(before_.id), before_);
  wait_for_releases_on(before_.shards[0].drive);
  EXPECT_TRUE(good(before_));
  EXPECT_TRUE(good(cloud_.ref(before_.id)));
}

}  // namespace
}  // namespace andromede::fleet
