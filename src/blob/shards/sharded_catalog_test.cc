#include "blob/shards/sharded_catalog.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace andromede::blob {
namespace {

// Records as objects/ keeps them, in two copies that say the same unless `second` says otherwise.
class Records final : public Catalog {
 public:
  Result<std::vector<BlobRef>> list(BlobId after, std::size_t limit) override {
    std::vector<BlobRef> page;
    for (auto it = refs.upper_bound(after); it != refs.end() && page.size() < limit; ++it) page.push_back(it->second);
    return page;
  }
  Result<std::optional<BlobRef>> find(BlobId id) override {
    const auto found = refs.find(id);
    return found == refs.end() ? std::nullopt : std::optional(found->second);
  }
  Result<Everywhere> find_everywhere(BlobId id) override {
    TRY(const auto ref, find(id));
    Everywhere found;
    if (ref) found.refs.push_back(*ref);
    if (second) found.refs.push_back(*second);
    found.agree = !second;
    return found;
  }
  Status replace(const BlobRef& before, const BlobRef& after) override {
    const auto found = refs.find(before.id);
    if (found == refs.end() || found->second != before) return fail(Errc::kConflict, "changed");
    found->second = after;
    return {};
  }
  std::map<BlobId, BlobRef> refs;
  std::optional<BlobRef> second;
};

class ShardedCatalogTest : public testing::Test {
 protected:
  // Recorded, and in the order of the ids.
  ShardedBlob record() {
    ShardedBlob blob;
    Bytes id(BlobId::kSize);
    id[0] = static_cast<std::uint8_t>(records_.refs.size() + 1);
    blob.id = BlobId::from_bytes(id);
    blob.size_bytes = 1000;
    blob.policy = PolicyId("standard");
    blob.code = {1, 1};
    blob.shards = {{DriveId::random(random_), 7, 4096}, {DriveId::random(random_), 8, 0}};
    records_.refs[blob.id] = ref_of(blob);
    return blob;
  }
  // Another engine's.
  BlobId record_unreadable() {
    const BlobId id = record().id;
    records_.refs[id].locator = {'R', 1};
    return id;
  }

  SystemRandom random_;
  Records records_;
  ShardedCatalog catalog_{records_};
};

TEST_F(ShardedCatalogTest, FindsAndReplacesWhatIsRecorded) {
  const ShardedBlob blob = record();
  EXPECT_EQ(**catalog_.find(blob.id), blob);
  ShardedBlob moved = blob;
  moved.shards[1].volume = 9;
  EXPECT_EQ(catalog_.replace(moved, blob).error(), Errc::kConflict);
  ASSERT_TRUE(catalog_.replace(blob, moved));
  EXPECT_EQ(**catalog_.find(blob.id), moved);
  EXPECT_FALSE(*catalog_.find(BlobId::random(random_)));
}

TEST_F(ShardedCatalogTest, AListGoesOnBehindWhatCannotBeRead) {
  std::vector<ShardedBlob> readable;
  for (const bool can_be_read : {true, false, false, false, true, true}) {
    if (can_be_read) {
      readable.push_back(record());
    } else {
      record_unreadable();
    }
  }
  for (std::size_t limit = 1; limit <= 7; ++limit) {
    std::vector<ShardedBlob> listed;
    BlobId after;
    for (;;) {
      const auto page = catalog_.list(after, limit);
      ASSERT_TRUE(page);
      listed.insert(listed.end(), page->begin(), page->end());
      if (page->size() < limit) break;
      after = page->back().id;
    }
    EXPECT_EQ(listed, readable) << "limit " << limit;
  }
}

TEST_F(ShardedCatalogTest, WhatCannotBeReadIsNamedBeforeAnythingIsErased) {
  const ShardedBlob blob = record();
  const BlobId unreadable = record_unreadable();
  EXPECT_EQ(catalog_.find(unreadable).error(), Errc::kCorrupt);
  const auto page = catalog_.list_everywhere(BlobId{}, 10);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->refs, std::vector<ShardedBlob>{blob});
  EXPECT_EQ(page->unreadable, std::vector<BlobId>{unreadable});
  const auto found = catalog_.find_everywhere(unreadable);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->refs.empty());
  EXPECT_FALSE(found->agree) << "nobody can say what it names";
}

TEST_F(ShardedCatalogTest, CopiesThatDifferAreToldAsTheyAre) {
  const ShardedBlob blob = record();
  EXPECT_TRUE(catalog_.find_everywhere(blob.id)->agree);
  ShardedBlob other = blob;
  other.shards[0].offset = 0;
  records_.second = ref_of(other);
  const auto found = catalog_.find_everywhere(blob.id);
  EXPECT_FALSE(found->agree);
  EXPECT_EQ(found->refs, (std::vector<ShardedBlob>{blob, other}));
}

}  // namespace
}  // namespace andromede::blob
