// andromede_limits: what this machine can do at most, measured in the run that the comparison is made in. One JSON
// line.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "crypto/aes_gcm.h"
#include "crypto/digest.h"
#include "crypto/segments.h"

namespace andromede {
namespace {

using std::chrono::steady_clock;

double seconds_since(steady_clock::time_point begin) {
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

// A preallocated, zero-written file, as a log would keep it.
int open_log(const std::string& path, std::size_t size_bytes) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const Bytes zeros(1 << 20);
  for (std::size_t at = 0; at < size_bytes; at += zeros.size()) {
    if (::pwrite(file, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0) return -1;
  }
  ::fdatasync(file);
  return file;
}

// `waiters` threads append 5 KiB each; one fdatasync serves all that have written before it began.
double appends_per_s(const std::string& folder, unsigned waiters) {
  constexpr std::size_t kLogBytes = 256 << 20;
  constexpr std::size_t kAppendBytes = 5120;
  const std::string path = folder + "/limits.log";
  const int file = open_log(path, kLogBytes);
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t written = 0;
  std::uint64_t synced = 0;
  std::size_t tail = 0;
  bool syncing = false;
  std::atomic<bool> stop{false};
  const Bytes record(kAppendBytes, 0x5a);
  const auto begin = steady_clock::now();
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < waiters; ++t) {
    threads.emplace_back([&] {
      while (!stop.load()) {
        std::unique_lock lock(mutex);
        const std::size_t at = tail;
        tail = (tail + kAppendBytes) % (kLogBytes - kAppendBytes);
        lock.unlock();
        if (::pwrite(file, record.data(), record.size(), static_cast<off_t>(at)) < 0) return;
        lock.lock();
        const std::uint64_t mine = ++written;
        while (synced < mine) {
          if (syncing) {
            changed.wait(lock);
            continue;
          }
          syncing = true;
          const std::uint64_t upto = written;
          lock.unlock();
          ::fdatasync(file);
          lock.lock();
          syncing = false;
          synced = std::max(synced, upto);
          changed.notify_all();
        }
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::seconds(2));
  stop = true;
  const std::uint64_t done = synced;
  const double seconds = seconds_since(begin);
  for (auto& thread : threads) thread.join();
  ::close(file);
  ::unlink(path.c_str());
  return static_cast<double>(done) / seconds;
}

double disk_write_mb_per_s(const std::string& folder) {
  const std::string path = folder + "/limits.data";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const Bytes block(4 << 20, 0x33);
  constexpr std::size_t kBlocks = 128;
  const auto begin = steady_clock::now();
  for (std::size_t i = 0; i < kBlocks; ++i) {
    if (::pwrite(file, block.data(), block.size(), static_cast<off_t>(i * block.size())) < 0) return 0;
  }
  ::fdatasync(file);
  const double seconds = seconds_since(begin);
  ::close(file);
  ::unlink(path.c_str());
  return static_cast<double>(kBlocks * block.size()) / 1e6 / seconds;
}

template <typename Work>
double mb_per_s(std::size_t bytes_a_call, Work work) {
  std::size_t calls = 0;
  const auto begin = steady_clock::now();
  while (seconds_since(begin) < 0.7) {
    work();
    ++calls;
  }
  return static_cast<double>(calls * bytes_a_call) / 1e6 / seconds_since(begin);
}

double aes_gcm_mb_per_s() {
  SystemRandom random;
  const auto key = crypto::SecretKey::random(random);
  crypto::SegmentSealer sealer(key, BlobId::random(random));
  const Bytes plain(crypto::kSegmentBytes, 1);
  Bytes sealed(crypto::kSealedSegmentBytes);
  return mb_per_s(plain.size(), [&] { sealer.seal(plain, false, sealed.data()); });
}

double digest_mb_per_s(crypto::Checksum kind) {
  const Bytes data(1 << 20, 1);
  const auto hasher = crypto::make_hasher(kind);
  return mb_per_s(data.size(), [&] { hasher->update(data); });
}

double loopback_mb_per_s() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 1) != 0) return 0;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  constexpr std::size_t kTotal = std::size_t{4} << 30;
  std::thread sender([&] {
    const int out = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(out, reinterpret_cast<sockaddr*>(&address), size) != 0) return;
    const Bytes block(1 << 20, 7);
    for (std::size_t sent = 0; sent < kTotal;) {
      const ssize_t count = ::send(out, block.data(), block.size(), MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += static_cast<std::size_t>(count);
    }
    ::close(out);
  });
  const int in = ::accept(listener, nullptr, nullptr);
  Bytes block(1 << 20);
  std::size_t received = 0;
  const auto begin = steady_clock::now();
  for (ssize_t count = 1; count > 0; received += static_cast<std::size_t>(std::max<ssize_t>(count, 0))) {
    count = ::recv(in, block.data(), block.size(), 0);
  }
  const double seconds = seconds_since(begin);
  sender.join();
  ::close(in);
  ::close(listener);
  return static_cast<double>(received) / 1e6 / seconds;
}

}  // namespace
}  // namespace andromede

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : ".";
  using andromede::crypto::Checksum;
  std::printf("{\"appends_c1_per_s\": %.0f, \"appends_c16_per_s\": %.0f, \"disk_write_mb_per_s\": %.0f, ",
              andromede::appends_per_s(folder, 1), andromede::appends_per_s(folder, 16),
              andromede::disk_write_mb_per_s(folder));
  std::printf("\"aes_256_gcm_engine\": \"%s\", \"aes_256_gcm_mb_per_s\": %.0f, ",
              std::string(andromede::crypto::aes_gcm().name).c_str(), andromede::aes_gcm_mb_per_s());
  std::printf("\"md5_mb_per_s\": %.0f, \"sha256_mb_per_s\": %.0f, ", andromede::digest_mb_per_s(Checksum::kMd5),
              andromede::digest_mb_per_s(Checksum::kSha256));
  std::printf("\"loopback_mb_per_s\": %.0f}\n", andromede::loopback_mb_per_s());
  return 0;
}
