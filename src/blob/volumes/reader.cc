#include "blob/volumes/reader.h"

#include "base/check.h"
#include "base/log.h"
#include "blob/volumes/shard_access.h"

namespace andromede::blob {
namespace {

// One answer of read(), about, for who has not asked for less: large enough for the drives.
constexpr std::uint64_t kChunkBytes = 512 * 1024;
// Who reads less at once has too little memory for a second piece.
constexpr std::uint64_t kLeastReadAheadBytes = 2 * kBlockBytes;

// A piece of the range: some stripes of one group, and which bytes of them are wanted.
struct Chunk {
  std::uint64_t begin = 0;  // in the blob
  std::uint64_t end = 0;
  StripeSet set;
  std::vector<unsigned> want;  // data shards
};

// What is asked of drives side by side, and one task that waits for it. Owned by the jobs too, which it may outlive.
class Fan final : public WaitWatch::Waiter {
 public:
  Fan(std::shared_ptr<Chunk> chunk_in, std::vector<std::shared_ptr<ShardJob>> jobs_in)
      : chunk(std::move(chunk_in)), jobs(std::move(jobs_in)), left_(jobs.size() + 1) {}

  // One of the jobs, or the waiting task.
  void one_ended() {
    if (--left_ == 0) wake();
  }
  // What is left hangs in drives that have gone.
  void look() override {
    for (const auto& job : jobs) {
      if (!job->ended()) job->shard->drive->look();
    }
    const bool left_behind =
        std::all_of(jobs.begin(), jobs.end(), [](const auto& job) { return job->ended() || job->lost(); });
    if (left_behind) wake();
  }

  const std::shared_ptr<Chunk> chunk;  // null: shards are only checked
  const std::vector<std::shared_ptr<ShardJob>> jobs;
  bool overloaded = false;  // the waiting task's
  OneShot<bool> done;

 private:
  void wake() {
    if (!woken_.exchange(true)) done.set(true);
  }

  std::atomic<std::size_t> left_;
  std::atomic<bool> woken_{false};
};
using FanPtr = std::shared_ptr<Fan>;

// Owned by the Reader. The jobs own what they use.
class ReadState : public std::enable_shared_from_this<ReadState> {
 public:
  // The blob is pinned by the caller; unpinned here.
  ReadState(StoreCore& core, const ShardedBlob& ref) : core_(core), access_(core, ref), blob_(ref.id) {
    core_.reader_begins();
  }
  ReadState(const ReadState&) = delete;
  ReadState& operator=(const ReadState&) = delete;
  ~ReadState() {
    core_.releases.unpin(blob_);
    core_.reader_ends();
  }

  [[nodiscard]] ShardAccess& access() { return access_; }
  // Chooses the stripes, or the blocks of one, that hold [begin, end), or its first part: about `most` bytes.
  void plan(Chunk& chunk, std::uint64_t begin, std::uint64_t end, std::uint64_t most) const;
  // Without waiting for a drive; false: load() it.
  bool load_now(Chunk& chunk);
  Task<Status> check(std::vector<unsigned> shards);
  // Starts reading what is wanted on the drives' pools; then load() waits, and rebuilds what is bad.
  FanPtr start(const std::shared_ptr<Chunk>& chunk);
  Task<Status> load(FanPtr started);
  // Waits for the jobs, no longer than their drives are there, and takes what they answered.
  Task<Status> wait_for(FanPtr fan);
  // The chunk's bytes, once loaded; valid until the next call, and while the chunk is not changed.
  ByteView view(Chunk& chunk);
  // Ends the last view().
  void forget_view() { joined_ = Buffer(); }

 private:
  FanPtr on_drives(const std::shared_ptr<Chunk>& chunk, const std::vector<unsigned>& shards);
  [[nodiscard]] bool complete(const Chunk& chunk) const;

