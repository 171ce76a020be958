#include "blob/volumes/maintenance.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "blob/volumes/shard_access.h"
#include "crypto/digest.h"

namespace andromede::blob {
namespace {

// A blob that is recorded with another place for a shard has moved, unless this is the copy that is about to be named,
// which takes no longer than a commit may.
constexpr std::chrono::seconds kMovedGrace{60};

constexpr std::size_t kCatalogPage = 1000;
// Remembered before the first is released; more are left to the next call.
constexpr std::size_t kMaxOrphansAtATime = 65'536;
// Where a record begins on a drive: volume and offset.
using Place = std::pair<std::uint32_t, std::uint64_t>;

// Holds a blob while a shard of it is read, so that a removal waits.
class Pin {
 public:
  Pin(StoreCore& core, const ShardedBlob& ref, ShardAccess& access) : core_(core), blob_(ref.id) {
    core_.reader_begins();
    const auto being_released = core_.releases.pin(blob_);
    for (unsigned i = 0; i < ref.shards.size(); ++i) {
      if (std::find(being_released.begin(), being_released.end(), ref.shards[i]) != being_released.end()) {
        access.forbid(i);
      }
    }
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() {
    core_.releases.unpin(blob_);
    core_.reader_ends();
  }

 private:
  StoreCore& core_;
  const BlobId blob_;
};

// Keeps reclaim away from a record that no catalog names yet.
class Writing {
 public:
  Writing(StoreCore& core, BlobId blob) : core_(core), blob_(blob) { core_.writer_begins(blob_); }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() { core_.writer_ends(blob_); }

