// GetObject, HeadObject, and the parts that GetObjectAttributes shows.
#include <algorithm>

#include "objects/conditions.h"
#include "objects/layout.h"
#include "objects/service_impl.h"

namespace andromede::objects {
namespace {

// What part of an object is asked for.
struct Window {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool partial = false;
};

Result<Window> window_of(const std::optional<ByteRange>& range, std::uint64_t size) {
  // RFC 9110 section 14.1.1: a range whose last byte is before its first is no range.
  if (!range || (!range->first && !range->last) || (range->first && range->last && *range->last < *range->first)) {
    return Window{0, size, false};
  }
  if (!range->first) {
    const std::uint64_t length = std::min(*range->last, size);
    if (length == 0) return fail(ObjectErrc::kInvalidRange, "the range holds no byte of the object");
    return Window{size - length, length, true};
  }
  if (*range->first >= size) {
    return fail(ObjectErrc::kInvalidRange, "the range begins behind the object's " + std::to_string(size) + " bytes");
  }
  const std::uint64_t last = std::min(range->last.value_or(size - 1), size - 1);
  return Window{*range->first, last - *range->first + 1, true};
}

// Narrows to one part: its bytes, and its checksum in place of the object's.
Result<Window> window_of_part(const std::vector<PartRecord>& parts, std::uint32_t number, ObjectInfo& info) {
  if (info.parts == 0 && number == 1) return Window{0, info.size_bytes, info.size_bytes > 0};
  std::uint64_t offset = 0;
  for (const PartRecord& part : parts) {
    if (part.number == number) {
      const ChecksumType type = info.checksum.type;
      info.checksum = part.checksum;
      info.checksum.type = type;
      return Window{offset, part.size_bytes, part.size_bytes > 0};
    }
    offset += part.size_bytes;
  }
  return fail(ObjectErrc::kInvalidPart, "the object has no part " + std::to_string(number));
}

// The inlined piece that a window touches.
const Piece* inlined_in(const std::vector<Piece>& pieces, const Window& window) {
  std::uint64_t begin = 0;
  for (const Piece& piece : pieces) {
    const std::uint64_t end = begin + piece.size_bytes;
    if (piece.inlined && begin < window.offset + window.length && end > window.offset) return &piece;
    begin = end;
  }
  return nullptr;
}

class OpenedObject final : public OpenObject {
 public:
  OpenedObject(ObjectInfo info, Window window) : info_(std::move(info)), window_(window) {}

  [[nodiscard]] const ObjectInfo& info() const override { return info_; }
  [[nodiscard]] std::uint64_t offset() const override { return window_.offset; }
  [[nodiscard]] std::uint64_t length() const override { return window_.length; }
  [[nodiscard]] bool partial() const override { return window_.partial; }
  Task<Result<ByteView>> read() override {
    if (!reader) return nothing();
    return reader->read();
  }

  std::optional<VersionPin> pin;
  std::optional<PieceReader> reader;

 private:
  static Task<Result<ByteView>> nothing() { co_return ByteView{}; }

