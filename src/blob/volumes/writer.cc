#include "blob/volumes/writer.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "blob/volumes/erasure.h"
#include "blob/volumes/maintenance.h"
#include "crypto/digest.h"

namespace andromede::blob {
namespace {

// Buffers of one shard that the drive has not taken yet; write() waits beyond.
constexpr unsigned kMaxInFlight = 2;
// Blocks gathered for one write over all shards: bounds a writer's memory to kMaxInFlight + 1 times as much.
constexpr unsigned kGatherBlocks = 8;
// How often other drives are chosen for shards that found no room.
constexpr unsigned kMostChoices = 4;

// One shard's record while it is written. Fields up to `region` belong to the writing task; the rest is guarded by the
// WriteState's mutex.
struct ShardStream {
  DriveVolumes* drive = nullptr;  // null: this shard was lost before it began
  Buffer buffer;
  std::uint64_t buffer_begin = 0;  // of the buffer's first byte in the record
  unsigned blocks = 0;             // in the buffer
  Bytes checksums;                 // of the group under way
  std::uint32_t blocks_checksum = 0;
  Bytes first_page;  // kept once written: it is written again, with the seal, when all else is
  Region region;

  bool ended = false;  // the last buffer is posted
  bool failed = false;
  bool durable = false;
  bool settled = false;    // durable, or failed with nothing under way that anybody waits for
  bool abandoned = false;  // its space is given back, or is being
  unsigned in_flight = 0;
};

unsigned durable_shards(const ShardedBlob& ref) {
  return static_cast<unsigned>(std::count_if(ref.shards.begin(), ref.shards.end(),
                                             [](const ShardPlace& place) { return !place.drive.is_none(); }));
}

// Shared by the Writer and the jobs that it posts: the last of them ends it.
class WriteState final : public WaitWatch::Waiter, public std::enable_shared_from_this<WriteState> {
 public:
  WriteState(StoreCore& core, BlobId id, const Target& target, std::uint64_t declared, Deadline deadline)
      : core_(core),
        id_(id),
        policy_(target.policy),
        deadline_(deadline),
        replacer_(target.replacer),
        layout_(target.code, declared),
        erasure_(target.code),
        streams_(target.code.total()),
        regions_(target.code.total()) {
    core_.writer_begins(id_);
  }
  WriteState(const WriteState&) = delete;
  WriteState& operator=(const WriteState&) = delete;
  ~WriteState() override {
    for (ShardStream& stream : streams_) core_.give_back(std::move(stream.buffer));
    core_.writer_ends(id_);
  }

  Task<Status> reserve(std::vector<DriveId> drives);
  Task<Status> write(ByteView data);
  Task<Result<ShardedBlob>> finish();
  void abort();
  void look() override;

 private:
  [[nodiscard]] unsigned total() const { return layout_.code().total(); }
  // How many shards must be durable in the end: one may be lost where there is parity for it and one more.
  [[nodiscard]] unsigned needed() const {
    return layout_.code().parity == 0 ? layout_.code().data : layout_.code().data + 1U;
  }
  // How many a write goes on with: all others can be rebuilt from as many as there are data shards.
  [[nodiscard]] unsigned needed_to_go_on() const { return replacer_ == nullptr ? needed() : layout_.code().data; }
  [[nodiscard]] unsigned buffer_blocks() const {
    unsigned blocks = kGatherBlocks;
    while (blocks > 1 && blocks * total() > kGatherBlocks) blocks /= 2;
    return blocks;
  }
  // A page for the head or for what the buffer before left over, and one for the checksums and for filling up.
  static std::size_t buffer_bytes(unsigned blocks) { return kPageBytes + blocks * kBlockBytes + kPageBytes; }
  Task<void> reserve_on(std::vector<unsigned> shards, std::vector<DriveId> drives);
  bool note_full_drives();
  [[nodiscard]] bool is_full(unsigned shard) const;
  [[nodiscard]] std::vector<unsigned> to_place_anew() const;
  Result<std::vector<DriveId>> choose_others();
  void reserved(unsigned shard, Result<Region> region);
  void begin_record(unsigned shard);
  void place_last_stripe(std::size_t block_bytes);
  void complete_blocks(std::size_t block_bytes);
  void append_checksums(ShardStream& stream);
  void post_buffer(unsigned shard, std::optional<RecordSeal> seal);
  void written(unsigned shard, Status status);
  void synced(unsigned shard, Status status);
  void lose(unsigned shard, const Error& error);
  Status enough_left();
  ShardedBlob take_shards();
  Status replace_lost_shards(ShardedBlob& ref);
  Status rebuild_lost_shards(ShardedBlob& ref);
  void wake(std::unique_lock<std::mutex>& lock);
  void settle(unsigned shard);
  void post_abandon(unsigned shard);
  // What a wait ends with, of every shard. A shard whose drive has gone, or that is late, is lost, so that the wait
  // ends whether the drive answers or not.
  enum class Until : std::uint8_t {
    kReserved,  // its region is, or cannot be
    kRoom,      // it takes another buffer, or failed
    kSettled,
  };
  Task<void> wait(Until until);
  [[nodiscard]] bool reached(Until until, unsigned shard) const;
  [[nodiscard]] bool reached(Until until) const;