 private:
  StoreCore& core_;
  const BlobId blob_;
};

Status keep_pace(const Pace& pace, std::uint64_t bytes) {
  if (pace && !pace(bytes)) return fail(Errc::kCancelled, "stopped");
  return {};
}

// What is written of a record at once; owned by the drive as well, which may keep it for ever.
struct RecordPart {
  Region region;
  std::uint64_t at = 0;  // in the region
  Buffer blocks;
  Bytes checksums;
};

// Writes shard `index` into `region`: groups as they are loaded, head and seal at the end.
Status write_record(StoreCore& core, ShardAccess& access, const ShardedBlob& ref, unsigned index, DriveVolumes& drive,
                    const Region& region, const Pace& pace) {
  const RecordLayout& layout = access.layout();
  std::uint32_t blocks_checksum = 0;
  StripeSet set;
  for (std::uint64_t group = 0; group < layout.groups(); ++group) {
    const std::uint64_t first = group * kGroupBlocks;
    const auto count = static_cast<unsigned>(layout.group_blocks(group));
    access.begin(set, first, count);
    CHECK_OK(access.load(set, {index}));
    const Bytes checksums = access.checksums(set, index);
    blocks_checksum = crypto::crc32c(blocks_checksum, checksums);
    const auto part = std::make_shared<RecordPart>(
        RecordPart{region, layout.block_offset(first), std::move(set.shards[index].blocks), checksums});
    CHECK_OK(drive.run([&drive, part]() -> Status {
      CHECK_OK(drive.make_room(part->region, part->at + part->blocks.size() + part->checksums.size()));
      return part->region.file->write_at(part->region.offset + part->at,
                                         {part->blocks.view(), ByteView(part->checksums)});
    }));
    set.shards[index].blocks = std::move(part->blocks);
    CHECK_OK(keep_pace(pace, set.shards[index].blocks.size()));
  }
  const std::int64_t now_ms = core.clock.now().ms;
  const auto header = encode(RecordHeader{.blob = ref.id,
                                          .shard = index,
                                          .code = ref.code,
                                          .volume = region.volume->number,
                                          .offset = region.offset,
                                          .region_bytes = region.bytes,
                                          .declared_bytes = ref.size_bytes,
                                          .session = core.session,
                                          .created_ms = now_ms});
  const auto seal = encode(RecordSeal{.blob = ref.id,
                                      .size_bytes = ref.size_bytes,
                                      .used_bytes = layout.used_bytes(),
                                      .blocks_checksum = blocks_checksum,
                                      .sealed_ms = now_ms});
  return drive.run(
      [region, header, seal] { return region.file->write_at(region.offset, {ByteView(header), ByteView(seal)}); });
}

}  // namespace

Result<ShardPlace> copy_shard(StoreCore& core, const ShardedBlob& ref, unsigned index, DriveId to, const Pace& pace) {
  CHECK_OK(valid_ref(ref));
  if (index >= ref.shards.size()) return fail(Errc::kInvalidArgument, "the blob has no such shard");
  DriveVolumes* const drive = core.online_drive(to);
  if (drive == nullptr) return fail(Errc::kUnavailable, "drive " + to.to_string() + " is offline");
  ShardAccess access(core, ref);
  const Pin pin(core, ref, access);
  const Writing writing(core, ref.id);
  const std::uint64_t used_bytes = access.layout().used_bytes();
  TRY(const Region region, drive->run([drive, used_bytes] { return drive->reserve(used_bytes); }));
  Status status = write_record(core, access, ref, index, *drive, region, pace);
  if (status) {
    status = drive->sync(region.volume);
    if (status && !drive->online()) status = fail(Errc::kIo, "the drive went away");
  }
  // The region of a drive that went away is found when it comes back, and what lies in it is an orphan.
  if (!status) {
    const Status abandoned = drive->run([drive, region] {
      drive->abandon(region);
      return Status{};
    });
    if (!abandoned) {
      log_warning("the space of a shard that was not copied waits for reclaim",
                  {{"blob", ref.id.to_string()}, {"error", abandoned.error().describe()}});
    }
    return fail(status.error());
  }
  // It is durable whatever becomes of this: what is not given back now is given back with the record.
  const Status trimmed = drive->run([drive, region, used_bytes] {
    drive->trim(region, used_bytes);
    return Status{};
  });
  if (!trimmed) {
    log_warning("the rest of a copied shard's space is given back with it",
                {{"blob", ref.id.to_string()}, {"error", trimmed.error().describe()}});
  }
  return ShardPlace{.drive = to, .volume = region.volume->number, .offset = region.offset};
}

Result<ShardHealth> verify_shard(StoreCore& core, const ShardedBlob& ref, unsigned index, const Pace& pace) {
  CHECK_OK(valid_ref(ref));
  if (index >= ref.shards.size()) return fail(Errc::kInvalidArgument, "the blob has no such shard");
  ShardAccess access(core, ref);
  const Pin pin(core, ref, access);
  const Access found = access.check(index, Wait::kYes);
  if (found == Access::kOverloaded) return fail(access.too_few());
  if (found == Access::kUnreadable) return ShardHealth::kDamaged;
  // One that went away, now or before, says nothing of what it holds.
  const auto away = [&]() -> Result<ShardHealth> {
    return fail(Errc::kUnavailable, "drive " + ref.shards[index].drive.to_string() + " went away");
  };
  if (found == Access::kOffline && !ref.shards[index].drive.is_none()) return away();
  if (found != Access::kReady) return ShardHealth::kMissing;
  bool good = !access.head_damaged(index);
  const RecordLayout& layout = access.layout();
  std::uint32_t blocks_checksum = 0;
  StripeSet set;
  for (std::uint64_t group = 0; group < layout.groups(); ++group) {
    const std::uint64_t first = group * kGroupBlocks;
    const auto count = static_cast<unsigned>(layout.group_blocks(group));
    access.begin(set, first, count);
    access.read(set, index, Wait::kYes);
    if (access.offline(index)) return away();
    if (!set.shards[index].tried) return fail(access.too_few());
    if (set.shards[index].good != set.all()) {
      core.damaged.add();
      good = false;
      break;
    }
    blocks_checksum = crypto::crc32c(blocks_checksum, access.checksums(set, index));
    CHECK_OK(keep_pace(pace, set.shards[index].blocks.size()));
  }
  if (good && access.head(index)->seal->blocks_checksum != blocks_checksum) good = false;
  return good ? ShardHealth::kGood : ShardHealth::kDamaged;
}

namespace {

// All shards of a blob that are there, group by group.
class Together {
 public:
  Together(StoreCore& core, const ShardedBlob& ref)
      : core_(core), ref_(ref), access_(core, ref), pin_(core, ref, access_), erasure_(ref.code) {}

