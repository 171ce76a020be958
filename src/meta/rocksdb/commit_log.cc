#include "meta/rocksdb/commit_log.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/check.h"

namespace andromede::meta {
namespace {

constexpr std::size_t kFillBytes = 1 << 20;
constexpr std::size_t kScanBytes = 1 << 20;

std::string segment_name(std::size_t index) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "segment-%04zu", index);
  return name.data();
}

std::string segment_path(std::size_t index) { return std::string(kLogFolder) + "/" + segment_name(index); }

Error forged(const RecordHeader& header) {
  return {make_error_code(Errc::kCorrupt),
          "commit log: the record of commit " + std::to_string(header.first_index) + " is forged"};
}

}  // namespace

Result<std::unique_ptr<CommitLog>> CommitLog::create(std::shared_ptr<io::Disk> disk, std::uint64_t segment_bytes) {
  CHECK(segment_bytes > 0 && segment_bytes % kLogBlockBytes == 0, "segments are whole blocks");
  CHECK_OK(disk->make_folder(kLogFolder));
  TRY(const std::vector<std::string> old, disk->list(kLogFolder));
  for (const std::string& name : old) CHECK_OK(disk->remove(std::string(kLogFolder) + "/" + name));
  CHECK_OK(disk->sync_folder(kLogFolder));
  std::unique_ptr<CommitLog> log(new CommitLog(std::move(disk), segment_bytes));
  while (log->segments_.size() < kInitialSegments) CHECK_OK(log->add_segment());
  CHECK_OK(log->start());
  return log;
}

Result<std::unique_ptr<CommitLog>> CommitLog::open(std::shared_ptr<io::Disk> disk, std::uint64_t segment_bytes,
                                                   std::function<void()> on_step) {
  std::unique_ptr<CommitLog> log(new CommitLog(std::move(disk), segment_bytes));
  log->on_step_ = std::move(on_step);
  TRY(const std::vector<std::string> names, log->disk_->list(kLogFolder));
  // A segment that vanished could take acknowledged commits with it and leave no gap in the rest.
  const auto there = [&](std::size_t i) {
    return std::find(names.begin(), names.end(), segment_name(i)) != names.end();
  };
  std::size_t count = kMaxSegments;
  while (count > 0 && !there(count - 1)) --count;
  for (std::size_t i = 0; i < std::max(count, kInitialSegments); ++i) {
    if (!there(i)) return fail(Errc::kCorrupt, "the commit log's " + segment_name(i) + " is gone");
    TRY(auto file, log->disk_->open(segment_path(i), io::OpenMode::kReadWrite));
    log->take(std::move(file));
  }
  return log;
}

void CommitLog::take(std::unique_ptr<io::File> file) {
  segments_.push_back({std::move(file), 0});
  segment_count_.store(segments_.size(), std::memory_order_relaxed);
}

Status CommitLog::fill(io::File& file) const {
  CHECK_OK(file.allocate(0, segment_bytes_));
  const Bytes zeros(std::min<std::uint64_t>(kFillBytes, segment_bytes_), 0);
  for (std::uint64_t offset = 0; offset < segment_bytes_; offset += zeros.size()) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), segment_bytes_ - offset));
    CHECK_OK(file.write_at(offset, ByteView(zeros).first(count)));
    step();
  }
  return file.sync();
}

void CommitLog::step() const {
  if (on_step_) on_step_();
}

Status CommitLog::add_segment() {
  const std::string path = segment_path(segments_.size());
  auto file = disk_->open(path, io::OpenMode::kCreate);
  if (!file && file.error() == Errc::kAlreadyExists) file = disk_->open(path, io::OpenMode::kReadWrite);
  if (!file) return fail(std::move(file).error());
  Status filled = fill(**file);
  if (filled) filled = disk_->sync_folder(kLogFolder);
  if (!filled) {
    // A half-made segment takes space that others need; open() copes with one that stays.
    file->reset();
    (void)disk_->remove(path).has_value();
    return filled;
  }
  take(std::move(*file));
  return {};
}

