// That a mirror whose closing hangs keeps nobody but whoever wants its drive, and those not for ever.
#include "meta/rocksdb/mirror_set.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "meta/rocksdb/test_cloud.h"
#include "meta/test_record_seal.h"

namespace andromede::meta {
namespace {

constexpr std::chrono::milliseconds kShort{50};

class MirrorSetTest : public testing::Test {
 protected:
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool shut = true;
    bool closed = false;
  };

  MirrorSetTest() {
    for (const std::size_t i : {0U, 1U}) {
      Mirror::Options options;
      options.seal = test_record_seal();
      options.log_segment_bytes = 256 << 10;
      // As RocksDB does when it closes on a file system that is frozen.
      if (i == 0)
        options.on_failure = [ends = std::shared_ptr<void>(nullptr, [gate = gate_](void*) { pass(*gate); })] {};
      auto mirror = Mirror::create(cloud_.id(i), std::shared_ptr<io::Disk>(cloud_.disk(i).share()), options);
      EXPECT_TRUE(mirror);
      mirrors_.join(std::move(*mirror));
    }
  }
  ~MirrorSetTest() override {
    open_gate();
    mirrors_.clear(kShort);
  }
  static void pass(Gate& gate) {
    std::unique_lock lock(gate.mutex);
    gate.changed.wait(lock, [&] { return !gate.shut; });
    gate.closed = true;
  }
  void open_gate() {
    const std::lock_guard lock(gate_->mutex);
    gate_->shut = false;
    gate_->changed.notify_all();
  }
  bool closed() {
    const std::lock_guard lock(gate_->mutex);
    return gate_->closed;
  }
  // Generous: what it tells from is for ever.
  static bool soon(std::chrono::steady_clock::time_point since) {
    return std::chrono::steady_clock::now() - since < std::chrono::seconds(8);
  }

  TestCloud cloud_{3, 2};
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  MirrorSet mirrors_{cloud_.drives(), {}, {}};
};

TEST_F(MirrorSetTest, AMirrorWhoseClosingHangsKeepsNoOtherDriveWaiting) {
  mirrors_.leave(cloud_.id(0));
  EXPECT_TRUE(mirrors_.close_retired(cloud_.id(2), cloud_.root(2), kShort));
  EXPECT_EQ(mirrors_.retired(), 1U);
  EXPECT_FALSE(closed());
  mirrors_.leave(cloud_.id(1));
  EXPECT_TRUE(mirrors_.close_retired(cloud_.id(1), cloud_.root(1), std::chrono::seconds(60)));
  open_gate();
  EXPECT_TRUE(eventually([&] { return mirrors_.retired() == 0; }));
  EXPECT_TRUE(closed());
}

TEST_F(MirrorSetTest, ADriveWhoseFormerMirrorHangsIsNotUsedBeforeThatIsClosed) {
  mirrors_.leave(cloud_.id(0));
  for (int i = 0; i < 2; ++i) {
    const Status closing = mirrors_.close_retired(cloud_.id(0), cloud_.root(0), kShort);
    ASSERT_FALSE(closing) << i;
    EXPECT_EQ(closing.error(), Errc::kTimeout);
  }
  // Another drive at the same path would find RocksDB's lock.
  EXPECT_EQ(mirrors_.close_retired(cloud_.id(2), cloud_.root(0), kShort).error(), Errc::kTimeout);
  open_gate();
  EXPECT_TRUE(mirrors_.close_retired(cloud_.id(0), cloud_.root(0), std::chrono::seconds(60)));
  EXPECT_TRUE(closed());
}

TEST_F(MirrorSetTest, TheEndWaitsForNoFailedMirrorThatHangs) {
  mirrors_.drive_lost(cloud_.id(0), Error(make_error_code(Errc::kIo), "gone"));
  const auto since = std::chrono::steady_clock::now();
  mirrors_.clear(kShort);
  EXPECT_TRUE(soon(since));
  EXPECT_FALSE(closed());
}

}  // namespace
}  // namespace andromede::meta