  // kOverloaded; false: one that should be there is not, or cannot be read.
  Result<bool> open() {
    for (unsigned i = 0; i < ref_.shards.size(); ++i) {
      const Access found = access_.check(i, Wait::kYes);
      if (found == Access::kOverloaded) return fail(access_.too_few());
      if (found == Access::kOffline) continue;  // heal's business
      if (found != Access::kReady || access_.head_damaged(i)) return false;
      there_.push_back(i);
      checksums_.push_back(0);
    }
    return true;
  }
  [[nodiscard]] const RecordLayout& layout() const { return access_.layout(); }
  // Whether they can be held against each other.
  [[nodiscard]] bool redundant() const { return there_.size() > ref_.code.data; }
  [[nodiscard]] bool readable() const { return there_.size() >= ref_.code.data; }

  // False: a block of the group is damaged, or a drive went away, or could not be asked.
  bool load(std::uint64_t group) {
    access_.begin(set_, group * kGroupBlocks, static_cast<unsigned>(layout().group_blocks(group)));
    for (std::size_t i = 0; i < there_.size(); ++i) {
      const unsigned shard = there_[i];
      access_.read(set_, shard, Wait::kYes);
      if (access_.offline(shard) || !set_.shards[shard].tried) return false;
      if (set_.shards[shard].good != set_.all()) {
        core_.damaged.add();
        return false;
      }
      checksums_[i] = crypto::crc32c(checksums_[i], access_.checksums(set_, shard));
    }
    return true;
  }
  [[nodiscard]] std::uint64_t loaded_bytes() const {
    std::uint64_t bytes = 0;
    for (const unsigned shard : there_) bytes += set_.shards[shard].blocks.size();
    return bytes;
  }
  [[nodiscard]] unsigned count() const { return set_.count; }
  // The shards whose block of a loaded stripe is not what the first k there make it.
  ShardSet misfits(unsigned stripe) {
    const unsigned k = ref_.code.data;
    const std::size_t bytes = layout().block_bytes(set_.first + stripe);
    std::vector<const std::uint8_t*> blocks(ref_.shards.size(), nullptr);
    for (unsigned i = 0; i < k; ++i) blocks[there_[i]] = block(there_[i], stripe).data();
    expected_.resize(bytes);
    ShardSet misfits = 0;
    for (std::size_t i = k; i < there_.size(); ++i) {
      erasure_.rebuild(bytes, blocks, there_[i], expected_.data());
      if (std::memcmp(expected_.data(), block(there_[i], stripe).data(), bytes) != 0)
        misfits |= ShardSet{1} << there_[i];
    }
    return misfits;
  }
  // Once all groups were loaded.
  [[nodiscard]] bool seals_fit() const {
    for (std::size_t i = 0; i < there_.size(); ++i) {
      if (access_.head(there_[i])->seal->blocks_checksum != checksums_[i]) return false;
    }
    return true;
  }

 private:
  [[nodiscard]] ByteView block(unsigned shard, unsigned stripe) const {
    return set_.shards[shard].blocks.view().subspan(StripeSet::at(stripe), layout().block_bytes(set_.first + stripe));
  }

