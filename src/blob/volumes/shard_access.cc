#include "blob/volumes/shard_access.h"

#include <bit>

#include "base/check.h"

namespace andromede::blob {
namespace {

std::size_t bytes_of(const RecordLayout& layout, std::uint64_t first, unsigned count) {
  return StripeSet::at(count - 1) + layout.block_bytes(first + count - 1);
}

}  // namespace

Status valid_ref(const ShardedBlob& ref) {
  if (ref.id.is_none() || !RecordLayout::valid(ref.code, ref.size_bytes) || ref.shards.size() != ref.code.total()) {
    return fail(Errc::kInvalidArgument, "a blob ref names an id, a code and a place for each shard");
  }
  return {};
}

// --- one shard

Access ShardSource::check(Wait wait) {
  if (access != Access::kUnchecked) return access;
  if (file_ == nullptr) file_ = drive->cached_file(place_.volume);
  if (file_ == nullptr) {
    if (wait == Wait::kNo) return Access::kBlocks;
    auto file = drive->file(place_.volume);
    overloaded = !file && file.error() == Errc::kOverloaded;
    if (overloaded) return Access::kOverloaded;
    if (!file && file.error() == Errc::kUnavailable) return access = Access::kOffline;
    if (!file && file.error() == Errc::kNotFound) return access = Access::kGone;
    if (!file) return access = Access::kUnreadable;
    file_ = *std::move(file);
  }
  overloaded = false;
  std::array<std::uint8_t, kHeadBytes> bytes{};
  auto got = file_->read_at_nowait(place_.offset, bytes);
  if (!got || *got < bytes.size()) {
    if (wait == Wait::kNo) return Access::kBlocks;
    got = file_->read_at(place_.offset, bytes);
  }
  // A head that the drive cannot read may still have blocks that it can.
  if (!got) {
    head_damaged = true;
    return access = Access::kReady;
  }
  auto decoded = decode_head(ByteView(bytes).first(*got), place_.volume, place_.offset);
  if (!decoded) {
    if (decoded.error() == Errc::kNotFound || *got < bytes.size()) return access = Access::kGone;
    head_damaged = true;
  } else if (decoded->header.blob != blob_ || decoded->header.shard != index_ ||
             decoded->header.code != layout_.code()) {
    return access = Access::kGone;
  } else {
    head_damaged = !decoded->seal || decoded->seal->size_bytes != layout_.size_bytes();
    head = *decoded;
  }
  return access = Access::kReady;
}

bool ShardSource::read(StripeSet::Shard& into, std::uint64_t first, unsigned count, Wait wait) {
  const Access found = check(wait);
  if (found == Access::kBlocks) return false;
  if (found == Access::kOverloaded) return true;
  if (found != Access::kReady) {
    into.tried = true;
    return true;
  }
  const std::uint64_t record = place_.offset;
  const std::uint64_t group = first / kGroupBlocks;
  const std::size_t bytes = bytes_of(layout_, first, count);
  const std::size_t table_bytes = layout_.group_blocks(group) * kChecksumBytes;
  const std::uint64_t begin = layout_.block_offset(first);
  // To the group's end one read gives blocks and checksums together.
  const bool together = begin + bytes == layout_.checksums_offset(group);
  if (into.blocks.capacity() < bytes + table_bytes) into.blocks = Buffer(bytes + table_bytes);
  into.blocks.resize(bytes + (together ? table_bytes : 0));
  std::array<std::uint8_t, kGroupBlocks * kChecksumBytes> table{};

  const auto read_at = [&](std::uint64_t at, MutableByteView out) -> Result<std::size_t> {
    auto got = file_->read_at_nowait(record + at, out);
    // A nowait read may stop short where memory ends.
    if (got && *got == out.size()) return got;
    if (wait == Wait::kNo) return fail(Errc::kUnavailable, "not in memory");
    return file_->read_at(record + at, out);
  };
  auto got = read_at(begin, into.blocks.span());
  if (got && !together) {
    const auto got_table = read_at(layout_.checksums_offset(group), MutableByteView(table).first(table_bytes));
    if (!got_table || *got_table < table_bytes) got = got_table ? Result<std::size_t>(0) : got_table;
  }
  if (!got && wait == Wait::kNo) return false;
  into.tried = true;
  if (!got || *got < into.blocks.size()) {
    // The drive could not read some of it: block by block, the others may still be right.
    if (wait == Wait::kNo) return false;
    std::memset(into.blocks.data(), 0, into.blocks.size());
    into.blocks.resize(bytes);
    const auto got_table =
        file_->read_at(record + layout_.checksums_offset(group), MutableByteView(table).first(table_bytes));
    if (!got_table || *got_table < table_bytes) return true;
    for (unsigned i = 0; i < count; ++i) {
      const std::size_t size = layout_.block_bytes(first + i);
      drive->step();  // each may be tried for seconds
      static_cast<void>(
          file_->read_at(record + begin + StripeSet::at(i), into.blocks.span().subspan(StripeSet::at(i), size)));
    }
    verify(into, first, count, ByteView(table).first(table_bytes));
    return true;
  }
  if (together) {
    std::memcpy(table.data(), into.blocks.data() + bytes, table_bytes);
    into.blocks.resize(bytes);
  }
  verify(into, first, count, ByteView(table).first(table_bytes));
  return true;
}

void ShardSource::verify(StripeSet::Shard& blocks, std::uint64_t first, unsigned count, ByteView checksums) const {
  for (unsigned i = 0; i < count; ++i) {
    const std::uint64_t block = first + i;
    std::uint32_t stored = 0;
    std::memcpy(&stored, checksums.data() + (block % kGroupBlocks) * kChecksumBytes, sizeof stored);
    const ByteView bytes = blocks.blocks.view().subspan(StripeSet::at(i), layout_.block_bytes(block));
    if (block_checksum(blob_, index_, block, bytes) == stored) blocks.good |= 1U << i;
  }
}

void ShardJob::run() {
  // Queued behind what hung, it is nobody's any more.
  if (lost()) return;
  if (count > 0) {
    shard->read(blocks, first, count, Wait::kYes);
  } else {
    shard->check(Wait::kYes);
  }
  State before = State::kUnderWay;
  if (state_.compare_exchange_strong(before, State::kEnded)) return;
  blocks = {};
  state_.store(State::kEnded, std::memory_order_release);
}

void ShardJob::forget() {
  State before = State::kUnderWay;
  if (!state_.compare_exchange_strong(before, State::kForgotten) && before == State::kEnded) blocks = {};
}

// --- all of a blob

ShardAccess::ShardAccess(StoreCore& core, const ShardedBlob& ref)
    : core_(core), ref_(ref), layout_(ref.code, ref.size_bytes), erasure_(ref.code) {
  shards_.reserve(ref_.shards.size());
  for (unsigned i = 0; i < ref_.shards.size(); ++i) {
    DriveVolumes* const drive = ref_.shards[i].drive.is_none() ? nullptr : core_.online_drive(ref_.shards[i].drive);
    Access access = Access::kUnchecked;
    if (drive == nullptr) {
      access = Access::kOffline;
    } else if (core_.distrusts(ref_.id, ref_.shards[i])) {
      access = Access::kUnreadable;
    }
    shards_.push_back(std::make_shared<ShardSource>(ref_, i, drive, access));
  }
}

Access ShardAccess::check(unsigned index, Wait wait) {
  const Access found = shards_[index]->check(Wait::kNo);
  if (found != Access::kBlocks || wait == Wait::kNo) return found;
  wait_for_job(nullptr, index);
  // A check that could not be made decides nothing.
  return shards_[index]->access == Access::kUnchecked ? Access::kOverloaded : shards_[index]->access;
}

void ShardAccess::begin(StripeSet& set, std::uint64_t first, unsigned count) const {
  CHECK(count > 0 && first / kGroupBlocks == (first + count - 1) / kGroupBlocks, "stripes of one group");
  set.first = first;
  set.count = count;
  set.shards.resize(shards_.size());
  for (auto& shard : set.shards) {
    shard.good = 0;
    shard.tried = false;
    shard.blocks.clear();
  }
}

bool ShardAccess::read(StripeSet& set, unsigned index, Wait wait) {
  if (shards_[index]->read(set.shards[index], set.first, set.count, Wait::kNo)) return true;
  if (wait == Wait::kNo) return false;
  wait_for_job(&set, index);
  return true;
}

std::shared_ptr<ShardJob> ShardAccess::make_job(StripeSet* set, unsigned index) {
  auto job = std::make_shared<ShardJob>(shards_[index], index);
  if (set != nullptr) {
    job->first = set->first;
    job->count = set->count;
    job->blocks = std::move(set->shards[index]);
    set->shards[index] = {};
  }
  return job;
}

void ShardAccess::settle(StripeSet* set, ShardJob& job) {
  const bool ended = job.ended();
  if (!ended) shards_[job.index] = std::make_shared<ShardSource>(ref_, job.index, job.shard->drive, Access::kOffline);
  if (set == nullptr) return;
  if (ended) {
    set->shards[job.index] = std::move(job.blocks);
  } else {
    set->shards[job.index].tried = true;
  }
}

void ShardAccess::wait_for_job(StripeSet* set, unsigned index) {
  const auto job = make_job(set, index);
  const Status asked = job->shard->drive->run([job] {
    job->run();
    return Status{};
  });
  if (!asked && asked.error() == Errc::kOverloaded) {
    job->refused();
    job->shard->overloaded = true;
  }
  settle(set, *job);
}

Bytes ShardAccess::checksums(const StripeSet& set, unsigned shard) const {
  Bytes checksums;
  for (unsigned i = 0; i < set.count; ++i) {
    const std::uint64_t block = set.first + i;
    const ByteView bytes = set.shards[shard].blocks.view().subspan(StripeSet::at(i), layout_.block_bytes(block));
    ByteWriter(checksums).u32(block_checksum(ref_.id, shard, block, bytes));
  }
  return checksums;
}

Status ShardAccess::load(StripeSet& set, const std::vector<unsigned>& want) {
  std::uint64_t damaged = 0;
  // Offline drives are heal's business; what is bad or gone on a drive that is there is damage.
  const auto try_shard = [&](unsigned index) {
    if (!set.shards[index].tried) read(set, index, Wait::kYes);
    if (!set.shards[index].tried || offline(index)) return;
    damaged += static_cast<std::uint64_t>(std::popcount(set.all() & ~set.shards[index].good));
  };
  std::uint32_t lacking = 0;
  for (const unsigned index : want) {
    try_shard(index);
    lacking |= set.all() & ~set.shards[index].good;
  }
  const auto stripes_short_of_blocks = [&] {
    std::uint32_t stripes = 0;
    for (unsigned i = 0; i < set.count; ++i) {
      unsigned good = 0;
      for (const auto& shard : set.shards) good += (shard.good >> i) & 1U;
      if (good < ref_.code.data) stripes |= 1U << i;
    }
    return stripes & lacking;
  };
  std::uint32_t stripes_short = stripes_short_of_blocks();
  for (unsigned index = 0; index < shards_.size() && stripes_short != 0; ++index) {
    if (std::find(want.begin(), want.end(), index) != want.end()) continue;
    try_shard(index);
    stripes_short = stripes_short_of_blocks();
  }
  if (damaged > 0) core_.note_damage(ref_.id, damaged);
  if (stripes_short != 0 && any_overloaded()) return fail(too_few());
  if (stripes_short != 0) {
    CHECK_OK(check_enough());
    for (unsigned index = 0; index < shards_.size(); ++index) {
      if (offline(index) && !ref_.shards[index].drive.is_none()) return fail(too_few());
    }
    return fail(Errc::kCorrupt, "more blocks of blob " + ref_.id.to_string() + " are damaged than its parity repairs");
  }
  for (const unsigned index : want) {
    if (set.shards[index].good != set.all()) rebuild(set, index);
  }
  return {};
}

void ShardAccess::rebuild(StripeSet& set, unsigned index) {
  StripeSet::Shard& target = set.shards[index];
  const std::size_t bytes = bytes_of(layout_, set.first, set.count);
  if (target.blocks.capacity() < bytes) target.blocks = Buffer(bytes);
  target.blocks.resize(bytes);
  for (unsigned i = 0; i < set.count; ++i) {
    if ((target.good >> i) & 1U) continue;
    std::vector<const std::uint8_t*> blocks(shards_.size(), nullptr);
    for (std::size_t s = 0; s < shards_.size(); ++s) {
      if ((set.shards[s].good >> i) & 1U) blocks[s] = set.shards[s].blocks.data() + StripeSet::at(i);
    }
    erasure_.rebuild(layout_.block_bytes(set.first + i), blocks, index, target.blocks.data() + StripeSet::at(i));
    target.good |= 1U << i;
    core_.rebuilt.add();
  }
}

Status ShardAccess::check_enough() {
  unsigned ready = 0;
  for (unsigned i = 0; i < shards_.size() && ready < ref_.code.data; ++i) {
    if (check(i, Wait::kYes) == Access::kReady) ++ready;
  }
  if (ready < ref_.code.data) return fail(too_few());
  return {};
}

bool ShardAccess::any_overloaded() const {
  return std::any_of(shards_.begin(), shards_.end(), [](const auto& shard) { return shard->overloaded; });
}

Error ShardAccess::too_few() const {
  if (any_overloaded()) {
    return {make_error_code(Errc::kOverloaded),
            "too many files are open to read blob " + ref_.id.to_string() + ": try again later"};
  }
  const auto any = [this](Access access) {
    return std::any_of(shards_.begin(), shards_.end(), [&](const auto& shard) { return shard->access == access; });
  };
  if (any(Access::kGone))
    return {make_error_code(Errc::kNotFound), "blob " + ref_.id.to_string() + " does not lie where its record says"};
  const auto may_be_read = std::count_if(shards_.begin(), shards_.end(), [&](const auto& shard) {
    const auto index = static_cast<std::size_t>(&shard - shards_.data());
    const bool away = shard->access == Access::kOffline && !ref_.shards[index].drive.is_none();
    return away || shard->access == Access::kReady;
  });
  // Where it can be read once drives are back, that is what is to be done.
  if (any(Access::kUnreadable) && may_be_read < ref_.code.data) {
    return {make_error_code(Errc::kCorrupt),
            "more shards of blob " + ref_.id.to_string() + " cannot be read than its parity repairs"};
  }
  return {make_error_code(Errc::kUnavailable), "too few drives that hold blob " + ref_.id.to_string() + " are online"};
}

}  // namespace andromede::blob
