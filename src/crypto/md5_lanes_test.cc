#include "crypto/md5_lanes.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/test_bytes.h"

namespace andromede::crypto {
namespace {

std::vector<Md5Instructions> offered() {
  std::vector<Md5Instructions> all{Md5Instructions::kScalar};
  if (best_md5_instructions() != Md5Instructions::kScalar) all.push_back(Md5Instructions::kAvx2);
  if (best_md5_instructions() == Md5Instructions::kAvx512) all.push_back(Md5Instructions::kAvx512);
  return all;
}

TEST(Md5Kernel, EveryLaneComputesItsOwnStream) {
  constexpr std::size_t kBlocks = 5;
  for (const Md5Instructions instructions : offered()) {
    for (std::size_t count = 1; count <= md5_lane_count(instructions); ++count) {
      std::vector<Bytes> data;
      std::vector<Md5State> states;
      for (std::size_t i = 0; i < count; ++i) {
        data.push_back(random_bytes(kBlocks * kMd5BlockBytes + 1, i));
        states.push_back({static_cast<std::uint32_t>(i), 2, 3, 4});
      }
      std::vector<Md5State> expected = states;
      std::vector<Md5Lane> lanes;
      for (std::size_t i = 0; i < count; ++i) {
        lanes.push_back({&states[i], data[i].data() + 1});  // unaligned
        compress_md5(expected[i], data[i].data() + 1, kBlocks);
      }
      compress_md5_lanes(instructions, lanes, kBlocks);
      EXPECT_EQ(states, expected) << count;
    }
  }
}

TEST(Md5Kernel, RefusesMoreStreamsThanLanes) {
  Md5State state = kMd5Start;
  const Bytes data(kMd5BlockBytes);
  const std::vector<Md5Lane> lanes(2, {&state, data.data()});
  EXPECT_DEATH(compress_md5_lanes(Md5Instructions::kScalar, lanes, 1), "no more streams");
}

Task<Result<Md5Digest>> hash(Md5Lanes& lanes, ByteView data, std::size_t piece_bytes) {
  const auto stream = lanes.make_stream();
  while (!data.empty()) {
    const ByteView piece = data.first(std::min(piece_bytes, data.size()));
    data = data.subspan(piece.size());
    CO_CHECK_OK(co_await stream->update(piece));
  }
  co_return co_await stream->finish();
}

TEST(Md5Lanes, OneStreamOfAnySizeAndPieceMatchesOpenSsl) {
  Md5Lanes lanes;
  const Bytes data = random_bytes(100'000, 1);
  for (const std::size_t size :
       {0UL, 1UL, 55UL, 56UL, 57UL, 63UL, 64UL, 65UL, 119UL, 120UL, 128UL, 16'384UL, 16'385UL, 100'000UL}) {
    const ByteView whole = ByteView(data).first(size);
    for (const std::size_t piece : {1UL, 63UL, 64UL, 100UL, 16'384UL, 20'001UL, 100'000UL}) {
      if (piece == 1 && size > 1000) continue;
      EXPECT_EQ(*sync_wait(hash(lanes, whole, piece)), md5(whole)) << size << " in " << piece;
    }
  }
}

TEST(Md5Lanes, ManyStreamsTogetherMatchOpenSsl) {
  for (const Md5Instructions instructions : offered()) {
    Md5Lanes lanes(instructions);
    constexpr std::size_t kStreams = 40;  // more than there are lanes
    std::vector<Bytes> data;
    for (std::size_t i = 0; i < kStreams; ++i) data.push_back(random_bytes(40'000 + i * 7'919, i));
    std::vector<Task<Result<Md5Digest>>> tasks;
    for (std::size_t i = 0; i < kStreams; ++i) tasks.push_back(hash(lanes, data[i], 17'000 + i * 1'111));
    const auto digests = sync_wait(when_all(std::move(tasks)));
    for (std::size_t i = 0; i < kStreams; ++i) EXPECT_EQ(*digests[i], md5(data[i])) << i;
  }
}

TEST(Md5Lanes, StreamsOfSeveralThreadsMatchOpenSsl) {
  Md5Lanes lanes;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 6; ++t) {
    threads.emplace_back([&lanes, &wrong, t] {
      const Bytes data = random_bytes(300'000, t);
      const Md5Digest expected = md5(data);
      for (int i = 0; i < 5; ++i) wrong += *sync_wait(hash(lanes, data, 50'000)) == expected ? 0 : 1;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

Task<Status> hash_beside_other_work(Md5Stream& stream, ByteView data, bool& worked) {
  stream.start(data);
  worked = true;
  co_return co_await stream.done();
}

TEST(Md5Lanes, HashingRunsBesideTheCallersOwnWork) {
  Md5Lanes lanes;
  const Bytes data = random_bytes(1 << 20, 1);
  const auto stream = lanes.make_stream();
  bool worked = false;
  EXPECT_TRUE(sync_wait(hash_beside_other_work(*stream, data, worked)));
  EXPECT_TRUE(worked);
  EXPECT_TRUE(sync_wait(stream->done())) << "without a piece in hand there is nothing to wait for";
  EXPECT_EQ(sync_wait(stream->finish()), md5(data));
}

TEST(Md5Lanes, AnAbandonedStreamLetsItsDataGo) {
  Md5Lanes lanes;
  for (int i = 0; i < 50; ++i) {
    auto data = std::make_unique<Bytes>(1 << 20);
    auto one = lanes.make_stream();
    auto two = lanes.make_stream();
    one->start(*data);
    two->start(*data);
    if (i % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(i * 10));
    one.reset();
    two.reset();
    data.reset();  // under ASan a worker that still read it would be caught
  }
  const Bytes data = random_bytes(50'000, 2);
  EXPECT_EQ(*sync_wait(hash(lanes, data, 20'000)), md5(data));
}

TEST(Md5Lanes, StoppingCancelsWhatIsInHandAndWhatComes) {
  Md5Lanes lanes;
  const Bytes data(64 << 20);
  const auto before = lanes.make_stream();
  before->start(data);
  lanes.stop();
  EXPECT_TRUE(sync_wait(before->done()).error() == Errc::kCancelled);
  const auto after = lanes.make_stream();
  EXPECT_TRUE(sync_wait(after->update(data)).error() == Errc::kCancelled);
  lanes.stop();
}

TEST(Md5Lanes, OnePieceAtATime) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the worker runs when the process is copied
  Md5Lanes lanes;
  const Bytes data(1 << 20);
  const auto stream = lanes.make_stream();
  stream->start(data);
  EXPECT_DEATH(stream->start(data), "one piece at a time");
}

}  // namespace
}  // namespace andromede::crypto
