#include "blob/volumes/shard_access.h"

#include <bit>

#include "base/check.h"

namespace andromede::blob {

Status valid_ref(const BlobRef& ref) {
  if (ref.id.is_none() || !Layout::valid(ref.code, ref.size_bytes) || ref.shards.size() != ref.code.total()) {
    return fail(Errc::kInvalidArgument, "a blob ref names an id, a code and a place for each shard");
  }
  return {};
}

ShardAccess::ShardAccess(StoreCore& core, const BlobRef& ref)
    : core_(core), ref_(ref), layout_(ref.code, ref.size_bytes), erasure_(ref.code), shards_(ref.shards.size()) {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (!ref_.shards[i].drive.is_none()) shards_[i].drive = core_.online_drive(ref_.shards[i].drive);
    if (shards_[i].drive == nullptr) {
      shards_[i].access = Access::kOffline;
    } else if (core_.distrusts(ref_.id, ref_.shards[i])) {
      shards_[i].access = Access::kUnreadable;
    }
  }
}

Access ShardAccess::check(unsigned index, Wait wait) {
  Shard& shard = shards_[index];
  if (shard.access != Access::kUnchecked) return shard.access;
  const ShardPlace& place = ref_.shards[index];
  if (shard.file == nullptr) shard.file = shard.drive->cached_file(place.volume);
  if (shard.file == nullptr) {
    if (wait == Wait::kNo) return Access::kBlocks;
    auto file = shard.drive->file(place.volume);
    shard.overloaded = !file && file.error() == Errc::kOverloaded;
    if (shard.overloaded) return Access::kOverloaded;
    if (!file && file.error() == Errc::kUnavailable) return shard.access = Access::kOffline;
    if (!file && file.error() == Errc::kNotFound) return shard.access = Access::kGone;
    if (!file) return shard.access = Access::kUnreadable;
    shard.file = *std::move(file);
  }
  std::array<std::uint8_t, kHeadBytes> bytes{};
  auto got = shard.file->read_at_nowait(place.offset, bytes);
  if (!got || *got < bytes.size()) {
    if (wait == Wait::kNo) return Access::kBlocks;
    got = shard.file->read_at(place.offset, bytes);
  }
  // A head that the drive cannot read may still have blocks that it can.
  if (!got) {
    shard.head_damaged = true;
    return shard.access = Access::kReady;
  }
  auto head = decode_head(ByteView(bytes).first(*got), place.volume, place.offset);
  if (!head) {
    if (head.error() == Errc::kNotFound || *got < bytes.size()) return shard.access = Access::kGone;
    shard.head_damaged = true;
  } else if (head->header.blob != ref_.id || head->header.shard != index || head->header.code != ref_.code) {
    return shard.access = Access::kGone;
  } else {
    shard.head_damaged = !head->seal || head->seal->size_bytes != ref_.size_bytes;
    shard.head = *head;
  }
  return shard.access = Access::kReady;
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

std::size_t ShardAccess::bytes_of(const StripeSet& set) const {
  return StripeSet::at(set.count - 1) + layout_.block_bytes(set.first + set.count - 1);
}

bool ShardAccess::read(StripeSet& set, unsigned index, Wait wait) {
  StripeSet::Shard& into = set.shards[index];
  const Access access = check(index, wait);
  if (access == Access::kBlocks) return false;
  if (access == Access::kOverloaded) return true;
  if (access != Access::kReady) {
    into.tried = true;
    return true;
  }
  io::File& file = *shards_[index].file;
  const std::uint64_t record = ref_.shards[index].offset;
  const std::uint64_t group = set.first / kGroupBlocks;
  const std::size_t bytes = bytes_of(set);
  const std::size_t table_bytes = layout_.group_blocks(group) * kChecksumBytes;
  const std::uint64_t begin = layout_.block_offset(set.first);
  // To the group's end one read gives blocks and checksums together.
  const bool together = begin + bytes == layout_.checksums_offset(group);
  if (into.blocks.capacity() < bytes + table_bytes) into.blocks = Buffer(bytes + table_bytes);
  into.blocks.resize(bytes + (together ? table_bytes : 0));
  std::array<std::uint8_t, kGroupBlocks * kChecksumBytes> table{};

  const auto read_at = [&](std::uint64_t at, MutableByteView out) -> Result<std::size_t> {
    auto got = file.read_at_nowait(record + at, out);
    // A nowait read may stop short where memory ends.
    if (got && *got == out.size()) return got;
    if (wait == Wait::kNo) return fail(Errc::kUnavailable, "not in memory");
    return file.read_at(record + at, out);
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
        file.read_at(record + layout_.checksums_offset(group), MutableByteView(table).first(table_bytes));
    if (!got_table || *got_table < table_bytes) return true;
    for (unsigned i = 0; i < set.count; ++i) {
      const std::size_t size = layout_.block_bytes(set.first + i);
      static_cast<void>(
          file.read_at(record + begin + StripeSet::at(i), into.blocks.span().subspan(StripeSet::at(i), size)));
    }
    verify(set, index, ByteView(table).first(table_bytes));
    return true;
  }
  if (together) {
    std::memcpy(table.data(), into.blocks.data() + bytes, table_bytes);
    into.blocks.resize(bytes);
  }
  verify(set, index, ByteView(table).first(table_bytes));
  return true;
}

void ShardAccess::verify(StripeSet& set, unsigned index, ByteView checksums) const {
  StripeSet::Shard& shard = set.shards[index];
  for (unsigned i = 0; i < set.count; ++i) {
    const std::uint64_t block = set.first + i;
    std::uint32_t stored = 0;
    std::memcpy(&stored, checksums.data() + (block % kGroupBlocks) * kChecksumBytes, sizeof stored);
    const ByteView bytes = shard.blocks.view().subspan(StripeSet::at(i), layout_.block_bytes(block));
    if (block_checksum(ref_.id, index, block, bytes) == stored) shard.good |= 1U << i;
  }
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
    if (!set.shards[index].tried || shards_[index].access == Access::kOffline) return;
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
      if (shards_[index].access == Access::kOffline && !ref_.shards[index].drive.is_none()) return fail(too_few());
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
  const std::size_t bytes = bytes_of(set);
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
  return std::any_of(shards_.begin(), shards_.end(), [](const Shard& shard) { return shard.overloaded; });
}

Error ShardAccess::too_few() const {
  if (any_overloaded()) {
    return {make_error_code(Errc::kOverloaded),
            "too many files are open to read blob " + ref_.id.to_string() + ": try again later"};
  }
  const auto any = [this](Access access) {
    return std::any_of(shards_.begin(), shards_.end(), [&](const Shard& shard) { return shard.access == access; });
  };
  if (any(Access::kGone))
    return {make_error_code(Errc::kNotFound), "blob " + ref_.id.to_string() + " does not lie where its record says"};
  const auto may_be_read = std::count_if(shards_.begin(), shards_.end(), [&](const Shard& shard) {
    const auto index = static_cast<std::size_t>(&shard - shards_.data());
    const bool away = shard.access == Access::kOffline && !ref_.shards[index].drive.is_none();
    return away || shard.access == Access::kReady;
  });
  // Where it can be read once drives are back, that is what is to be done.
  if (any(Access::kUnreadable) && may_be_read < ref_.code.data) {
    return {make_error_code(Errc::kCorrupt),
            "more shards of blob " + ref_.id.to_string() + " cannot be read than its parity repairs"};
  }
  return {make_error_code(Errc::kUnavailable), "too few drives that hold blob " + ref_.id.to_string() + " are online"};
}

}  // namespace andromede::blob