Status CommitLog::scan_segment(const RecordSeal& seal, std::size_t index, std::uint64_t salt, std::uint64_t applied,
                               std::vector<Position>& found) const {
  io::File& file = *segments_[index].file;
  TRY(const std::uint64_t size, file.size());
  const std::uint64_t end = std::min(size, segment_bytes_) / kLogBlockBytes * kLogBlockBytes;
  Bytes window;
  std::uint64_t window_start = 0;
  // Makes [offset, offset + count) readable in the window.
  const auto load = [&](std::uint64_t offset, std::size_t count) -> Result<ByteView> {
    if (offset < window_start || offset + count > window_start + window.size()) {
      window.resize(static_cast<std::size_t>(std::min<std::uint64_t>(std::max(count, kScanBytes), end - offset)));
      window_start = offset;
      TRY(const std::size_t got, file.read_at(offset, window));
      step();
      if (got != window.size()) return fail(Errc::kIo, "commit log: a segment is shorter than its size");
    }
    return ByteView(window).subspan(static_cast<std::size_t>(offset - window_start), count);
  };
  for (std::uint64_t offset = 0; offset < end;) {
    TRY(const ByteView block, load(offset, kLogBlockBytes));
    const auto header = decode_header(block);
    // Without the salt, or this cloud's tag, these are bytes that a client or a drive may have chosen: they are no
    // record, and nothing may depend on them. Where one was overwritten by them, it is missing.
    if (header && header->version == kRecordVersion && header->salt == salt && header->record_bytes() <= end - offset) {
      TRY(const ByteView record, load(offset, header->record_bytes()));
      if (record_is_intact(*header, record) && record_is_ours(seal, *header, record)) {
        if (header->last_index() > applied) found.push_back({*header, index, offset});
        offset += header->record_bytes();
        continue;
      }
    }
    offset += kLogBlockBytes;
  }
  return {};
}

Result<std::vector<CommitLog::Position>> CommitLog::scan(const RecordSeal& seal, std::uint64_t salt,
                                                         std::uint64_t applied) {
  std::vector<Position> found;
  for (std::size_t i = 0; i < segments_.size(); ++i) CHECK_OK(scan_segment(seal, i, salt, applied, found));
  std::sort(found.begin(), found.end(),
            [](const Position& a, const Position& b) { return a.header.first_index < b.header.first_index; });
  std::uint64_t next = applied + 1;
  for (const Position& position : found) {
    if (position.header.first_index != next) {
      return fail(Errc::kCorrupt, "commit log: commit " + std::to_string(next) + " is damaged or missing, commit " +
                                      std::to_string(position.header.first_index) + " behind it is there");
    }
    next = position.header.last_index() + 1;
  }
  return found;
}

Result<Bytes> CommitLog::read(const RecordSeal& seal, const Position& position) {
  Bytes record(position.header.record_bytes());
  TRY(const std::size_t got, segments_[position.segment].file->read_at(position.offset, record));
  step();
  if (got != record.size() || !record_is_intact(position.header, record)) {
    return fail(Errc::kCorrupt, "commit log: commit " + std::to_string(position.header.first_index) + " is damaged");
  }
  // It may be another one than was scanned.
  if (!record_is_ours(seal, position.header, record)) return fail(forged(position.header));
  return record;
}

Status CommitLog::start() {
  for (Segment& segment : segments_) {
    segment.last_index = 0;
    TRY(const std::uint64_t size, segment.file->size());
    if (size != segment_bytes_) {
      CHECK_OK(segment.file->truncate(0));
      CHECK_OK(fill(*segment.file));
    }
  }
  while (segments_.size() < kInitialSegments) CHECK_OK(add_segment());
  current_ = 0;
  offset_ = 0;
  return {};
}

bool CommitLog::fits(std::size_t record_bytes) const { return record_bytes <= segment_bytes_ - offset_; }

Result<bool> CommitLog::prepare(std::uint64_t flushed) {
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].last_index > flushed) continue;
    segments_[i].last_index = 0;
    current_ = i;
    offset_ = 0;
    return true;
  }
  if (segments_.size() == kMaxSegments) return false;
  const Status added = add_segment();
  if (!added && added.error() == Errc::kNoSpace) return false;
  if (!added) return fail(added.error());
  current_ = segments_.size() - 1;
  offset_ = 0;
  return true;
}

Status CommitLog::append(ByteView record, std::uint64_t last_index) {
  CHECK(fits(record.size()), "prepare() made room for the record");
  Segment& segment = segments_[current_];
  CHECK_OK(segment.file->write_at(offset_, record));
  CHECK_OK(segment.file->sync());
  offset_ += record.size();
  segment.last_index = last_index;
  return {};
}

}  // namespace andromede::meta
