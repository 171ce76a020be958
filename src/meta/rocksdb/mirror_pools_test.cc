#include "meta/rocksdb/mirror_pools.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "meta/rocksdb/test_reads.h"

namespace andromede::meta {
namespace {

class MirrorPoolsTest : public testing::Test {
 protected:
  Result<int> read(const std::shared_ptr<int>& mirror) {
    return sync_wait(read_on(pools_.of(mirror), [mirror](Reading&) -> Result<int> { return 1; }));
  }
  Metrics metrics_;
  SystemClock clock_;
  MirrorPools pools_{metrics_, clock_, 2, std::chrono::milliseconds(100),
                     [](const void*, std::chrono::nanoseconds) { return false; }};
};

TEST_F(MirrorPoolsTest, ReadsOfAMirrorThatHangsHoldUpNoOtherOnes) {
  const auto hanging = std::make_shared<int>();
  std::promise<void> let_go;
  const std::shared_future<void> gone(let_go.get_future());
  std::atomic<int> begun{0};
  std::vector<std::future<Result<int>>> reads;
  for (int i = 0; i < 4; ++i) {
    reads.push_back(std::async(std::launch::async, [&] {
      return sync_wait(read_on(pools_.of(hanging), [hanging, gone, &begun](Reading&) -> Result<int> {
        ++begun;
        gone.wait();
        return 1;
      }));
    }));
  }
  while (begun < 2 || pools_.of(hanging).queued() < 2) std::this_thread::yield();
  EXPECT_TRUE(read(std::make_shared<int>()));
  EXPECT_EQ(pools_.of(hanging).queued(), 2U);
  let_go.set_value();
  for (auto& each : reads) EXPECT_TRUE(each.get());
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

// Whoever comes for another mirror, on an event loop, does not wait for its end.
TEST_F(MirrorPoolsTest, AMirrorThatIsClosedByItsLastReadHoldsUpNobody) {
  std::promise<void> let_go;
  const std::shared_future<void> gone(let_go.get_future());
  std::shared_ptr<int> mirror(new int, [gone](const int* each) {
    gone.wait();
    delete each;
  });
  WalkPools& pools = pools_.of(mirror);
  const std::weak_ptr<int> last(mirror);
  const auto held = std::make_shared<std::shared_ptr<int>>(std::move(mirror));
  const auto closes = [held](Reading&) -> Result<int> {
    held->reset();
    return 1;
  };
  {
    const auto read = std::make_shared<WalkPools::Read<decltype(closes)>>(closes);
    const WalkPools::Waiting waiting(pools, read);
    while (!last.expired()) std::this_thread::yield();
  }
  const auto other = std::make_shared<int>();
  const auto begun = std::chrono::steady_clock::now();
  pools_.of(other);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, WalkPools::kLastWait);
  EXPECT_TRUE(read(other));
  let_go.set_value();
}

}  // namespace
}  // namespace andromede::meta
