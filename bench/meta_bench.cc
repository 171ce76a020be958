// Micro benchmark of the embedded metadata engine: commits a second as small PUTs make them, gets, and listing, on real
// drives (folders). Usage: andromede_meta_bench FOLDER [MIRRORS [SECONDS]]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/task.h"
#include "io/drives.h"
#include "io/test_drive_seal.h"
#include "meta/rocksdb/mirrored_store.h"

namespace andromede {
namespace {

constexpr std::size_t kPayloadBytes = 4096 + 16;
constexpr std::size_t kRecordBytes = 320;
constexpr std::size_t kEventBytes = 500;

class PlainSealer final : public meta::LogSealer {
 public:
  Status restore(std::uint64_t, ByteView) override { return {}; }
  std::string seal(std::uint64_t, std::string_view event) override { return std::string(event); }
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string object_key(std::uint64_t i) {
  std::string digits = std::to_string(i);
  return "o/bucketbucketbuck" + std::string(12 - digits.size(), '0') + digits;
}

// What a small PUT commits: its record, its payload, two counters, its journal entry, and the expectation that the key
// is new.
meta::Commit small_put(std::uint64_t i) {
  meta::Commit change;
  change.expect.push_back({object_key(i), std::nullopt});
  change.put.push_back({{meta::Space::kRecords, object_key(i)}, std::string(kRecordBytes, 'r')});
  change.put.push_back({{meta::Space::kInline, object_key(i)}, std::string(kPayloadBytes, 'p')});
  change.usage = {1, 4096};
  change.event = std::string(kEventBytes, 'e');
  return change;
}

struct Counts {
  std::uint64_t next = 0;
  std::uint64_t done = 0;
  std::vector<double> latencies;
};

Task<bool> put_until(meta::Store& store, Counts& counts, std::chrono::steady_clock::time_point end) {
  while (std::chrono::steady_clock::now() < end) {
    const auto start = std::chrono::steady_clock::now();
    const auto result = co_await store.commit(small_put(counts.next++), Deadline::never());
    if (!result) {
      std::fprintf(stderr, "commit: %s\n", result.error().describe().c_str());
      co_return false;
    }
    ++counts.done;
    counts.latencies.push_back(seconds_since(start));
  }
  co_return true;
}

void measure_commits(meta::Store& store, Counts& counts, int waiters, double seconds) {
  counts.done = 0;
  counts.latencies.clear();
  const auto start = std::chrono::steady_clock::now();
  const auto end = start + std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6));
  std::vector<Task<bool>> tasks;
  for (int i = 0; i < waiters; ++i) tasks.push_back(put_until(store, counts, end));
  sync_wait(when_all(std::move(tasks)));
  const double took = seconds_since(start);
  std::sort(counts.latencies.begin(), counts.latencies.end());
  const auto at = [&](double q) {
    return counts.latencies[static_cast<std::size_t>(q * static_cast<double>(counts.latencies.size() - 1))] * 1e6;
  };
  std::printf("commit, %3d waiters: %8.0f/s   p50 %6.0f us   p99 %6.0f us\n", waiters,
              static_cast<double>(counts.done) / took, at(0.5), at(0.99));
}

Task<bool> get_some(meta::Store& store, std::uint64_t keys, std::uint64_t count, std::uint64_t seed) {
  for (std::uint64_t i = 0; i < count; ++i) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    const std::string key = object_key((seed >> 33U) % keys);
    const auto record = co_await store.get({}, {meta::Space::kRecords, key}, Deadline::never());
    const auto payload = co_await store.get({}, {meta::Space::kInline, key}, Deadline::never());
    if (!record || !*record || !payload || !*payload) co_return false;
  }
  co_return true;
}

