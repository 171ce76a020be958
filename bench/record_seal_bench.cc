// What it costs to authenticate a metadata record: once a PUT's record, its entry and its small payload, once each that
// is read or listed.
#include <benchmark/benchmark.h>

#include "base/random.h"
#include "meta/record_seal.h"

namespace {

using namespace andromede;

const std::string kKey = "o/0123456789abcdef" + std::string(30, 'k');

meta::RecordSeal make_seal() {
  SeededRandom random(1);
  return meta::RecordSeal(crypto::SecretKey::random(random));
}

void seal(benchmark::State& state) {
  const meta::RecordSeal by = make_seal();
  const std::string value(static_cast<std::size_t>(state.range(0)), 'v');
  for (auto _ : state) benchmark::DoNotOptimize(by.tag(meta::Space::kRecords, kKey, value));
}

void open(benchmark::State& state) {
  const meta::RecordSeal by = make_seal();
  std::string stored(static_cast<std::size_t>(state.range(0)), 'v');
  stored += as_text(by.tag(meta::Space::kRecords, kKey, stored));
  for (auto _ : state) benchmark::DoNotOptimize(by.open(meta::Space::kRecords, kKey, stored));
}

BENCHMARK(seal)->Arg(50)->Arg(400)->Arg(1000)->Arg(4096)->Arg(32768);
BENCHMARK(open)->Arg(50)->Arg(400)->Arg(1000)->Arg(4096)->Arg(32768);

}  // namespace

BENCHMARK_MAIN();
