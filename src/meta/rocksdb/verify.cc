#include "meta/rocksdb/verify.h"

#include <rocksdb/file_checksum.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "crypto/digest.h"
#include "meta/rocksdb/raw_file.h"

namespace andromede::meta {
namespace {

// RocksDB's log format, in which a manifest is written: blocks of 32 KiB, filled with records of a masked CRC-32C of
// what follows the length, a length and a type.
constexpr std::size_t kManifestBlockBytes = 32 << 10;
constexpr std::size_t kManifestHeaderBytes = 7;
constexpr std::size_t kManifestTypeOffset = 6;
constexpr std::uint32_t kCrcMaskDelta = 0xa282ead8;
constexpr std::size_t kMaxCurrentBytes = 256;
constexpr std::uint64_t kRecordsPieceBytes = 512 << 10;  // and the last value of the piece

std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + kCrcMaskDelta; }

Error damaged(const std::string& path, const std::string& what) {
  return {make_error_code(Errc::kCorrupt), path + ": " + what};
}

// Reads the file from the drive, not from memory.
Status read_through(const std::string& path, const Pace& pace, const std::function<Status(ByteView)>& take) {
  RawFile file(path, O_RDONLY);
  CHECK_OK(file.opened());
  file.forget_cached();
  const Status read = file.read_on([&](ByteView piece) -> Status {
    CHECK_OK(take(piece));
    if (pace && !pace(piece.size())) return fail(Errc::kCancelled, "verifying a mirror was stopped");
    return {};
  });
  // What nobody else asked for is not to push out what is asked for.
  file.forget_cached();
  return read;
}

Status verify_file(const State::LiveFile& file, const Pace& pace) {
  std::uint32_t crc = 0;
  CHECK_OK(read_through(file.path, pace, [&](ByteView piece) -> Status {
    crc = crypto::crc32c(crc, piece);
    return {};
  }));
  Bytes found;
  for (int shift = 24; shift >= 0; shift -= 8) found.push_back(static_cast<std::uint8_t>(crc >> shift));
  if (as_text(found) == file.checksum) return {};
  return fail(damaged(file.path, "its content does not match its recorded checksum"));
}

// The records of one block of a manifest. What lies behind the last whole record of the last block is still being
// written.
Status verify_manifest_block(const std::string& path, ByteView block, bool last) {
  while (block.size() >= kManifestHeaderBytes) {
    ByteReader in(block);
    const std::uint32_t crc = in.u32();
    const std::size_t length = in.u16();
    if (crc == 0 && length == 0) return {};
    if (length > block.size() - kManifestHeaderBytes) {
      if (last) return {};
      return fail(damaged(path, "a record of the manifest exceeds its block"));
    }
    if (crc != masked(crypto::crc32c(0, block.subspan(kManifestTypeOffset, length + 1)))) {
      return fail(damaged(path, "a record of the manifest does not match its checksum"));
    }
    block = block.subspan(kManifestHeaderBytes + length);
  }
  return {};
}

Status verify_manifest_file(const std::string& path, const Pace& pace) {
  Bytes block;
  CHECK_OK(read_through(path, pace, [&](ByteView piece) -> Status {
    while (!piece.empty()) {
      // A full block is looked at once more follows: only then it is not the last.
      if (block.size() == kManifestBlockBytes) {
        CHECK_OK(verify_manifest_block(path, block, false));
        block.clear();
      }
      const ByteView part = piece.first(std::min(piece.size(), kManifestBlockBytes - block.size()));
      block.insert(block.end(), part.begin(), part.end());
      piece = piece.subspan(part.size());
    }
    return {};
  }));
  return verify_manifest_block(path, block, true);
}

Result<std::string> current_manifest(const std::string& folder) {
  std::string name;
  CHECK_OK(read_through(folder + "/CURRENT", {}, [&](ByteView piece) -> Status {
    name += as_text(piece);
    if (name.size() <= kMaxCurrentBytes) return {};
    return fail(damaged(folder + "/CURRENT", "names no manifest"));
  }));
  if (!name.starts_with("MANIFEST-") || !name.ends_with('\n')) {
    return fail(damaged(folder + "/CURRENT", "names no manifest"));
  }
  name.pop_back();
  return name;
}

Status verify_manifest(const std::string& folder, const Pace& pace) {
  for (;;) {
    TRY(const std::string name, current_manifest(folder));
    Status verified = verify_manifest_file(folder + "/" + name, pace);
    if (verified || verified.error() == Errc::kCancelled) return verified;
    // RocksDB may have begun another one meanwhile and removed this.
    TRY(const std::string now, current_manifest(folder));
    if (now == name) return verified;
  }
}

Result<std::optional<std::string>> last_key(const State& state, Space space) {
  const std::unique_ptr<rocksdb::Iterator> records(
      state.db().NewIterator(read_options(Tier::kAll), state.family(space)));
  records->SeekToLast();
  if (!records->status().ok()) return fail(to_error(records->status(), "finding the last record"));
  return records->Valid() ? std::optional(records->key().ToString()) : std::nullopt;
}

// The records of `space` from `from` to `last`, some of them at a time: no walk may keep files that a compaction has
// replaced for as long as the pace demands. The key to go on from; nullopt: none is left.
Result<std::optional<std::string>> verify_piece(const State& state, Space space, const std::string& from,
                                                const std::string& last, std::uint64_t& bytes) {
  rocksdb::ReadOptions options = read_options(Tier::kAll);
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> records(state.db().NewIterator(options, state.family(space)));
  for (records->Seek(from); records->Valid(); records->Next()) {
    const std::string_view key = records->key().ToStringView();
    if (key > last) break;
    if (bytes >= kRecordsPieceBytes) return std::optional(std::string(key));
    CHECK_OK(state.open_value(space, key, records->value().ToStringView()));
    bytes += key.size() + records->value().size();
  }
  if (!records->status().ok()) return fail(to_error(records->status(), "reading all records"));
  return std::optional<std::string>();
}

Error not_there(Error error) {
  if (!(error == Errc::kNotFound)) return error;
  return {make_error_code(Errc::kCorrupt), error.message()};
}

}  // namespace