// Keys that are in memory are read on the calling thread, others on the pool.
void measure_gets(meta::Store& store, std::uint64_t keys) {
  constexpr std::uint64_t kEach = 2000;
  for (const std::uint64_t among : {std::min<std::uint64_t>(keys, 5000), keys}) {
    for (int round = 0; round < 2; ++round) {
      std::vector<Task<bool>> tasks;
      const auto start = std::chrono::steady_clock::now();
      for (std::uint64_t i = 0; i < 16; ++i) tasks.push_back(get_some(store, among, kEach, i));
      const auto results = sync_wait(when_all(std::move(tasks)));
      const bool good = std::all_of(results.begin(), results.end(), [](bool ok) { return ok; });
      std::printf("get record and payload, of %8llu keys: %8.0f/s%s\n", static_cast<unsigned long long>(among),
                  16 * kEach / seconds_since(start), good ? "" : " (WRONG)");
    }
  }
}

Task<std::uint64_t> list_all(meta::Store& store, std::uint64_t limit) {
  constexpr std::uint64_t kPage = 1000;
  std::uint64_t listed = 0;
  std::string from = "o/";
  while (listed < limit) {
    const auto cursor = store.cursor({{}, "", from, "o0", {}});
    auto there = co_await cursor->seek(from);
    std::uint64_t page = 0;
    while (there && *there && page < kPage) {
      ++page;
      from.assign(cursor->key());
      auto quick = cursor->try_next();
      there = quick ? std::move(*quick) : co_await cursor->next();
    }
    from.push_back('\0');
    listed += page;
    if (page < kPage) break;
  }
  co_return listed;
}

void measure_listing(meta::Store& store) {
  for (int round = 0; round < 3; ++round) {
    const auto start = std::chrono::steady_clock::now();
    const std::uint64_t listed = sync_wait(list_all(store, 200'000));
    std::printf("list, pages of 1000: %8.0f keys/s (%llu keys)\n", static_cast<double>(listed) / seconds_since(start),
                static_cast<unsigned long long>(listed));
  }
}

int run(const std::string& folder, int mirrors, double seconds) {
  std::filesystem::remove_all(folder);
  SystemRandom random;
  io::DriveMap map;
  map.cloud = CloudId::random(random);
  for (int i = 0; i < mirrors; ++i) {
    const std::string name = "drive-" + std::to_string(i);
    io::DriveInfo drive;
    drive.id = DriveId::random(random);
    drive.name = DriveName(name);
    drive.site = SiteId(name);
    drive.associate = AssociateId(name);
    drive.path = folder + "/" + name;
    drive.mirrors_metadata = true;
    std::filesystem::create_directories(drive.path);
    map.drives.push_back(drive);
  }
  auto drives = io::Drives::create(map, io::test_seal(),
                                   [](const io::DriveInfo& drive) { return io::open_real_disk(drive.path); });
  if (!drives) {
    std::fprintf(stderr, "drives: %s\n", drives.error().describe().c_str());
    return 1;
  }
  const SystemClock clock;
  Metrics metrics;
  PlainSealer sealer;
  const auto record_seal = std::make_shared<const meta::RecordSeal>(crypto::SecretKey::random(random));
  meta::MirroredOptions options;
  options.create = true;
  auto store = meta::MirroredStore::open(**drives, sealer, record_seal, clock, metrics, options);
  if (!store) {
    std::fprintf(stderr, "store: %s\n", store.error().describe().c_str());
    return 1;
  }
  std::printf("%d mirror(s), %zu bytes a commit\n", mirrors, kPayloadBytes + kRecordBytes + kEventBytes);
  Counts counts;
  for (const int waiters : {1, 16, 64}) measure_commits(**store, counts, waiters, seconds);
  measure_gets(**store, counts.next);
  measure_listing(**store);
  (*store)->stop();
  store->reset();
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace andromede

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FOLDER [MIRRORS [SECONDS]]   (FOLDER is emptied)\n", argv[0]);
    return 2;
  }
  return andromede::run(argv[1], argc > 2 ? std::atoi(argv[2]) : 1, argc > 3 ? std::atof(argv[3]) : 4);
}
