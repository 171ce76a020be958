#include "meta/rocksdb/state.h"

#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/snapshot.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <system_error>

#include "base/check.h"
#include "base/log.h"
#include "meta/rocksdb/counter_merge.h"
#include "meta/rocksdb/log_record.h"
#include "meta/rocksdb/own_cache.h"
#include "meta/rocksdb/state_env.h"

namespace andromede::meta {
namespace {

// Some seconds' worth where each is a seek of a busy drive.
constexpr std::size_t kKeysOfAPart = 256;
constexpr const char* kAppliedKey = "applied";
constexpr const char* kSaltKey = "salt";

// A look-up beyond the cache decompresses and checks a whole block for one record; walks are as fast with this size.
constexpr std::size_t kBlockBytes = 4 << 10;
constexpr std::size_t kMinBlobBytes = 512;  // smaller inline payloads stay in the tree: a blob's header would cost more
constexpr std::uint64_t kBlobFileBytes = 64 << 20;
constexpr int kMaxMemtables = 3;
constexpr double kMemtableFilterShare = 0.03;     // of a memtable, for a filter: most look-ups are of older keys
constexpr std::size_t kMaxSuccessiveMerges = 32;  // a counter's read costs as many steps
// A table of records with so many deletions in a row of so many entries is compacted before its turn: what listings
// would have to step over again and again.
constexpr std::size_t kDeletionsToCompact = 2048;
constexpr std::size_t kDeletionsWindow = 4096;

// What `key`, of the engine's own, holds.
std::string seal_own(const RecordSeal& seal, std::string_view key, std::string value) {
  return value.append(as_text(seal.tag(kEngineSpace, key, value)));
}

std::string encode_applied(const RecordSeal& seal, std::uint64_t index, const JournalEnd& journal) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.u64(index);
  out.u64(journal.sequence);
  out.raw(journal.tag);
  return seal_own(seal, kAppliedKey, std::string(as_text(bytes)));
}

std::string encode_salt(const RecordSeal& seal, std::uint64_t salt) {
  Bytes bytes;
  ByteWriter(bytes).u64(salt);
  return seal_own(seal, kSaltKey, std::string(as_text(bytes)));
}

rocksdb::ColumnFamilyOptions family_options(const State::Options& options) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = options.cache;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  table.block_size = kBlockBytes;
  if (options.warm_cache) {
    table.prepopulate_block_cache = rocksdb::BlockBasedTableOptions::PrepopulateBlockCache::kFlushOnly;
  }
  rocksdb::ColumnFamilyOptions family;
  family.merge_operator = make_no_merge();
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.write_buffer_size = options.memtable_bytes;
  family.max_write_buffer_number = kMaxMemtables;
  family.memtable_whole_key_filtering = true;
  family.memtable_prefix_bloom_size_ratio = kMemtableFilterShare;
  family.compression = rocksdb::kLZ4Compression;
  family.level0_slowdown_writes_trigger = 40;
  family.level0_stop_writes_trigger = 60;
  return family;
}

std::vector<rocksdb::ColumnFamilyDescriptor> describe_families(const State::Options& options) {
  rocksdb::ColumnFamilyOptions records = family_options(options);
  records.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(kDeletionsWindow, kDeletionsToCompact));
  rocksdb::ColumnFamilyOptions inlined = family_options(options);
  inlined.enable_blob_files = true;
  inlined.min_blob_size = kMinBlobBytes;
  inlined.blob_file_size = kBlobFileBytes;
  inlined.blob_cache = options.cache;
  inlined.enable_blob_garbage_collection = true;
  inlined.blob_garbage_collection_force_threshold = 0.5;
  if (options.warm_cache) inlined.prepopulate_blob_cache = rocksdb::PrepopulateBlobCache::kFlushOnly;
  rocksdb::ColumnFamilyOptions counters = family_options(options);
  counters.merge_operator = make_counter_merge();
  counters.max_successive_merges = kMaxSuccessiveMerges;
  return {{rocksdb::kDefaultColumnFamilyName, family_options(options)},
          {"records", records},
          {"inline", inlined},
          {"journal", family_options(options)},
          {"counters", counters}};
}