  StoreCore& core_;
  ShardAccess access_;
  const BlobId blob_;
  Buffer joined_;  // k > 1: the stripes of the last view() put together
};

void ReadState::plan(Chunk& chunk, std::uint64_t begin, std::uint64_t end, std::uint64_t most) const {
  const RecordLayout& layout = access_.layout();
  const unsigned k = layout.code().data;
  const std::uint64_t stripe_bytes = layout.stripe_bytes();
  const std::uint64_t first = begin / stripe_bytes;
  const std::uint64_t group_end = (first / kGroupBlocks + 1) * kGroupBlocks;
  if (most < stripe_bytes) {
    end = std::min(end, (begin / kBlockBytes + std::max<std::uint64_t>(1, most / kBlockBytes)) * kBlockBytes);
  }
  const std::uint64_t stripes = std::max<std::uint64_t>(1, most / stripe_bytes);
  const std::uint64_t last = std::min({(end - 1) / stripe_bytes, group_end - 1, first + stripes - 1});
  chunk.begin = begin;
  chunk.end = std::min(end, (last + 1) * stripe_bytes);
  chunk.want.clear();
  unsigned from = 0;
  unsigned to = k - 1;
  if (first == last) {
    const std::uint64_t block = layout.block_bytes(first);
    from = static_cast<unsigned>((begin - first * stripe_bytes) / block);
    to = static_cast<unsigned>((chunk.end - 1 - first * stripe_bytes) / block);
  }
  for (unsigned i = from; i <= to; ++i) chunk.want.push_back(i);
  access_.begin(chunk.set, first, static_cast<unsigned>(last - first + 1));
}

bool ReadState::complete(const Chunk& chunk) const {
  return std::all_of(chunk.want.begin(), chunk.want.end(),
                     [&](unsigned shard) { return chunk.set.shards[shard].good == chunk.set.all(); });
}

bool ReadState::load_now(Chunk& chunk) {
  for (const unsigned shard : chunk.want) {
    if (!access_.read(chunk.set, shard, Wait::kNo)) return false;
  }
  return complete(chunk);
}

FanPtr ReadState::on_drives(const std::shared_ptr<Chunk>& chunk, const std::vector<unsigned>& shards) {
  std::vector<std::shared_ptr<ShardJob>> jobs;
  jobs.reserve(shards.size());
  for (const unsigned shard : shards) jobs.push_back(access_.make_job(chunk == nullptr ? nullptr : &chunk->set, shard));
  auto fan = std::make_shared<Fan>(chunk, std::move(jobs));
  for (const auto& job : fan->jobs) {
    const bool posted = job->shard->drive->post([fan, job] {
      job->run();
      fan->one_ended();
    });
    if (posted) continue;
    job->refused();
    fan->overloaded = true;
    fan->one_ended();
  }
  return fan;
}

Task<Status> ReadState::wait_for(FanPtr fan) {
  fan->one_ended();
  core_.wait_watch.begin(fan);
  co_await fan->done;
  core_.wait_watch.end(fan.get());
  for (const auto& job : fan->jobs) {
    if (!job->ended()) {
      log_warning("a shard is given up under a read: its drive went away",
                  {{"blob", blob_.to_string()}, {"drive", job->shard->drive->id().to_string()}});
    }
    access_.settle(fan->chunk == nullptr ? nullptr : &fan->chunk->set, *job);
  }
  if (fan->overloaded) co_return fail(Errc::kOverloaded, "a drive's queue is full");
  co_return Status{};
}

Task<Status> ReadState::check(std::vector<unsigned> shards) {
  std::vector<unsigned> blocking;
  for (const unsigned shard : shards) {
    if (access_.check(shard, Wait::kNo) == Access::kBlocks) blocking.push_back(shard);
  }
  if (!blocking.empty()) CO_CHECK_OK(co_await wait_for(on_drives(nullptr, blocking)));
  for (const unsigned shard : shards) {
    if (access_.check(shard, Wait::kNo) == Access::kReady) continue;
    ReadState* const self = this;
    co_return co_await core_.recovery_pool.run([self] { return self->access_.check_enough(); });
  }
  co_return Status{};
}

FanPtr ReadState::start(const std::shared_ptr<Chunk>& chunk) {
  std::vector<unsigned> reading;
  for (const unsigned shard : chunk->want) {
    if (!chunk->set.shards[shard].tried && access_.drive(shard) != nullptr) reading.push_back(shard);
  }
  return on_drives(chunk, reading);
}

Task<Status> ReadState::load(FanPtr started) {
  const auto chunk = started->chunk;
  CO_CHECK_OK(co_await wait_for(std::move(started)));
  if (complete(*chunk)) co_return Status{};
  const auto self = shared_from_this();
  co_return co_await core_.recovery_pool.run([self, chunk] { return self->access_.load(chunk->set, chunk->want); });
}

ByteView ReadState::view(Chunk& chunk) {
  const RecordLayout& layout = access_.layout();
  const std::uint64_t stripe_bytes = layout.stripe_bytes();
  const std::uint64_t first = chunk.set.first;
  const std::size_t length = chunk.end - chunk.begin;
  core_.read_bytes.add(static_cast<double>(length));
  if (layout.code().data == 1) {
    return chunk.set.shards[0].blocks.view().subspan(chunk.begin - first * stripe_bytes, length);
  }
  if (chunk.want.size() == 1 && chunk.set.count == 1) {
    const std::size_t block = layout.block_bytes(first);
    const std::uint64_t at = chunk.begin - first * stripe_bytes - chunk.want[0] * block;
    return chunk.set.shards[chunk.want[0]].blocks.view().subspan(at, length);
  }
  const std::size_t capacity = chunk.set.count * stripe_bytes;
  if (joined_.capacity() < capacity) joined_ = Buffer(capacity);
  joined_.resize(capacity);
  for (unsigned i = 0; i < chunk.set.count; ++i) {
    const std::size_t block = layout.block_bytes(first + i);
    for (const unsigned shard : chunk.want) {
      std::memcpy(joined_.data() + i * stripe_bytes + shard * block,
                  chunk.set.shards[shard].blocks.data() + StripeSet::at(i), block);
    }
  }
  return joined_.view().subspan(chunk.begin - first * stripe_bytes, length);
}

class VolumeReader final : public Reader {
 public:
  VolumeReader(std::shared_ptr<ReadState> state, const Clock& clock, std::uint64_t begin, std::uint64_t end,
               Deadline deadline)
      : state_(std::move(state)), clock_(clock), at_(begin), end_(end), deadline_(deadline) {}