  ObjectInfo info_;
  Window window_;
};

}  // namespace

Task<Result<std::unique_ptr<OpenObject>>> ServiceImpl::get(identity::Caller caller, GetRequest request) {
  CO_CHECK_OK(check_key(request.key));
  if (request.range && request.part_number) {
    co_return fail(ObjectErrc::kInvalidRequest, "a range and a part number cannot be asked for together");
  }
  CO_TRY(const BucketRecord bucket, co_await find_bucket(caller, request.bucket));
  co_return co_await open_object(
      caller, {bucket, request.key, request.conditions, request.range, request.part_number, request.head_only, false});
}

Task<Result<std::unique_ptr<OpenObject>>> ServiceImpl::open_object(const identity::Caller& caller,
                                                                   OpenRequest request) {
  for (unsigned tries = 0;; ++tries) {
    auto opened = co_await try_open(caller, request);
    // What the record names is gone: the object was replaced meanwhile, and its record is another by now.
    if (!opened && opened.error() == Errc::kNotFound && tries < kMaxCommitTries) continue;
    if (!opened && opened.error() == Errc::kNotFound) {
      co_return fail(Errc::kCorrupt, "an object's record names bytes that are not there");
    }
    co_return opened;
  }
}

Task<Result<std::unique_ptr<OpenObject>>> ServiceImpl::try_open(const identity::Caller& caller,
                                                                const OpenRequest& request) {
  CO_TRY(const auto current, co_await find_object(request.bucket, request.key));
  if (!current) {
    CO_TRY(const auto state, co_await read_state(request.bucket));
    if (!state) co_return fail(ObjectErrc::kNoSuchBucket, "the bucket was deleted");
    co_return fail(ObjectErrc::kNoSuchKey, "there is no object of that key");
  }
  const ObjectRecord& record = current->record;
  CO_CHECK_OK(request.copy_source ? check_copy_source(request.conditions, record.head)
                                  : check_read(request.conditions, record.head));

  ObjectInfo info = info_of(request.key, record);
  std::vector<PartRecord> parts;
  if (record.head.parts > 0 && (request.part_number || !request.head_only)) {
    CO_TRY(parts, co_await all_parts(request.bucket, record));
  }
  Window window;
  if (request.part_number) {
    CO_TRY(window, window_of_part(parts, *request.part_number, info));
  } else {
    CO_TRY(window, window_of(request.range, record.head.size_bytes));
  }
  auto opened = std::make_unique<OpenedObject>(std::move(info), window);
  if (request.head_only || window.length == 0) co_return std::unique_ptr<OpenObject>(std::move(opened));

  std::vector<Piece> pieces = record.pieces;
  for (PartRecord& part : parts) std::ranges::move(part.pieces, std::back_inserter(pieces));
  const BlobId version = pieces.front().blob;
  const Piece* const inlined = inlined_in(pieces, window);
  const bool whole_inline = inlined != nullptr && pieces.size() == 1;
  // Pinned before it is looked whether the version is still there: from then on its blobs stay.
  if (!whole_inline) opened->pin.emplace(live_, version);
  std::string payload;
  if (inlined != nullptr) {
    CO_TRY(auto stored,
           co_await meta_.get(layout::bucket_partition(request.bucket.id), layout::inline_payload(inlined->blob)));
    if (!stored) co_return fail(Errc::kNotFound, "the object was replaced while it was opened");
    payload = std::move(*stored);
  }
  opened->reader.emplace(open_, caller.account.id, layout::bucket_partition(request.bucket.id), std::move(pieces),
                         window.offset, window.length, std::move(payload));
  CO_CHECK_OK(co_await opened->reader->open_first());
  co_return std::unique_ptr<OpenObject>(std::move(opened));
}

Task<Result<std::vector<PartInfo>>> ServiceImpl::object_parts(identity::Caller caller, std::string bucket,
                                                              std::string key, std::uint32_t after, std::size_t max) {
  CO_CHECK_OK(check_key(key));
  CO_TRY(const BucketRecord record, co_await find_bucket(caller, bucket));
  for (unsigned tries = 0; tries < kMaxCommitTries; ++tries) {
    CO_TRY(const auto current, co_await find_object(record, key));
    if (!current) co_return fail(ObjectErrc::kNoSuchKey, "there is no object of that key");
    const auto parts = co_await all_parts(record, current->record);
    if (!parts && parts.error() == Errc::kNotFound) continue;
    if (!parts) co_return fail(parts.error());
    std::vector<PartInfo> infos;
    for (const PartRecord& part : *parts) {
      if (part.number <= after) continue;
      if (infos.size() == max) break;
      infos.push_back(info_of(part));
    }
    co_return infos;
  }
  co_return fail(ObjectErrc::kConditionalRequestConflict, "the object kept changing while it was read");
}

}  // namespace andromede::objects