  StoreCore& core_;
  const ShardedBlob& ref_;
  ShardAccess access_;
  const Pin pin_;
  const ErasureCode erasure_;
  std::vector<unsigned> there_;
  std::vector<std::uint32_t> checksums_;  // of each, so far
  StripeSet set_;
  Bytes expected_;
};

Result<ShardSet> liars_of(const ShardedBlob& ref, Authenticator& authenticator, std::uint64_t begin,
                          std::uint64_t end) {
  TRY(const Suspects liars, authenticator.liars(ref_of(ref), begin, end));
  return static_cast<ShardSet>(liars.parts);
}

}  // namespace

Result<bool> verify_blob(StoreCore& core, const ShardedBlob& ref, Authenticator& authenticator, const Pace& pace) {
  CHECK_OK(valid_ref(ref));
  Together together(core, ref);
  TRY(const bool whole, together.open());
  if (!whole) return false;
  const RecordLayout& layout = together.layout();
  for (std::uint64_t group = 0; group < layout.groups(); ++group) {
    if (!together.load(group)) return false;
    CHECK_OK(keep_pace(pace, together.loaded_bytes()));
    for (unsigned stripe = 0; together.redundant() && stripe < together.count(); ++stripe) {
      const ShardSet misfits = together.misfits(stripe);
      if (misfits == 0) continue;
      const std::uint64_t begin = (group * kGroupBlocks + stripe) * layout.stripe_bytes();
      const std::uint64_t end = std::min(begin + layout.stripe_bytes(), ref.size_bytes);
      TRY(const ShardSet liars, liars_of(ref, authenticator, begin, end));
      // Readers take the first that are there: where these are right, what does not fit them is wrong.
      core.distrust(ref, liars != 0 ? liars : misfits);
      return false;
    }
  }
  if (!together.seals_fit()) return false;
  if (together.redundant() || !together.readable()) return true;
  // With nothing to hold them against, only those who have the key can tell.
  TRY(const ShardSet liars, liars_of(ref, authenticator, 0, ref.size_bytes));
  core.distrust(ref, liars);
  return liars == 0;
}

namespace {

// The regions that the catalog's records take on a drive, of the volumes that `volumes` holds. Unset: of some record
// nobody can say what it names.
Result<std::optional<std::map<Place, std::uint64_t>>> named_regions(DriveId drive,
                                                                    const std::set<std::uint32_t>& volumes,
                                                                    ShardCatalog& catalog, const GoOn& go_on) {
  std::map<Place, std::uint64_t> named;
  BlobId after;
  for (;;) {
    if (!go_on()) return fail(Errc::kCancelled, "stopped");
    // Of every copy: what one of them forgets must not be punched.
    TRY(const ShardCatalog::Page page, catalog.list_everywhere(after, kCatalogPage));
    if (!page.unreadable.empty()) return std::nullopt;
    for (const ShardedBlob& ref : page.refs) {
      for (const ShardPlace& place : ref.shards) {
        if (place.drive != drive || !volumes.contains(place.volume) || !valid_ref(ref)) continue;
        named[{place.volume, place.offset}] = RecordLayout(ref.code, ref.size_bytes).used_bytes();
      }
    }
    if (!page.next) return named;
    after = *page.next;
  }
}

struct UnknownPages {
  std::uint32_t volume = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// Punches what of `unknown` lies outside the named regions.
Result<std::uint64_t> reclaim_unknown(DriveVolumes& drive, const std::vector<UnknownPages>& unknown,
                                      ShardCatalog& catalog, const GoOn& go_on) {
  if (unknown.empty()) return 0;
  std::set<std::uint32_t> volumes;
  for (const auto& pages : unknown) volumes.insert(pages.volume);
  TRY(const auto regions, named_regions(drive.id(), volumes, catalog, go_on));
  if (!regions) return 0;
  const auto& named = *regions;
  std::uint64_t punched = 0;
  for (const auto& pages : unknown) {
    if (!go_on()) return fail(Errc::kCancelled, "stopped");
    std::uint64_t at = pages.offset;
    const std::uint64_t end = pages.offset + pages.bytes;
    while (at < end) {
      // The region that begins at or before `at`, and the one behind it.
      const auto behind = named.upper_bound({pages.volume, at});
      if (behind != named.begin()) {
        const auto& [place, bytes] = *std::prev(behind);
        if (place.first == pages.volume && place.second + bytes > at) {
          at = place.second + bytes;
          continue;
        }
      }
      const bool ends_earlier = behind != named.end() && behind->first.first == pages.volume;
      const std::uint64_t free_end = ends_earlier ? std::min(end, behind->first.second) : end;
      CHECK_OK(drive.run([&drive, volume = pages.volume, at, bytes = free_end - at] {
        return drive.punch_unknown(volume, at, bytes);
      }));
      punched += free_end - at;
      at = free_end;
    }
  }
  return punched;
}

// A record that no copy of the metadata names.
struct Orphan {
  BlobId blob;
  unsigned shard = 0;
  Place place;
};

enum class Naming : std::uint8_t {
  kHere,       // they name this record
  kElsewhere,  // all name another place for the shard
  kNowhere,    // no copy knows the blob
  kDiffers,    // they say different things of it
};

Result<Naming> naming_of(ShardCatalog& catalog, const RecordHeader& header, const ShardPlace& place,
                         std::set<std::string>& unreadable_on) {
  const auto names = [&](const ShardedBlob& ref) {
    return header.shard < ref.shards.size() && ref.shards[header.shard] == place;
  };
  // One copy's word is enough to keep it, and never to erase it.
  const auto one = catalog.find(header.blob);
  if (!one && !(one.error() == Errc::kCorrupt)) return fail(one.error());
  if (one && *one && names(**one)) return Naming::kHere;
  TRY(const ShardCatalog::Everywhere all, catalog.find_everywhere(header.blob));
  unreadable_on.insert(all.unreadable_on.begin(), all.unreadable_on.end());
  if (!all.agree) return Naming::kDiffers;
  if (std::any_of(all.refs.begin(), all.refs.end(), names)) return Naming::kHere;
  return all.refs.empty() ? Naming::kNowhere : Naming::kElsewhere;
}

Status release_orphans(StoreCore& core, DriveVolumes& drive, const std::vector<Orphan>& orphans,
                       Maintenance::Reclaimed& reclaimed, const GoOn& go_on) {
  for (const Orphan& orphan : orphans) {
    if (!go_on()) return fail(Errc::kCancelled, "stopped");
    const auto released = drive.run(
        [&drive, orphan] { return drive.release(orphan.blob, orphan.shard, orphan.place.first, orphan.place.second); });
    if (released || released.error() == Errc::kNotFound) {
      core.released(orphan.blob, {drive.id(), orphan.place.first, orphan.place.second});
    }
    if (released) {
      ++reclaimed.records;
      reclaimed.bytes += *released;
    } else if (released.error() != Errc::kNotFound) {
      return fail(released.error());
    }
  }
  return {};
}

}  // namespace

Result<Maintenance::Reclaimed> reclaim_orphans(StoreCore& core, DriveId id, ShardCatalog& catalog,
                                               std::chrono::milliseconds grace, Maintenance::Share share,
                                               const GoOn& go_on) {
  const GoOn always = [] { return true; };
  const GoOn& goes_on = go_on ? go_on : always;
  DriveVolumes* const drive = core.online_drive(id);
  if (drive == nullptr) return fail(Errc::kUnavailable, "drive " + id.to_string() + " is offline");
  CHECK_OK(drive->count(goes_on));
  const std::int64_t now_ms = core.clock.now().ms;
  Maintenance::Reclaimed reclaimed;
  Status failed;
  const auto younger_than = [&](const RecordHead& head, std::chrono::milliseconds age) {
    const std::int64_t since = std::max(head.header.created_ms, head.seal ? head.seal->sealed_ms : 0);
    return head.header.session == core.session && now_ms - since < age.count();
  };
  const auto moved_grace = std::min<std::chrono::milliseconds>(grace, kMovedGrace);
  std::uint64_t records = 0;
  std::uint64_t nobodys = 0;
  std::vector<Orphan> orphans;
  const auto visit = [&](const RecordHead& head) {
    if (!goes_on()) {
      failed = fail(Errc::kCancelled, "stopped");
      return false;
    }
    ++records;
    const RecordHeader& header = head.header;
    if (core.is_written(header.blob) || younger_than(head, moved_grace)) return true;
    const ShardPlace place{.drive = id, .volume = header.volume, .offset = header.offset};
    const auto naming = naming_of(catalog, header, place, reclaimed.unreadable_on);
    if (!naming) {
      failed = fail(naming.error());
      return false;
    }
    if (*naming == Naming::kDiffers) ++reclaimed.differing;
    const bool orphan = *naming == Naming::kElsewhere || (*naming == Naming::kNowhere && !younger_than(head, grace));
    if (!orphan) return true;
    if (*naming == Naming::kNowhere) ++nobodys;
    if (orphans.size() < kMaxOrphansAtATime) {
      orphans.push_back({header.blob, header.shard, {header.volume, header.offset}});
    }
    return true;
  };
  std::vector<UnknownPages> unknown;
  const auto collect = [&](std::uint32_t volume, std::uint64_t offset, std::uint64_t bytes) {
    unknown.push_back({.volume = volume, .offset = offset, .bytes = bytes});
    return true;
  };
  CHECK_OK(drive->walk(visit, collect, goes_on));
  CHECK_OK(failed);
  const bool plausible = nobodys <= Maintenance::kPlausibleOrphans || nobodys <= records / Maintenance::kPlausibleShare;
  if (share == Maintenance::Share::kPlausible && !plausible) {
    return fail(Errc::kRefused, "of its " + std::to_string(records) + " records " + std::to_string(nobodys) +
                                    " belong to blobs that the metadata do not know");
  }
  CHECK_OK(release_orphans(core, *drive, orphans, reclaimed, goes_on));
  TRY(const std::uint64_t punched, reclaim_unknown(*drive, unknown, catalog, goes_on));
  reclaimed.bytes += punched;
  return reclaimed;
}

}  // namespace andromede::blob
