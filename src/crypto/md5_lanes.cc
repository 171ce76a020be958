#include "crypto/md5_lanes.h"

#include <algorithm>

#include "base/check.h"
#include "base/pool.h"

namespace andromede::crypto {
namespace {

void resume(const std::vector<OneShot<Status>::Waiter>& waiters) {
  for (const auto& waiter : waiters) {
    if (waiter.scheduler != nullptr) {
      waiter.scheduler->post(waiter.coroutine);
    } else {
      waiter.coroutine.resume();
    }
  }
}

}  // namespace

Md5Lanes::Md5Lanes(Md5Instructions instructions)
    : instructions_(instructions), lane_count_(md5_lane_count(instructions)) {
  active_.reserve(lane_count_);
  worker_ = std::thread([this] { run(); });
}

Md5Lanes::~Md5Lanes() { stop(); }

std::unique_ptr<Md5Stream> Md5Lanes::make_stream() { return std::make_unique<Md5Stream>(*this); }

void Md5Lanes::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_one();
  if (worker_.joinable()) worker_.join();
}

void Md5Lanes::submit(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      waiting_.push_back(work);
      ready_.notify_one();
      return;
    }
  }
  // Nobody waits yet: it is the stream's own coroutine that is here.
  work.stream->answer_->set(fail(Errc::kCancelled, "MD5 lanes: stopping"));
}

void Md5Lanes::await(Md5Stream* stream) {
  const std::lock_guard lock(mutex_);
  for (Work& work : waiting_) {
    if (work.stream != stream) continue;
    work.awaited = true;
    ready_.notify_one();
  }
}

void Md5Lanes::count_streams(int by) {
  const std::lock_guard lock(mutex_);
  open_streams_ += by;
}

// Whether lanes would stay idle that another stream is about to fill, and nobody is kept waiting meanwhile.
bool Md5Lanes::worth_waiting() const {
  return active_.empty() && waiting_.size() < std::min(static_cast<std::size_t>(open_streams_), lane_count_) &&
         std::none_of(waiting_.begin(), waiting_.end(), [](const Work& work) { return work.awaited; });
}

void Md5Lanes::withdraw(Md5Stream* stream) {
  const auto of_stream = [stream](const Work& work) { return work.stream == stream; };
  std::unique_lock lock(mutex_);
  std::erase_if(waiting_, of_stream);
  const auto found = std::find_if(active_.begin(), active_.end(), of_stream);
  if (found == active_.end()) return;
  // The worker reads the data until its quantum ends; then it finds nothing left to do and lets go.
  found->blocks = 0;
  quantum_.wait(lock, [this, of_stream] { return std::none_of(active_.begin(), active_.end(), of_stream); });
}

void Md5Lanes::admit() {
  while (!waiting_.empty() && active_.size() < lane_count_) {
    active_.push_back(waiting_.front());
    waiting_.pop_front();
  }
}

void Md5Lanes::release(std::vector<OneShot<Status>::Waiter>& waiters) {
  waiters.clear();
  std::erase_if(active_, [&waiters](const Work& work) {
    if (work.blocks > 0) return false;
    // Under the lock, so that a stream that is being destroyed either finds its work here or has its answer.
    if (const auto waiter = work.stream->answer_->set_quietly(Status{})) waiters.push_back(waiter);
    return true;
  });
}