// RocksDB answers "found", with an empty value, when a table that may hold the key is not open and must not be opened
// (TableCache::Get). So an empty value from memory alone says nothing; no stored value is empty.
bool believable(Tier tier, std::size_t value_bytes) { return tier == Tier::kAll || value_bytes > 0; }

// Collects a payload's changes into a batch.
class BatchBuilder final : public ChangeVisitor {
 public:
  // `journal`: where it ends before these changes.
  BatchBuilder(const State& state, rocksdb::WriteBatch& batch, const JournalEnd& journal)
      : state_(state), batch_(batch), journal_(journal) {}
  // Behind them.
  [[nodiscard]] const JournalEnd& journal() const { return journal_; }
  Status put(Space space, std::string_view key, std::string_view value) override {
    if (space == Space::kJournal && key.size() == sizeof journal_.sequence && value.size() >= kTagBytes) {
      journal_.sequence = read_be64(as_bytes(key));
      const ByteView tag = as_bytes(value.substr(value.size() - kTagBytes));
      std::copy(tag.begin(), tag.end(), journal_.tag.begin());
    }
    return check(batch_.Put(state_.family(space), key, value));
  }
  Status erase(Space space, std::string_view key) override { return check(batch_.Delete(state_.family(space), key)); }
  Status add(std::string_view key, std::int64_t by) override {
    return check(batch_.Merge(state_.family(kCounterSpace), key, encode_counter(by)));
  }

 private:
  static Status check(const rocksdb::Status& status) {
    if (status.ok()) return {};
    return fail(to_error(status, "building a batch"));
  }
  const State& state_;
  rocksdb::WriteBatch& batch_;
  JournalEnd journal_;
};

// RocksDB keeps an errno only as text.
bool tells_of(const rocksdb::Status& status, int number) {
  return status.IsIOError() && status.ToString().find(std::generic_category().message(number)) != std::string::npos;
}

}  // namespace

Error to_error(const rocksdb::Status& status, std::string_view what) {
  Errc code = Errc::kInternal;
  // What is not of the form that was asked for is the files' doing, for the questions are ours.
  if (status.IsCorruption() || status.IsInvalidArgument() || status.IsNotSupported()) {
    code = Errc::kCorrupt;
  } else if (status.IsNoSpace() || tells_of(status, EDQUOT)) {
    code = Errc::kNoSpace;
  } else if (tells_of(status, EMFILE) || tells_of(status, ENFILE)) {
    code = Errc::kOverloaded;
  } else if (status.IsBusy()) {
    code = Errc::kTimeout;
  } else if (status.IsIOError()) {
    code = Errc::kIo;
  }
  return {make_error_code(code), std::string(what) + ": " + status.ToString()};
}

rocksdb::ReadOptions read_options(Tier tier) {
  rocksdb::ReadOptions options;
  options.read_tier = tier == Tier::kMemory ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
  return options;
}

void ensure_background_threads(std::size_t states) {
  for (const auto kind : {rocksdb::Env::Priority::HIGH, rocksdb::Env::Priority::LOW}) {
    rocksdb::Env::Default()->IncBackgroundThreadsIfNeeded(static_cast<int>(states), kind);
  }
}

class State::Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::function<void(const Error&)> report) : report_(std::move(report)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    if (status == nullptr || status->ok() || status->IsShutdownInProgress()) return;
    if (report_) report_(to_error(*status, "background work"));
  }

 private:
  const std::function<void(const Error&)> report_;
};

namespace {

// RocksDB's own log file would lie on the drive, whose being full its writer asserts against: the process would end.
class WarningsOnly final : public rocksdb::Logger {
 public:
  explicit WarningsOnly(std::string path) : rocksdb::Logger(rocksdb::WARN_LEVEL), path_(std::move(path)) {}
  void LogHeader(const char* /*format*/, va_list /*arguments*/) override {}
  void Logv(const char* format, va_list arguments) override {
    std::array<char, 512> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    // Every checkpoint holds deletions back twice, and says so at both ends: nothing that an operator could mend.
    const bool ordinary = std::string_view(text.data()).find("File Deletions ") != std::string_view::npos;
    log(ordinary ? LogLevel::kDebug : LogLevel::kWarning, "metadata: RocksDB",
        {{"state", path_}, {"message", text.data()}});
  }

