#include "meta/rocksdb/mirror_pools.h"

#include <gtest/gtest.h>

#include <future>

namespace andromede::meta {
namespace {

class MirrorPoolsTest : public testing::Test {
 protected:
  Result<int> read(const std::shared_ptr<int>& mirror) {
    return sync_wait(pools_.of(mirror).reads().run([]() -> Result<int> { return 1; }));
  }
  Metrics metrics_;
  SystemClock clock_;
  MirrorPools pools_{metrics_, clock_, 2};
};

TEST_F(MirrorPoolsTest, ReadsOfAMirrorThatHangsHoldUpNoOtherOnes) {
  const auto hanging = std::make_shared<int>();
  std::promise<void> let_go;
  const std::shared_future<void> gone(let_go.get_future());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(pools_.of(hanging).reads().post([gone] { gone.wait(); }));
  EXPECT_TRUE(read(std::make_shared<int>()));
  EXPECT_GT(pools_.of(hanging).reads().queued(), 0U);
  let_go.set_value();
}

TEST_F(MirrorPoolsTest, AMirrorKeepsItsPoolsAndTheNextOneInItsPlaceGetsItsOwn) {
  auto mirror = std::make_shared<int>();
  const WalkPools* const pools = &pools_.of(mirror);
  EXPECT_EQ(&pools_.of(mirror), pools);
  const auto other = std::make_shared<int>();
  EXPECT_NE(&pools_.of(other), pools);
  EXPECT_EQ(&pools_.of(mirror), pools);
  for (int i = 0; i < 100; ++i) {
    mirror = std::make_shared<int>();  // often where the one before was
    EXPECT_TRUE(read(mirror));
  }
}

}  // namespace
}  // namespace andromede::meta
