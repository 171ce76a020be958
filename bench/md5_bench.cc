// How fast MD5 goes over 1, 2, 4 … streams at once: the kernels by themselves, and the service that uploads share.
#include <benchmark/benchmark.h>

#include "crypto/digest.h"
#include "crypto/md5_lanes.h"

namespace {

using namespace andromede;
using namespace andromede::crypto;

constexpr std::size_t kPieceBytes = 256 << 10;
constexpr std::size_t kBodyBytes = 4 << 20;

void set_bytes(benchmark::State& state, std::size_t per_iteration) {
  state.SetBytesProcessed(static_cast<std::int64_t>(per_iteration) * static_cast<std::int64_t>(state.iterations()));
}

void openssl(benchmark::State& state) {
  const Bytes data(kBodyBytes);
  for (auto _ : state) benchmark::DoNotOptimize(md5(data));
  set_bytes(state, kBodyBytes);
}

void kernel(benchmark::State& state, Md5Instructions instructions) {
  const auto streams = static_cast<std::size_t>(state.range(0));
  if (instructions > best_md5_instructions()) return state.SkipWithError("not offered by this processor");
  const std::vector<Bytes> data(streams, Bytes(kPieceBytes));
  std::vector<Md5State> states(streams, kMd5Start);
  std::vector<Md5Lane> lanes;
  for (std::size_t i = 0; i < streams; ++i) lanes.push_back({&states[i], data[i].data()});
  for (auto _ : state) {
    compress_md5_lanes(instructions, lanes, kPieceBytes / kMd5BlockBytes);
    benchmark::DoNotOptimize(states.data());
  }
  set_bytes(state, streams * kPieceBytes);
}

Task<Status> hash_body(Md5Lanes& lanes, ByteView piece) {
  const auto stream = lanes.make_stream();
  for (std::size_t sent = 0; sent < kBodyBytes; sent += piece.size()) CO_CHECK_OK(co_await stream->update(piece));
  benchmark::DoNotOptimize(co_await stream->finish());
  co_return Status{};
}

// Uploads on one event loop, each sending 4 MiB in pieces of 256 KiB.
void service(benchmark::State& state) {
  const auto streams = static_cast<std::size_t>(state.range(0));
  Md5Lanes lanes;
  const std::vector<Bytes> pieces(streams, Bytes(kPieceBytes));
  for (auto _ : state) {
    std::vector<Task<Status>> uploads;
    for (const Bytes& piece : pieces) uploads.push_back(hash_body(lanes, piece));
    benchmark::DoNotOptimize(sync_wait(when_all(std::move(uploads))));
  }
  set_bytes(state, streams * kBodyBytes);
}

BENCHMARK(openssl);
BENCHMARK_CAPTURE(kernel, avx2, Md5Instructions::kAvx2)->Arg(1)->Arg(2)->Arg(4)->Arg(8);
BENCHMARK_CAPTURE(kernel, avx512, Md5Instructions::kAvx512)->Arg(16);
BENCHMARK(service)->RangeMultiplier(2)->Range(1, 32)->MeasureProcessCPUTime();

}  // namespace

BENCHMARK_MAIN();