 private:
  const std::string path_;
};

}  // namespace

Status State::make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directory(std::filesystem::path(path).parent_path(), error);
  if (!error) std::filesystem::create_directory(path, error);
  if (error) return fail(Errc::kIo, path + ": " + error.message());
  return {};
}

Result<std::unique_ptr<State>> State::create(const std::string& path, Options options) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return fail(Errc::kIo, path + ": " + error.message());
  CHECK_OK(make_folder(path));
  return open_at(path, std::move(options), true);
}

Result<std::unique_ptr<State>> State::open(const std::string& path, Options options) {
  return open_at(path, std::move(options), false);
}

Result<std::unique_ptr<State>> State::open_at(const std::string& path, Options options, bool create) {
  rocksdb::DBOptions db_options;
  db_options.create_if_missing = create;
  db_options.create_missing_column_families = create;
  db_options.atomic_flush = true;
  db_options.avoid_flush_during_shutdown = true;
  db_options.allow_concurrent_memtable_write = false;  // one thread applies
  db_options.db_write_buffer_size = 2 * options.memtable_bytes;
  db_options.max_background_jobs = 2;
  db_options.max_open_files = static_cast<int>(options.max_open_files);
  db_options.row_cache = options.row_cache;
  db_options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  db_options.bytes_per_sync = 1 << 20;
  db_options.info_log = std::make_shared<WarningsOnly>(path);
  db_options.stats_dump_period_sec = 0;
  db_options.stats_persist_period_sec = 0;
  db_options.listeners.push_back(std::make_shared<Listener>(options.on_background_error));

  options.cache = make_own_cache(std::move(options.cache));
  std::unique_ptr<State> state(new State(options));
  state->env_ = make_state_env(std::move(options.on_step));
  db_options.env = state->env_.get();
  rocksdb::DB* db = nullptr;
  const rocksdb::Status opened =
      rocksdb::DB::Open(db_options, path, describe_families(options), &state->families_, &db);
  if (!opened.ok()) {
    Error error = to_error(opened, path);
    const bool missing = opened.IsPathNotFound() || opened.IsInvalidArgument() || opened.IsNotFound();
    if (!create && missing) return fail(Errc::kCorrupt, error.message());
    return fail(std::move(error));
  }
  state->db_.reset(db);
  TRY(const Applied applied, state->read_applied(rocksdb::kReadAllTier));
  state->applied_ = applied.index;
  state->journal_ = applied.journal;
  CHECK_OK(state->check_journal_end());
  TRY(state->salt_, state->read_salt());
  return state;
}

// Entries that were left out at the journal's end would make this mirror's end, among equals, that of all.
Status State::check_journal_end() const {
  std::uint64_t sequence = 0;
  std::string entry;
  TRY(const Found any, last_entry(sequence, entry));
  Bytes key;
  append_be64(key, sequence);
  const bool right = any == Found::kNo ? journal_.sequence == 0
                                       : sequence == journal_.sequence &&
                                             seal_->tag(Space::kJournal, as_text(key), entry) == journal_.tag;
  if (right) return {};
  return fail(Errc::kCorrupt, "state: the journal does not end with what was applied last");
}

State::~State() {
  if (db_ == nullptr) return;
  for (auto* family : families_) (void)db_->DestroyColumnFamilyHandle(family).ok();
  (void)db_->Close().ok();
}

rocksdb::ColumnFamilyHandle* State::family(Space space) const { return families_[1 + static_cast<std::size_t>(space)]; }

Result<std::optional<Bytes>> State::read_own(const char* key, rocksdb::ReadTier tier) const {
  rocksdb::ReadOptions options;
  options.read_tier = tier;
  std::string value;
  const rocksdb::Status status = db_->Get(options, families_.front(), key, &value);
  if (status.IsNotFound()) return std::optional<Bytes>();
  if (!status.ok()) return fail(to_error(status, key));
  CHECK_OK(open_in_place(kEngineSpace, key, value));
  return std::optional(to_bytes(as_bytes(value)));
}

