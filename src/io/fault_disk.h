// FaultDisk: a Disk held wholly in memory that keeps what was synced apart from what was only written, and that fails,
// tears, lies, flips bits, fills up, goes offline or loses power on command. For tests of everything that stores bytes.
//
//   auto disk = FaultDisk::make();
//   for (std::uint64_t n = 1;; ++n) {              // fail the Nth change, then N + 1, until all pass
//     auto disk = FaultDisk::make();
//     disk->arm({.ops = changing_ops(), .nth = n, .from_then_on = true});
//     run_engine(disk->share());                   // a handle for an owner; the test keeps `disk`
//     auto after = disk->crash(seed);              // the drive as a power loss at this moment leaves it
//     check_engine(after->share());
//     if (disk->fired() == 0) break;
//   }
//
// What a crash does: every write, truncation, punch and allocation since the file's last successful sync() is kept or
// dropped, a write also torn (each 512-byte sector kept or not), chosen by the seed; every name that was created,
// removed or renamed since its folder's last sync_folder() is as it was, as it is, or as it was in between. A failed
// sync() makes an unknown part durable and forgets the rest for good, as Linux does: a later sync() of that file
// succeeds and does not bring it back.
//
// What another handle removes, this one did not: to its probe() it is gone. What an engine put below root() by itself
// is not known here; watch() finds it there.
//
// Thread-safe. One mutex: operations do not overlap, and are numbered in the order in which they ran.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/disk.h"
#include "io/files_in_use.h"

namespace andromede::io {

// What is counted and can fail. A call of Disk may be several: replace() is kCreate, kWrite, kSync, kRename,
// kSyncFolder; replace_in_reserve() the same, kTruncate where it shrinks, and what keep_reserve() is afterwards:
// kCreate, kAllocate, kSync, kSyncFolder where blocks are missing; make_folder() is, for each part of the path,
// kMakeFolder where it is not there and kSyncFolder. read_all() is kOpen and kRead. size(), allocated(), space() and
// probe() are none.
enum class DiskOp : std::uint8_t {
  kOpen,
  kCreate,
  kRead,
  kWrite,
  kSync,
  kAllocate,
  kPunch,
  kTruncate,
  kRename,
  kRemove,
  kList,
  kMakeFolder,
  kSyncFolder,
};

// Every operation but kOpen, kRead and kList.
[[nodiscard]] std::vector<DiskOp> changing_ops();

enum class FaultAction : std::uint8_t {
  kFail,  // nothing happens (of a sync: an unknown part), `error` is answered
  kTear,  // a write writes a prefix of whole sectors, shorter than all, and answers `error`; other operations fail
  kLie,   // a write answers success, but only some of its sectors are written; a sync answers success, syncs nothing
  kFlip,  // a read answers with one bit flipped; what is stored stays right
  kHang,  // the drive hangs from here on, as by set_hanging(); let go, the operation is done
  kHold,  // this operation alone hangs, until disarm(): the drive answers others, and its probes
};

struct Fault {
  FaultAction action = FaultAction::kFail;
  std::vector<DiskOp> ops = {};  // what it counts; empty: every operation
  std::string path_prefix = {};  // only operations on paths that begin so; empty: all
  std::uint64_t nth = 1;         // strikes the nth that it counts from now on; 1: the next
  bool from_then_on = false;     // and every later one
  Errc error = Errc::kIo;        // or kNoSpace, kOverloaded
};

class FaultDisk final : public Disk {
 public:
  // `root` is what root() answers: give a real temporary folder when an engine opens files there by itself. `seed`
  // chooses what torn and failed operations leave behind.
  static std::unique_ptr<FaultDisk> make(std::string root = "/fault-disk", std::uint64_t seed = 1);
  ~FaultDisk() override;

  // Another handle of the same drive, with the same faults: what a test gives away while it keeps this one.
  [[nodiscard]] std::unique_ptr<FaultDisk> share() const;
  // How many other handles, and files opened with any of them, there are.
  [[nodiscard]] std::size_t handles() const;
  // The drive as a power loss at this moment would leave it: another drive, without faults, online, with the same root
  // and capacity. This one goes on unchanged, so that one moment can be crashed with many seeds.
  [[nodiscard]] std::unique_ptr<FaultDisk> crash(std::uint64_t seed) const;

  // Adds a fault, beside those that are armed already.
  void arm(Fault fault);
  void disarm();
  // How often a fault has struck since make() or the last reset_counts().
  [[nodiscard]] std::uint64_t fired() const;
  // Operations so far, all or of one kind.
  [[nodiscard]] std::uint64_t operations() const;
  [[nodiscard]] std::uint64_t operations(DiskOp op) const;
  void reset_counts();

  // Offline: every operation, also on files open already, answers kIo, and so does probe(). Contents stay.
  void set_offline(bool offline);
  // Hanging: every operation waits, until it is no more; what was cached is still there. A test lets go before it ends.
  void set_hanging(bool hanging);
  // How many calls hang.
  [[nodiscard]] std::size_t hanging() const;
  // Whether some handle was unlocked.
  [[nodiscard]] bool unlocked() const;
  // Changes that need blocks beyond this many bytes in all answer kNoSpace and change nothing. 0: no limit.
  void set_capacity(std::uint64_t bytes);
  // Whether read_at_nowait() finds its bytes in memory (and is a kRead) or answers kUnavailable, the default.
  void set_cached(bool cached);
  // A bad sector: reads that touch that page of the file answer kIo, until disarm().
  void set_unreadable(const std::string& path, std::uint64_t offset);
  // Flips one bit of what is stored, durably; the offset is below the file's size.
  [[nodiscard]] Status corrupt(const std::string& path, std::uint64_t offset, unsigned bit = 0);

  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  [[nodiscard]] Status replace(const std::string& path, ByteView data) override;
  [[nodiscard]] Status replace_in_reserve(const std::string& path, ByteView data, std::uint64_t reserve_bytes) override;
  [[nodiscard]] Status keep_reserve(const std::string& path, std::uint64_t reserve_bytes) override;
  [[nodiscard]] Result<Bytes> read_all(const std::string& path, std::size_t limit) override;
  [[nodiscard]] Status remove(const std::string& path) override;
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& folder) override;
  [[nodiscard]] Status make_folder(const std::string& path) override;
  [[nodiscard]] Status sync_folder(const std::string& folder) override;
  [[nodiscard]] Result<Space> space() override;
  [[nodiscard]] Status probe() override;
  [[nodiscard]] Result<std::shared_ptr<const void>> watch(const std::string& path) override;
  [[nodiscard]] Status probe_writing() override { return probe(); }
  // Hangs as all else does.
  void unlock() override;
  [[nodiscard]] std::string root() const override;

 private:
  struct State;
  class OpenFile;
  explicit FaultDisk(std::shared_ptr<State> state);
  const std::shared_ptr<State> state_;
  const std::shared_ptr<FilesInUse> in_use_;
};

}  // namespace andromede::io