  StoreCore& core_;
  const BlobId id_;
  const PolicyId policy_;
  const Deadline deadline_;
  Replacer* const replacer_;
  const RecordLayout layout_;  // of the declared size
  const ErasureCode erasure_;
  std::uint64_t taken_ = 0;      // bytes of the blob
  std::size_t stripe_fill_ = 0;  // bytes of the stripe under way
  std::uint64_t stripe_ = 0;
  std::uint64_t used_bytes_ = 0;  // of each record, once finished
  std::vector<DriveId> refused_;  // had no room, or failed: not to be chosen again

  std::mutex mutex_;
  std::vector<ShardStream> streams_;
  std::optional<Error> first_error_;
  bool aborted_ = false;
  std::vector<std::optional<Result<Region>>> regions_;  // nullopt: being reserved
  Until waits_until_ = Until::kReserved;
  OneShot<bool>* waiter_ = nullptr;
};

// --- reserving

Task<Status> WriteState::reserve(std::vector<DriveId> drives) {
  std::vector<unsigned> shards(total());
  std::iota(shards.begin(), shards.end(), 0U);
  co_await reserve_on(shards, std::move(drives));
  // A drive may have filled up since the caller chose, and another that is chosen in its place as well.
  for (unsigned tries = 0; replacer_ != nullptr && tries < kMostChoices && note_full_drives(); ++tries) {
    shards = to_place_anew();
    auto others = co_await core_.recovery_pool.run([self = shared_from_this()] { return self->choose_others(); });
    if (!others) break;
    co_await reserve_on(shards, *std::move(others));
  }
  std::optional<Error> refusal;
  for (unsigned i = 0; i < total(); ++i) {
    const Result<Region>& region = *regions_[i];
    if (region) {
      streams_[i].region = *region;
      continue;
    }
    // A full drive or queue is no failure of the drive: the caller comes again.
    if (region.error() == Errc::kNoSpace || region.error() == Errc::kOverloaded) refusal = region.error();
    lose(i, region.error());
    streams_[i].abandoned = true;
  }
  if (refusal) co_return fail(*refusal);
  CO_CHECK_OK(enough_left());
  for (unsigned i = 0; i < total(); ++i) begin_record(i);
  co_return Status{};
}

// Of these shards only; what was answered of them before is forgotten.
Task<void> WriteState::reserve_on(std::vector<unsigned> shards, std::vector<DriveId> drives) {
  const std::uint64_t bytes = layout_.used_bytes();
  std::vector<unsigned> slow;
  for (const unsigned i : shards) {
    DriveVolumes* const drive = core_.online_drive(drives[i]);
    streams_[i].drive = drive;
    regions_[i].reset();
    if (drive == nullptr) {
      regions_[i] = fail(Errc::kUnavailable, "drive " + drives[i].to_string() + " is offline");
    } else if (auto region = drive->reserve_in_memory(bytes)) {
      regions_[i] = *std::move(region);
    } else {
      slow.push_back(i);
    }
  }
  for (const unsigned i : slow) {
    DriveVolumes* const drive = streams_[i].drive;
    const bool posted =
        drive->post([self = shared_from_this(), drive, i, bytes] { self->reserved(i, drive->reserve(bytes)); });
    if (!posted) reserved(i, fail(Errc::kOverloaded, "the drive's queue is full"));
  }
  co_await wait(Until::kReserved);
}

// False: no drive was.
bool WriteState::note_full_drives() {
  const std::size_t before = refused_.size();
  for (unsigned i = 0; i < total(); ++i) {
    if (is_full(i)) refused_.push_back(streams_[i].drive->id());
  }
  return refused_.size() > before;
}

bool WriteState::is_full(unsigned shard) const {
  return !*regions_[shard] && regions_[shard]->error() == Errc::kNoSpace;
}

// Of the others without a region something may be under way still.
std::vector<unsigned> WriteState::to_place_anew() const {
  std::vector<unsigned> shards;
  for (unsigned i = 0; i < total(); ++i) {
    if (is_full(i) || streams_[i].drive == nullptr) shards.push_back(i);
  }
  return shards;
}

// For the shards that have no region. Blocks.
Result<std::vector<DriveId>> WriteState::choose_others() {
  std::vector<std::optional<DriveId>> kept(total());
  for (unsigned i = 0; i < total(); ++i) {
    if (*regions_[i]) kept[i] = streams_[i].drive->id();
  }
  return replacer_->replace(policy_, kept, refused_, layout_.used_bytes());
}

void WriteState::reserved(unsigned shard, Result<Region> region) {
  {
    std::unique_lock lock(mutex_);
    if (!regions_[shard]) {
      regions_[shard] = std::move(region);
      return wake(lock);
    }
  }
  // Nobody waits for it any more.
  DriveVolumes* const drive = streams_[shard].drive;
  if (region && drive->online()) drive->abandon(*region);
}

void WriteState::begin_record(unsigned shard) {
  ShardStream& stream = streams_[shard];
  // k > 1 fills whole blocks even of a short last stripe, and spreads them at the end.
  const bool one_short_block = layout_.code().data == 1 && layout_.stripes() == 1;
  stream.buffer = core_.staging_buffer(one_short_block ? layout_.used_bytes()
                                                       : buffer_bytes(static_cast<unsigned>(std::min<std::uint64_t>(
                                                             buffer_blocks(), layout_.stripes()))));
  stream.buffer.resize(kHeadBytes);
  std::memset(stream.buffer.data(), 0, kHeadBytes);
  if (stream.region.file == nullptr) return;
  const auto header = encode(RecordHeader{.blob = id_,
                                          .shard = shard,
                                          .code = layout_.code(),
                                          .volume = stream.region.volume->number,
                                          .offset = stream.region.offset,
                                          .region_bytes = stream.region.bytes,
                                          .declared_bytes = layout_.size_bytes(),
                                          .session = core_.session,
                                          .created_ms = core_.clock.now().ms});
  std::memcpy(stream.buffer.data(), header.data(), header.size());
}

// --- taking bytes

Task<Status> WriteState::write(ByteView data) {
  if (data.size() > layout_.size_bytes() - taken_) {
    co_return fail(Errc::kInvalidArgument, "more bytes than were announced");
  }
  while (!data.empty()) {
    const std::size_t at = stripe_fill_ % kBlockBytes;
    const std::size_t count = std::min(data.size(), kBlockBytes - at);
    std::memcpy(streams_[stripe_fill_ / kBlockBytes].buffer.tail().data() + at, data.data(), count);
    data = data.subspan(count);
    stripe_fill_ += count;
    taken_ += count;
    if (stripe_fill_ < layout_.stripe_bytes()) continue;
    complete_blocks(kBlockBytes);
    const bool group_ends = stripe_ % kGroupBlocks == 0;
    if (streams_[0].blocks == buffer_blocks() || group_ends) {
      co_await wait(Until::kRoom);
      CO_CHECK_OK(enough_left());
      for (unsigned i = 0; i < total(); ++i) {
        if (group_ends) append_checksums(streams_[i]);
        post_buffer(i, std::nullopt);
      }
    }
  }
  co_return Status{};
}

// The bytes of the stripe under way lie at the tail of each data shard's buffer, and become a block there.
void WriteState::complete_blocks(std::size_t block_bytes) {
  const Code code = layout_.code();
  std::vector<const std::uint8_t*> data;
  std::vector<std::uint8_t*> parity;
  for (unsigned i = 0; i < total(); ++i) {
    std::uint8_t* const block = streams_[i].buffer.tail().data();
    if (i < code.data) {
      data.push_back(block);
    } else {
      parity.push_back(block);
    }
  }
  erasure_.encode(block_bytes, data, parity);
  for (unsigned i = 0; i < total(); ++i) {
    ShardStream& stream = streams_[i];
    ByteWriter(stream.checksums)
        .u32(block_checksum(id_, i, stripe_, ByteView(stream.buffer.tail().data(), block_bytes)));
    stream.buffer.grow(block_bytes);
    ++stream.blocks;
  }
  ++stripe_;
  stripe_fill_ = 0;
}

// The last stripe was filled as if its blocks were whole: spreads it over blocks of their final size.
void WriteState::place_last_stripe(std::size_t block_bytes) {
  const unsigned k = layout_.code().data;
  if (k == 1 || block_bytes == kBlockBytes) {
    // Whole blocks keep their place; the last one may want its end filled.
    const std::size_t end = std::size_t{k} * block_bytes;
    for (std::size_t at = stripe_fill_; at < end;) {
      const std::size_t in_block = at % kBlockBytes;
      const std::size_t count = std::min(end - at, kBlockBytes - in_block);
      std::memset(streams_[at / kBlockBytes].buffer.tail().data() + in_block, 0, count);
      at += count;
    }
    return;
  }
  Bytes bytes(std::size_t{k} * block_bytes);  // zeros behind the end
  for (std::size_t at = 0; at < stripe_fill_; at += kBlockBytes) {
    std::memcpy(bytes.data() + at, streams_[at / kBlockBytes].buffer.tail().data(),
                std::min(kBlockBytes, stripe_fill_ - at));
  }
  for (unsigned i = 0; i < k; ++i) {
    std::memcpy(streams_[i].buffer.tail().data(), bytes.data() + i * block_bytes, block_bytes);
  }
}

void WriteState::append_checksums(ShardStream& stream) {
  stream.blocks_checksum = crypto::crc32c(stream.blocks_checksum, stream.checksums);
  stream.buffer.append(stream.checksums);
  stream.checksums.clear();
}

// --- drives

// Writes of whole pages: what is beyond the last one goes to the front of the next buffer, or is filled up at the end.
void WriteState::post_buffer(unsigned shard, std::optional<RecordSeal> seal) {
  ShardStream& stream = streams_[shard];
  stream.blocks = 0;
  {
    const std::lock_guard lock(mutex_);
    if (stream.failed) {
      stream.buffer.clear();  // goes on as the scratch of its stripes' code
      return;
    }
    ++stream.in_flight;
    stream.ended = seal.has_value();
  }
  Buffer next;
  if (seal) {
    const std::size_t filled = round_up(stream.buffer.size(), kPageBytes) - stream.buffer.size();
    std::memset(stream.buffer.tail().data(), 0, filled);
    stream.buffer.grow(filled);
  } else {
    next = core_.staging_buffer(buffer_bytes(buffer_blocks()));
    const std::size_t rest = stream.buffer.size() % kPageBytes;
    next.append(stream.buffer.view().last(rest));
    stream.buffer.resize(stream.buffer.size() - rest);
  }
  const bool holds_head = stream.buffer_begin == 0;
  if (seal) {
    const auto encoded = encode(*seal);
    std::memcpy((holds_head ? stream.buffer.data() : stream.first_page.data()) + kHeaderBytes, encoded.data(),
                encoded.size());
  } else if (holds_head) {
    stream.first_page = to_bytes(stream.buffer.view().first(kPageBytes));
  }
  const std::uint64_t at = stream.buffer_begin;
  stream.buffer_begin += stream.buffer.size();
  // A std::function is copied, a Buffer is not.
  const auto bytes = std::make_shared<Buffer>(std::move(stream.buffer));
  stream.buffer = std::move(next);
  const bool posted = stream.drive->post([self = shared_from_this(), shard, at, bytes] {
    const ShardStream& writing = self->streams_[shard];
    Status status;
    if (!bytes->empty()) status = writing.drive->make_room(writing.region, at + bytes->size());
    if (status && !bytes->empty()) {
      status = writing.region.file->write_at(writing.region.offset + at, bytes->view());
    }
    self->core_.give_back(std::move(*bytes));
    self->written(shard, std::move(status));
  });
  if (!posted) written(shard, fail(Errc::kOverloaded, "the drive's queue is full"));
}

void WriteState::written(unsigned shard, Status status) {
  ShardStream& stream = streams_[shard];
  if (!status && status.error() != Errc::kOverloaded && status.error() != Errc::kNoSpace) {
    stream.drive->report(*stream.region.volume, status.error());
  }
  bool sync = false;
  {
    std::unique_lock lock(mutex_);
    --stream.in_flight;
    if (!status) {
      stream.failed = true;
      if (!first_error_) first_error_ = status.error();
    }
    if (stream.in_flight == 0) {
      sync = stream.ended && !stream.failed && !aborted_;
      if (sync) {
        ++stream.in_flight;
      } else if (stream.failed) {
        settle(shard);
      } else if (aborted_) {
        post_abandon(shard);
      }
    }
    if (!sync) wake(lock);
  }
  if (sync) {
    // A drive's jobs run side by side: only now can no other write of the first page come after the seal.
    if (!stream.first_page.empty()) {
      Status sealed = stream.region.file->write_at(stream.region.offset, std::exchange(stream.first_page, {}));
      if (!sealed) return written(shard, std::move(sealed));
    }
    stream.drive->post_sync(stream.region.volume, [self = shared_from_this(), shard](Status synced_status) {
      self->synced(shard, std::move(synced_status));
    });
  }
}

void WriteState::synced(unsigned shard, Status status) {
  ShardStream& stream = streams_[shard];
  // An open file of a drive that was taken away still syncs.
  if (status && !stream.drive->online()) status = fail(Errc::kIo, "the drive went away");
  std::unique_lock lock(mutex_);
  --stream.in_flight;
  if (status) {
    // One that was given up meanwhile stays so: its place in the ref has been decided.
    stream.durable = !stream.failed;
  } else {
    stream.failed = true;
    if (!first_error_) first_error_ = status.error();
  }
  settle(shard);
  wake(lock);
}

// The mutex is held by the caller of these.
void WriteState::settle(unsigned shard) {
  streams_[shard].settled = true;
  if (streams_[shard].failed || aborted_) post_abandon(shard);
}

void WriteState::post_abandon(unsigned shard) {
  ShardStream& stream = streams_[shard];
  if (std::exchange(stream.abandoned, true) || stream.region.file == nullptr) return;
  // When the queue is full the record stays behind as an orphan, and is reclaimed.
  const bool posted = stream.drive->post([self = shared_from_this(), shard] {
    const ShardStream& gone = self->streams_[shard];
    if (gone.drive->online()) gone.drive->abandon(gone.region);
  });
  if (!posted) log_warning("an aborted upload's space waits for reclaim", {{"blob", id_.to_string()}});
}

void WriteState::lose(unsigned shard, const Error& error) {
  const std::lock_guard lock(mutex_);
  streams_[shard].failed = true;
  streams_[shard].settled = true;
  if (!first_error_) first_error_ = error;
}

Status WriteState::enough_left() {
  const std::lock_guard lock(mutex_);
  unsigned left = 0;
  for (const ShardStream& stream : streams_) left += stream.failed ? 0 : 1;
  if (left >= needed_to_go_on()) return {};
  if (total() == 1 || *first_error_ == Errc::kNoSpace || *first_error_ == Errc::kOverloaded) return fail(*first_error_);
  return fail(Errc::kUnavailable, std::to_string(left) + " of " + std::to_string(total()) + " shards can be written, " +
                                      std::to_string(needed_to_go_on()) +
                                      " are needed; the first failure: " + first_error_->describe());
}

// --- waiting

bool WriteState::reached(Until until, unsigned shard) const {
  const ShardStream& stream = streams_[shard];
  switch (until) {
    case Until::kReserved:
      return regions_[shard].has_value();
    case Until::kRoom:
      return stream.failed || stream.in_flight < kMaxInFlight;
    case Until::kSettled:
      return stream.settled;
  }
  return false;
}

bool WriteState::reached(Until until) const {
  for (unsigned i = 0; i < total(); ++i) {
    if (!reached(until, i)) return false;
  }
  return true;
}

void WriteState::wake(std::unique_lock<std::mutex>& lock) {
  if (waiter_ == nullptr || !reached(waits_until_)) return;
  OneShot<bool>* const waiter = std::exchange(waiter_, nullptr);
  lock.unlock();
  waiter->set(true);
}

Task<void> WriteState::wait(Until until) {
  OneShot<bool> woken;
  {
    const std::lock_guard lock(mutex_);
    if (reached(until)) co_return;
    waits_until_ = until;
    waiter_ = &woken;
  }
  core_.wait_watch.begin(shared_from_this());
  co_await woken;
  core_.wait_watch.end(this);
}

void WriteState::look() {
  std::unique_lock lock(mutex_);
  if (waiter_ == nullptr) return;
  std::vector<DriveVolumes*> waited_for;
  for (unsigned i = 0; i < total(); ++i) {
    if (!reached(waits_until_, i)) waited_for.push_back(streams_[i].drive);
  }
  lock.unlock();
  for (DriveVolumes* const drive : waited_for) drive->look();
  lock.lock();
  if (waiter_ == nullptr) return;
  const bool late = deadline_.passed(core_.clock);
  for (unsigned i = 0; i < total(); ++i) {
    if (reached(waits_until_, i)) continue;
    ShardStream& stream = streams_[i];
    const bool reserving = waits_until_ == Until::kReserved;
    const bool there = reserving ? stream.drive->online() : stream.drive->serves(*stream.region.volume);
    if (there && !late) continue;
    const std::string drive = "drive " + stream.drive->id().to_string();
    const Error error = there ? Error(make_error_code(Errc::kTimeout), drive + " did not take its shard in time")
                              : Error(make_error_code(Errc::kUnavailable), drive + " went away and took its shard");
    log_warning("a shard is given up under a write", {{"blob", id_.to_string()}, {"error", error.describe()}});
    if (reserving) {
      regions_[i] = fail(error);
      continue;
    }
    // What is under way ends by itself, or never, and finds the shard failed.
    stream.failed = true;
    stream.settled = true;
    if (!first_error_) first_error_ = error;
  }
  wake(lock);
}

// --- ending

Task<Result<ShardedBlob>> WriteState::finish() {
  const RecordLayout final_layout(layout_.code(), taken_);
  used_bytes_ = final_layout.used_bytes();
  if (stripe_fill_ > 0) {
    const std::size_t block_bytes = final_layout.block_bytes(stripe_);
    place_last_stripe(block_bytes);
    complete_blocks(block_bytes);
  }
  co_await wait(Until::kRoom);
  CO_CHECK_OK(enough_left());
  for (unsigned i = 0; i < total(); ++i) {
    append_checksums(streams_[i]);
    post_buffer(i, RecordSeal{.blob = id_,
                              .size_bytes = taken_,
                              .used_bytes = used_bytes_,
                              .blocks_checksum = streams_[i].blocks_checksum,
                              .sealed_ms = core_.clock.now().ms});
  }
  co_await wait(Until::kSettled);
  CO_CHECK_OK(enough_left());

  ShardedBlob ref = take_shards();
  if (durable_shards(ref) < needed()) {
    const Status replaced =
        co_await core_.recovery_pool.run([self = shared_from_this(), &ref] { return self->replace_lost_shards(ref); });
    if (!replaced) {
      for (unsigned i = 0; i < total(); ++i) core_.releases.release(id_, i, ref.shards[i]);
      co_return fail(replaced.error());
    }
  }
  core_.written_bytes.add(static_cast<double>(taken_));
  if (durable_shards(ref) < total()) ++core_.short_writes;
  co_return ref;
}

// Names the durable shards, which are the caller's from then on.
ShardedBlob WriteState::take_shards() {
  ShardedBlob ref{.id = id_, .size_bytes = taken_, .policy = policy_, .code = layout_.code(), .shards = {}};
  ref.shards.reserve(total());
  // The sync of a shard that was given up may end only now.
  const std::lock_guard lock(mutex_);
  for (unsigned i = 0; i < total(); ++i) {
    ShardStream& stream = streams_[i];
    if (!stream.durable) {
      ref.shards.push_back({});
      continue;
    }
    stream.abandoned = true;  // it belongs to the ref now
    ref.shards.push_back(
        {.drive = stream.drive->id(), .volume = stream.region.volume->number, .offset = stream.region.offset});
    if (used_bytes_ < stream.region.bytes || stream.region.grows) {
      // When the queue is full the rest is given back with the record.
      static_cast<void>(stream.drive->post([self = shared_from_this(), i] {
        self->streams_[i].drive->trim(self->streams_[i].region, self->used_bytes_);
      }));
    }
  }
  return ref;
}

// Blocks. Whether it fails or not, `ref` names what is durable.
Status WriteState::replace_lost_shards(ShardedBlob& ref) {
  Status status;
  // A drive chosen anew may fail like the first.
  for (unsigned tries = 0; tries < total() && durable_shards(ref) < needed(); ++tries) {
    status = rebuild_lost_shards(ref);
  }
  if (durable_shards(ref) < needed()) {
    const bool full = first_error_ && *first_error_ == Errc::kNoSpace;
    return fail(full ? Errc::kNoSpace : Errc::kUnavailable,
                std::to_string(durable_shards(ref)) + " of " + std::to_string(total()) + " shards were written, " +
                    std::to_string(needed()) +
                    " are needed, and no more could be rebuilt elsewhere: " + status.error().describe());
  }
  log_info("drives failed under a write; it was completed on others",
           {{"blob", id_.to_string()}, {"shards", durable_shards(ref)}});
  return {};
}

// Fails unless every lost shard was rebuilt.
Status WriteState::rebuild_lost_shards(ShardedBlob& ref) {
  std::vector<std::optional<DriveId>> kept(total());
  for (unsigned i = 0; i < total(); ++i) {
    if (core_.online_drive(ref.shards[i].drive) != nullptr) {
      kept[i] = ref.shards[i].drive;
    } else {
      core_.releases.release(id_, i, std::exchange(ref.shards[i], {}));
      if (streams_[i].drive != nullptr) refused_.push_back(streams_[i].drive->id());
    }
  }
  TRY(const auto drives, replacer_->replace(policy_, kept, refused_, used_bytes_));
  Status status;
  for (unsigned i = 0; i < total(); ++i) {
    if (kept[i]) continue;
    if (drives[i].is_none()) {
      status = fail(Errc::kUnavailable, "no drive is left for a lost shard");
    } else if (const auto place = copy_shard(core_, ref, i, drives[i], {})) {
      ref.shards[i] = *place;
      core_.repaired.add();
    } else {
      status = fail(place.error());
      refused_.push_back(drives[i]);
    }
  }
  return status;
}

void WriteState::abort() {
  const std::lock_guard lock(mutex_);
  aborted_ = true;
  for (unsigned i = 0; i < total(); ++i) {
    if (streams_[i].in_flight == 0) post_abandon(i);
  }
}

class VolumeWriter final : public Writer {
 public:
  VolumeWriter(std::shared_ptr<WriteState> state, const Clock& clock, Deadline deadline)
      : state_(std::move(state)), clock_(clock), deadline_(deadline) {}
  VolumeWriter(const VolumeWriter&) = delete;
  VolumeWriter& operator=(const VolumeWriter&) = delete;
  ~VolumeWriter() override { state_->abort(); }