Result<State::Applied> State::read_applied(rocksdb::ReadTier tier) const {
  TRY(const std::optional<Bytes> stored, read_own(kAppliedKey, tier));
  Applied applied;
  if (!stored) return applied;
  ByteReader in(*stored);
  applied.index = in.u64();
  applied.journal.sequence = in.u64();
  const ByteView tag = in.raw(applied.journal.tag.size());
  CHECK_OK(in.finish("state: what was applied"));
  std::copy(tag.begin(), tag.end(), applied.journal.tag.begin());
  return applied;
}

Result<std::uint64_t> State::read_salt() const {
  TRY(const std::optional<Bytes> stored, read_own(kSaltKey, rocksdb::kReadAllTier));
  if (!stored) return 0;
  ByteReader in(*stored);
  const std::uint64_t salt = in.u64();
  CHECK_OK(in.finish("state: the salt"));
  return salt;
}

Result<std::uint64_t> State::flushed() const {
  TRY(const Applied flushed, read_applied(rocksdb::kPersistedTier));
  return flushed.index;
}

Status State::apply(ByteView payload, std::uint64_t last_index) {
  rocksdb::WriteBatch batch(payload.size() + payload.size() / 8 + 64);
  BatchBuilder builder(*this, batch, journal_);
  CHECK_OK(visit_changes(payload, builder));
  rocksdb::Status status =
      batch.Put(families_.front(), kAppliedKey, encode_applied(*seal_, last_index, builder.journal()));
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  if (status.ok()) status = db_->Write(options, &batch);
  if (!status.ok()) return fail(to_error(status, "applying commit " + std::to_string(last_index)));
  journal_ = builder.journal();
  applied_.store(last_index, std::memory_order_release);
  return {};
}

Status State::start_epoch(std::uint64_t salt) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  rocksdb::WriteBatch batch;
  rocksdb::Status status = batch.Put(families_.front(), kSaltKey, encode_salt(*seal_, salt));
  if (status.ok()) {
    status = batch.Put(families_.front(), kAppliedKey, encode_applied(*seal_, applied(), journal_));
  }
  if (status.ok()) status = db_->Write(options, &batch);
  if (!status.ok()) return fail(to_error(status, "starting a log epoch"));
  CHECK_OK(flush());
  salt_ = salt;
  return {};
}

Status State::flush() {
  rocksdb::FlushOptions options;
  options.allow_write_stall = true;
  const rocksdb::Status status = db_->Flush(options, families_);
  if (!status.ok()) return fail(to_error(status, "flush"));
  return {};
}

Status State::start_flush() {
  rocksdb::FlushOptions options;
  options.wait = false;
  options.allow_write_stall = true;
  const rocksdb::Status status = db_->Flush(options, families_);
  if (!status.ok() && !status.IsTryAgain()) return fail(to_error(status, "flush"));
  return {};
}

Status State::resume() {
  const rocksdb::Status status = db_->Resume();
  if (!status.ok()) return fail(to_error(status, "resuming"));
  return {};
}

Result<Found> State::get(Space space, std::string_view key, Tier tier, std::string& value) const {
  const rocksdb::Status status = db_->Get(read_options(tier), family(space), key, &value);
  if (status.ok()) {
    if (!believable(tier, value.size())) return Found::kNotInMemory;
    CHECK_OK(open_in_place(space, key, value));
    return Found::kYes;
  }
  if (status.IsNotFound()) return Found::kNo;
  if (status.IsIncomplete()) return Found::kNotInMemory;
  return fail(to_error(status, "get"));
}

Result<Found> State::get_many(const std::vector<std::string>& keys, Tier tier,
                              std::vector<std::optional<std::string>>& values,
                              const std::function<void()>& on_part) const {
  std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> found(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  rocksdb::ReadOptions options = read_options(tier);
  std::optional<rocksdb::ManagedSnapshot> snapshot;
  const std::size_t part = tier == Tier::kAll ? kKeysOfAPart : keys.size();
  if (keys.size() > part) {
    snapshot.emplace(db_.get());
    options.snapshot = snapshot->snapshot();
  }
  for (std::size_t at = 0; at < keys.size(); at += part) {
    db_->MultiGet(options, family(Space::kRecords), std::min(part, keys.size() - at), &slices[at], &found[at],
                  &statuses[at]);
    if (on_part) on_part();
  }
  values.assign(keys.size(), std::nullopt);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].ok()) {
      if (!believable(tier, found[i].size())) return Found::kNotInMemory;
      TRY(const std::string_view value, open_value(Space::kRecords, keys[i], found[i].ToStringView()));
      values[i].emplace(value);
    } else if (statuses[i].IsIncomplete()) {
      return Found::kNotInMemory;
    } else if (!statuses[i].IsNotFound()) {
      return fail(to_error(statuses[i], "get_many"));
    }
  }
  return Found::kYes;
}

