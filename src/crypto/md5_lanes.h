// MD5 of many streams at once: the ETag is the dearest step of a large upload, and one stream of MD5 cannot be made
// faster than about 0.7 GB/s a core, but eight in the lanes of one register cost little more than one.
//
// Md5Lanes owns a worker thread; each upload has an Md5Stream, which hands its data over piece by piece. Whatever
// streams have data waiting advance together; a stream that is alone is hashed by scalar code. Streams join and leave
// every kQuantumBlocks. A piece waits for the other streams' for a moment, unless done() is waiting for it. Worth it
// for bodies over kMd5LanesMinBytes: below, a thread hop costs more than the hashing.
//
//   const auto md5 = lanes.make_stream();
//   md5->start(piece);                    // hashing runs …
//   co_await encrypt_and_write(piece);    // … while the same bytes are encrypted and written
//   CO_CHECK_OK(co_await md5->done());
//   …
//   const Md5Digest digest = co_await md5->finish();
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task.h"
#include "crypto/digest.h"
#include "crypto/md5_kernel.h"

namespace andromede::crypto {

inline constexpr std::size_t kMd5LanesMinBytes = 256 << 10;

class Md5Stream;

// Thread-safe. Outlives its streams. At most one piece of each stream is queued, so the queue is as long as there are
// streams.
class Md5Lanes {
 public:
  explicit Md5Lanes(Md5Instructions instructions = best_md5_instructions());
  Md5Lanes(const Md5Lanes&) = delete;
  Md5Lanes& operator=(const Md5Lanes&) = delete;
  ~Md5Lanes();  // stop()

  [[nodiscard]] std::unique_ptr<Md5Stream> make_stream();
  // Pieces in hand and pieces that come later answer kCancelled. Blocks until the worker has ended.
  void stop();

  // Blocks between two moments at which streams join and leave: 16 KiB, some 25 µs.
  static constexpr std::size_t kQuantumBlocks = 256;
  // How long a piece waits for other streams' pieces, at most: less than filling the next piece takes.
  static constexpr std::chrono::microseconds kGatherTime{500};

 private:
  friend class Md5Stream;
  struct Work {
    Md5Stream* stream;
    const std::uint8_t* data;
    std::size_t blocks;
    bool awaited;  // by done()
    std::chrono::steady_clock::time_point deadline;
  };
  void submit(Work work);
  void await(Md5Stream* stream);
  void count_streams(int by);
  [[nodiscard]] bool worth_waiting() const;
  void withdraw(Md5Stream* stream);
  void run();
  void admit();
  void release(std::vector<OneShot<Status>::Waiter>& waiters);

  const Md5Instructions instructions_;
  const std::size_t lane_count_;
  std::mutex mutex_;
  std::condition_variable ready_;    // work or stop, for the worker
  std::condition_variable quantum_;  // a quantum ended, for withdraw()
  std::deque<Work> waiting_;
  std::vector<Work> active_;  // changed by the worker only, under the lock
  int open_streams_ = 0;      // that may bring more data
  bool stopping_ = false;
  std::thread worker_;
};

// One body's MD5. Used by one coroutine at a time.
class Md5Stream {
 public:
  explicit Md5Stream(Md5Lanes& lanes);
  Md5Stream(const Md5Stream&) = delete;
  Md5Stream& operator=(const Md5Stream&) = delete;
  // Takes a piece that is still being hashed back, blocking for a quantum at most.
  ~Md5Stream();

  // Hands `data` over; it stays valid and unchanged until done() has answered. One piece at a time.
  void start(ByteView data);
  // Waits for the piece that start() handed over; at once when there is none. kCancelled: the lanes have stopped.
  Task<Status> done();
  // start() and done().
  Task<Status> update(ByteView data);
  // The digest of all pieces; once, after the last done().
  Task<Md5Digest> finish();

 private:
  friend class Md5Lanes;
  static constexpr std::size_t kMinPieceBytes = 16 << 10;  // less is hashed at once, by the caller

  Md5Lanes& lanes_;
  Md5State state_ = kMd5Start;
  std::uint64_t size_bytes_ = 0;
  std::array<std::uint8_t, kMd5BlockBytes> rest_{};  // the bytes behind the last whole block
  std::size_t rest_bytes_ = 0;
  std::optional<OneShot<Status>> answer_;  // of the piece in hand
  bool finished_ = false;
};

}  // namespace andromede::crypto