  Task<Status> write(ByteView data) override {
    if (failed_) co_return fail(*failed_);
    if (deadline_.passed(clock_)) co_return keep(fail(Errc::kTimeout, "storing took longer than allowed"));
    co_return keep(co_await state_->write(data));
  }

  Task<Result<BlobRef>> finish() override {
    if (failed_) co_return fail(*failed_);
    if (deadline_.passed(clock_)) co_return fail(Errc::kTimeout, "storing took longer than allowed");
    const auto blob = co_await state_->finish();
    failed_ = blob ? Error(make_error_code(Errc::kInvalidArgument), "the blob is finished") : blob.error();
    if (!blob) co_return fail(blob.error());
    co_return ref_of(*blob);
  }

 private:
  // Bytes that a failed write() took in part are no blob: every later call fails too.
  Status keep(Status status) {
    if (!status) failed_ = status.error();
    return status;
  }
  const std::shared_ptr<WriteState> state_;
  const Clock& clock_;
  const Deadline deadline_;
  std::optional<Error> failed_;
};

}  // namespace

Task<Result<std::unique_ptr<Writer>>> open_volume_writer(StoreCore& core, BlobId id, Target target,
                                                         std::uint64_t size_bytes, Deadline deadline) {
  if (id.is_none()) co_return fail(Errc::kInvalidArgument, "a blob has an id");
  if (!RecordLayout::valid(target.code, size_bytes) || target.drives.size() != target.code.total()) {
    co_return fail(Errc::kInvalidArgument, "no such code, no drive for each shard, or more bytes than a blob may have");
  }
  if (deadline.passed(core.clock)) co_return fail(Errc::kTimeout, "storing took longer than allowed");
  auto state = std::make_shared<WriteState>(core, id, target, size_bytes, deadline);
  auto writer = std::make_unique<VolumeWriter>(state, core.clock, deadline);
  CO_CHECK_OK(co_await state->reserve(std::move(target.drives)));
  co_return std::unique_ptr<Writer>(std::move(writer));
}

}  // namespace andromede::blob