  Task<Result<ByteView>> read() override {
    if (deadline_.passed(clock_)) co_return fail(Errc::kTimeout, "reading took longer than allowed");
    if (at_ == end_) co_return ByteView{};
    // A shard is read by one at a time: what was being read ahead at a rest ends first.
    if (left_behind_ != nullptr) static_cast<void>(co_await state_->wait_for(std::exchange(left_behind_, nullptr)));
    ReadAhead now = std::move(ahead_);
    ahead_ = {};
    if (now.chunk == nullptr) {
      now.chunk = std::move(spare_);
      if (now.chunk == nullptr) now.chunk = std::make_shared<Chunk>();
      state_->plan(*now.chunk, at_, end_, most_);
      if (!state_->load_now(*now.chunk)) {
        cold_ = true;
        CO_CHECK_OK(co_await state_->load(state_->start(now.chunk)));
      }
    } else {
      CO_CHECK_OK(co_await state_->load(now.started));
    }
    spare_ = std::move(current_);
    current_ = std::move(now.chunk);
    at_ = current_->end;
    // Where memory did not have it the drives fetch the next piece while the caller works on this one.
    if (cold_ && at_ < end_ && most_ >= kLeastReadAheadBytes) read_ahead();
    co_return state_->view(*current_);
  }

  void read_at_most(std::uint64_t bytes) override { most_ = std::min(bytes, kChunkBytes); }

  void rest_at(std::uint64_t offset) override {
    if (ahead_.started != nullptr) {
      for (const auto& job : ahead_.started->jobs) job->forget();
      left_behind_ = std::move(ahead_.started);
    }
    ahead_ = {};
    current_.reset();
    spare_.reset();
    state_->forget_view();
    at_ = std::min(offset, end_);
  }

 private:
  struct ReadAhead {
    std::shared_ptr<Chunk> chunk;
    FanPtr started;
  };

  void read_ahead() {
    ahead_.chunk = std::move(spare_);
    if (ahead_.chunk == nullptr) ahead_.chunk = std::make_shared<Chunk>();
    state_->plan(*ahead_.chunk, at_, end_, most_);
    ahead_.started = state_->start(ahead_.chunk);
  }

  const std::shared_ptr<ReadState> state_;
  const Clock& clock_;
  std::uint64_t at_;
  const std::uint64_t end_;
  const Deadline deadline_;
  std::uint64_t most_ = kChunkBytes;
  bool cold_ = false;
  FanPtr left_behind_;  // of what was read ahead and is not wanted any more
  ReadAhead ahead_;
  std::shared_ptr<Chunk> current_;  // what the last view points into
  std::shared_ptr<Chunk> spare_;
};

}  // namespace

Task<Result<std::unique_ptr<Reader>>> open_volume_reader(StoreCore& core, ShardedBlob ref, std::uint64_t offset,
                                                         std::uint64_t length, Deadline deadline, ShardSet without) {
  CO_CHECK_OK(valid_ref(ref));
  if (offset > ref.size_bytes || length > ref.size_bytes - offset) {
    co_return fail(Errc::kInvalidArgument, "the range ends behind the blob");
  }
  const std::vector<ShardPlace> being_released = core.releases.pin(ref.id);
  const auto state = std::make_shared<ReadState>(core, ref);
  for (unsigned i = 0; i < ref.shards.size(); ++i) {
    if (std::find(being_released.begin(), being_released.end(), ref.shards[i]) != being_released.end()) {
      state->access().forbid(i);
    } else if (((without >> i) & 1U) != 0) {
      state->access().leave_out(i);
    }
  }
  std::vector<unsigned> first_shards{0};
  if (length > 0) {
    Chunk first;
    state->plan(first, offset, offset + length, kChunkBytes);
    first_shards = first.want;
  }
  CO_CHECK_OK(co_await state->check(std::move(first_shards)));
  co_return std::make_unique<VolumeReader>(state, core.clock, offset, offset + length, deadline);
}

}  // namespace andromede::blob