void Md5Lanes::run() {
  name_thread("md5-lanes");
  std::vector<OneShot<Status>::Waiter> waiters;
  std::vector<Md5Lane> lanes;
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return stopping_ || !waiting_.empty() || !active_.empty(); });
    while (!stopping_ && !waiting_.empty() && worth_waiting()) {
      if (ready_.wait_until(lock, waiting_.front().deadline) == std::cv_status::timeout) break;
    }
    if (stopping_) break;
    admit();
    if (active_.empty()) continue;  // what waited was withdrawn
    std::size_t blocks = kQuantumBlocks;
    lanes.clear();
    for (const Work& work : active_) {
      blocks = std::min(blocks, work.blocks);
      lanes.push_back({&work.stream->state_, work.data});
    }
    lock.unlock();
    if (lanes.size() == 1) {
      compress_md5(*lanes[0].state, lanes[0].data, blocks);
    } else {
      compress_md5_lanes(instructions_, lanes, blocks);
    }
    lock.lock();
    for (Work& work : active_) {
      work.data += blocks * kMd5BlockBytes;
      work.blocks -= std::min(blocks, work.blocks);  // withdraw() may have taken them meanwhile
    }
    release(waiters);
    quantum_.notify_all();
    if (waiters.empty()) continue;
    lock.unlock();
    resume(waiters);
    lock.lock();
  }
  std::vector<Work> left(waiting_.begin(), waiting_.end());
  left.insert(left.end(), active_.begin(), active_.end());
  waiting_.clear();
  active_.clear();
  waiters.clear();
  for (const Work& work : left) {
    auto waiter = work.stream->answer_->set_quietly(fail(Errc::kCancelled, "MD5 lanes: stopping"));
    if (waiter) waiters.push_back(waiter);
  }
  quantum_.notify_all();
  lock.unlock();
  resume(waiters);
}

Md5Stream::Md5Stream(Md5Lanes& lanes) : lanes_(lanes) { lanes_.count_streams(1); }

Md5Stream::~Md5Stream() {
  if (answer_) lanes_.withdraw(this);
  if (!finished_) lanes_.count_streams(-1);
}

void Md5Stream::start(ByteView data) {
  CHECK(!answer_, "one piece at a time");
  size_bytes_ += data.size();
  if (rest_bytes_ > 0) {
    const std::size_t count = std::min(kMd5BlockBytes - rest_bytes_, data.size());
    std::copy_n(data.begin(), count, rest_.begin() + static_cast<std::ptrdiff_t>(rest_bytes_));
    rest_bytes_ += count;
    data = data.subspan(count);
    if (rest_bytes_ < kMd5BlockBytes) return;
    compress_md5(state_, rest_.data(), 1);
    rest_bytes_ = 0;
  }
  const std::size_t blocks = data.size() / kMd5BlockBytes;
  const ByteView behind = data.subspan(blocks * kMd5BlockBytes);
  std::copy(behind.begin(), behind.end(), rest_.begin());
  rest_bytes_ = behind.size();
  if (blocks * kMd5BlockBytes < kMinPieceBytes) {
    compress_md5(state_, data.data(), blocks);
    return;
  }
  answer_.emplace();
  lanes_.submit({this, data.data(), blocks, false, std::chrono::steady_clock::now() + Md5Lanes::kGatherTime});
}

Task<Status> Md5Stream::done() {
  if (!answer_) co_return Status{};
  lanes_.await(this);
  Status status = co_await *answer_;
  answer_.reset();
  co_return status;
}

Task<Status> Md5Stream::update(ByteView data) {
  start(data);
  return done();
}

Task<Md5Digest> Md5Stream::finish() {
  CHECK(!answer_ && !finished_, "done() has answered for every piece, and finish() comes once");
  finished_ = true;
  lanes_.count_streams(-1);
  const std::uint64_t bits = size_bytes_ * 8;
  std::array<std::uint8_t, 2 * kMd5BlockBytes> last{};
  std::copy_n(rest_.begin(), rest_bytes_, last.begin());
  last[rest_bytes_] = 0x80;
  const std::size_t blocks = rest_bytes_ + 1 + sizeof bits <= kMd5BlockBytes ? 1 : 2;
  std::memcpy(last.data() + blocks * kMd5BlockBytes - sizeof bits, &bits, sizeof bits);
  compress_md5(state_, last.data(), blocks);
  Md5Digest digest;
  std::memcpy(digest.data(), state_.data(), digest.size());
  co_return digest;
}

}  // namespace andromede::crypto
