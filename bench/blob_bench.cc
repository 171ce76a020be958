// Micro benchmark of the volume store: 16 MiB blobs put and read back by a few callers at once, on folders of one file
// system. Prints MB/s (10^6 bytes) a row. `andromede_blob_bench [folder] [seconds]`.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "base/log.h"
#include "base/random.h"
#include "blob/volumes/volume_store.h"
#include "io/drives.h"
#include "io/test_drive_seal.h"

namespace andromede {
namespace {

constexpr std::size_t kBlobBytes = 16U << 20;
constexpr unsigned kDrives = 4;
// What a server hands on at a time.
constexpr std::size_t kPieceBytes = 64U << 10;
constexpr std::size_t kKept = 24;

[[noreturn]] void die(const Error& error) {
  std::fprintf(stderr, "%s\n", error.describe().c_str());
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) die(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

Task<Result<blob::ShardedBlob>> put(blob::VolumeStore& store, BlobId id, blob::Target target, ByteView data) {
  CO_TRY(auto writer, co_await store.open_writer(id, std::move(target), data.size(), Deadline::never()));
  while (!data.empty()) {
    const ByteView piece = data.first(std::min(kPieceBytes, data.size()));
    CO_CHECK_OK(co_await writer->write(piece));
    data = data.subspan(piece.size());
  }
  CO_TRY(const blob::BlobRef ref, co_await writer->finish());
  co_return blob::sharded(ref);
}

Task<Result<std::uint64_t>> get(blob::VolumeStore& store, blob::ShardedBlob ref) {
  const std::uint64_t size = ref.size_bytes;
  CO_TRY(auto reader, co_await store.open_reader(std::move(ref), 0, size, Deadline::never(), 0));
  std::uint64_t sum = 0;
  for (;;) {
    CO_TRY(const ByteView piece, co_await reader->read());
    if (piece.empty()) co_return sum;
    sum += piece.size();
  }
}

// Blobs a second that `callers` threads do in `seconds`, times their size.
double megabytes_per_second(unsigned callers, double seconds, const std::function<void(unsigned)>& one) {
  std::atomic<std::uint64_t> done{0};
  const auto begin = std::chrono::steady_clock::now();
  const auto end = begin + std::chrono::duration<double>(seconds);
  std::vector<std::thread> threads;
  for (unsigned caller = 0; caller < callers; ++caller) {
    threads.emplace_back([&, caller] {
      while (std::chrono::steady_clock::now() < end) {
        one(caller);
        ++done;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(done * kBlobBytes) / took.count() / 1e6;
}

void run(const std::string& folder, double seconds) {
  SystemRandom random;
  SystemClock clock;
  Metrics metrics;
  io::DriveMap map;
  map.cloud = CloudId::random(random);
  for (unsigned i = 0; i < kDrives; ++i) {
    const std::string path = folder + "/drive-" + std::to_string(i);
    std::filesystem::create_directories(path);
    map.drives.push_back({.id = DriveId::random(random),
                          .name = DriveName("d" + std::to_string(i)),
                          .site = SiteId("s" + std::to_string(i)),
                          .associate = AssociateId("a"),
                          .path = path});
  }
  const auto drives = must(io::Drives::create(
      map, io::test_seal(), [](const io::DriveInfo& drive) { return io::open_real_disk(drive.path); }));
  const auto store = must(blob::VolumeStore::open(*drives, clock, random, metrics, {}));
  Bytes data(kBlobBytes);
  random.fill(data);
  for (const blob::Code code : {blob::Code{1, 0}, blob::Code{2, 2}}) {
    blob::Target target{.code = code, .drives = {}};
    for (unsigned i = 0; i < code.total(); ++i) target.drives.push_back(map.drives[i].id);
    for (const unsigned callers : {1U, 4U}) {
      std::vector<std::vector<blob::ShardedBlob>> kept(callers);
      const double put_rate = megabytes_per_second(callers, seconds, [&](unsigned caller) {
        auto& mine = kept[caller];
        mine.push_back(must(sync_wait(put(*store, BlobId::random(random), target, data))));
        if (mine.size() > kKept / callers) {
          store->remove(mine.front());
          mine.erase(mine.begin());
        }
      });
      std::vector<std::size_t> next(callers);
      const double get_rate = megabytes_per_second(callers, seconds, [&](unsigned caller) {
        const auto& mine = kept[caller];
        must(sync_wait(get(*store, mine[next[caller]++ % mine.size()])));
      });
      std::printf("%u+%u c%u  put %7.0f MB/s  get %7.0f MB/s\n", unsigned{code.data}, unsigned{code.parity}, callers,
                  put_rate, get_rate);
      std::fflush(stdout);
      for (const auto& mine : kept) {
        for (const auto& ref : mine) store->remove(ref);
      }
    }
  }
  store->stop();
  drives->stop();
}

}  // namespace
}  // namespace andromede

int main(int argc, char** argv) {
  std::string folder = (std::filesystem::temp_directory_path() / "andromede-blob-bench-XXXXXX").string();
  if (argc > 1) {
    folder = argv[1];
  } else if (mkdtemp(folder.data()) == nullptr) {
    std::perror("mkdtemp");
    return 1;
  }
  andromede::set_log_level(andromede::LogLevel::kWarning);
  andromede::run(folder, argc > 2 ? std::atof(argv[2]) : 2.0);
  if (argc <= 1) std::filesystem::remove_all(folder);
}