void State::clear_deleted(SteadyTime now) {
  // Deleted keys in tables are compacted away by themselves (kDeletionsToCompact); those that nothing flushes yet are
  // in no table.
  std::uint64_t deleted = 0;
  if (!db_->GetIntProperty(family(Space::kRecords), "rocksdb.num-deletes-active-mem-table", &deleted)) return;
  if (deleted < kDeletionsToClear) return;
  SteadyTime before = cleared_at_.load();
  if (before != SteadyTime{} && now - before < kClearEvery) return;
  if (!cleared_at_.compare_exchange_strong(before, now)) return;
  // A failed flush is told by RocksDB's background error.
  (void)start_flush();
}

Result<Found> State::last_entry(std::uint64_t& sequence, std::string& entry) const {
  const std::unique_ptr<rocksdb::Iterator> iterator(
      db_->NewIterator(read_options(Tier::kAll), family(Space::kJournal)));
  iterator->SeekToLast();
  if (!iterator->status().ok()) return fail(to_error(iterator->status(), "last journal entry"));
  if (!iterator->Valid()) return Found::kNo;
  const rocksdb::Slice key = iterator->key();
  if (key.size() != sizeof sequence) return fail(Errc::kCorrupt, "state: a journal key has 8 bytes");
  sequence = read_be64(as_bytes(key.ToStringView()));
  TRY(const std::string_view value, open_value(Space::kJournal, key.ToStringView(), iterator->value().ToStringView()));
  entry = value;
  return Found::kYes;
}

Result<std::string_view> State::open_value(Space space, std::string_view key, std::string_view stored) const {
  if (!is_sealed(space)) return stored;
  auto value = seal_->open(space, key, stored);
  if (!value && on_forged_) on_forged_();
  return value;
}

Status State::open_in_place(Space space, std::string_view key, std::string& stored) const {
  TRY(const std::string_view value, open_value(space, key, stored));
  stored.resize(value.size());
  return {};
}

Status State::checkpoint(const std::string& path) {
  // Not left to RocksDB: before 8.1, the flush of its own for live files can part the families of an atomic flush
  // (facebook/rocksdb#11148), and without its log nothing would bring what is missing back.
  CHECK_OK(flush());
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(path, std::numeric_limits<std::uint64_t>::max());
  if (!status.ok()) return fail(to_error(status, "checkpoint"));
  return {};
}

std::uint64_t State::bytes() const {
  std::uint64_t total = 0;
  for (auto* family : families_) {
    std::uint64_t value = 0;
    if (db_->GetIntProperty(family, "rocksdb.total-sst-files-size", &value)) total += value;
    if (db_->GetIntProperty(family, "rocksdb.total-blob-file-size", &value)) total += value;
  }
  return total;
}

std::vector<State::LiveFile> State::live_files() const {
  const auto recorded = [](const std::string& method, const std::string& value) {
    return method == rocksdb::kStandardDbFileChecksumFuncName ? value : std::string();
  };
  std::vector<LiveFile> files;
  std::vector<rocksdb::ColumnFamilyMetaData> families;
  db_->GetAllColumnFamilyMetaData(&families);
  for (const rocksdb::ColumnFamilyMetaData& family : families) {
    for (const rocksdb::LevelMetaData& level : family.levels) {
      for (const rocksdb::SstFileMetaData& file : level.files) {
        files.push_back({db_->GetName() + file.name, recorded(file.file_checksum_func_name, file.file_checksum)});
      }
    }
    for (const rocksdb::BlobMetaData& file : family.blob_files) {
      files.push_back({db_->GetName() + file.blob_file_name, recorded(file.checksum_method, file.checksum_value)});
    }
  }
  return files;
}

}  // namespace andromede::meta