Status verify_state(const State& state, const Pace& pace) {
  std::set<std::string> vanished;
  std::size_t unrecorded = 0;
  for (const State::LiveFile& file : state.live_files()) {
    if (file.checksum.empty()) {
      ++unrecorded;
      continue;
    }
    Status verified = verify_file(file, pace);
    if (!verified && verified.error() == Errc::kNotFound) {
      vanished.insert(file.path);
    } else if (!verified) {
      return verified;
    }
  }
  if (!vanished.empty()) {
    for (const State::LiveFile& file : state.live_files()) {
      if (vanished.contains(file.path)) return fail(damaged(file.path, "is gone"));
    }
  }
  if (unrecorded > 0) {
    log_warning("metadata: files without a recorded checksum could not be verified", {{"files", unrecorded}});
  }
  if (Status verified = verify_manifest(state.db().GetName(), pace); !verified) {
    return fail(not_there(std::move(verified).error()));
  }
  return verify_records(state, pace);
}

Status verify_records(const State& state, const Pace& pace) {
  for (const Space space : {Space::kRecords, Space::kInline, Space::kJournal}) {
    // What is written behind it meanwhile is not waited for: the journal grows as fast as it is verified.
    TRY(const std::optional<std::string> last, last_key(state, space));
    std::optional<std::string> from = last ? std::optional(std::string()) : std::nullopt;
    while (from) {
      std::uint64_t bytes = 0;
      TRY(from, verify_piece(state, space, *from, *last, bytes));
      if (pace && !pace(bytes)) return fail(Errc::kCancelled, "verifying a mirror was stopped");
    }
  }
  return {};
}

}  // namespace andromede::meta
