// GetObject, HeadObject, GetObjectAttributes.
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

// The inlined piece that a window touches; the first piece begins at `begin` in the object.
const Piece* inlined_in(const std::vector<Piece>& pieces, std::uint64_t begin, const Window& window) {
  for (const Piece& piece : pieces) {
    const std::uint64_t end = begin + piece.size_bytes;
    if (piece.inlined && begin < window.offset + window.length && end > window.offset) return &piece;
    begin = end;
  }
  return nullptr;
}

class OpenedObject final : public OpenObject {
 public:
  OpenedObject(ObjectInfo info, Window window, std::vector<PartInfo> parts)
      : info_(std::move(info)), window_(window), parts_(std::move(parts)) {}
  // Found not modified.
  explicit OpenedObject(ObjectInfo info) : info_(std::move(info)), not_modified_(true) {}

  [[nodiscard]] const ObjectInfo& info() const override { return info_; }
  [[nodiscard]] bool not_modified() const override { return not_modified_; }
  [[nodiscard]] const std::vector<PartInfo>& parts() const override { return parts_; }
  [[nodiscard]] std::uint64_t offset() const override { return window_.offset; }
  [[nodiscard]] std::uint64_t length() const override { return window_.length; }
  [[nodiscard]] bool partial() const override { return window_.partial; }
  Task<Result<ByteView>> read() override {
    if (!reader) return nothing();
    return reader->read();
  }
  void unread(std::size_t count) override {
    if (reader) reader->unread(count);
  }

  std::optional<VersionPin> pin;
  std::optional<PieceReader> reader;

 private:
  static Task<Result<ByteView>> nothing() { co_return ByteView{}; }

  ObjectInfo info_;
  Window window_;
  std::vector<PartInfo> parts_;
  bool not_modified_ = false;
};

}  // namespace

Task<Result<std::unique_ptr<OpenObject>>> ServiceImpl::get(const identity::Context& context, GetRequest request) {
  CO_CHECK_OK(check_key(request.key));
  if (request.range && request.part_number) {
    co_return fail(ObjectErrc::kInvalidRequest, "a range and a part number cannot be asked for together");
  }
  CO_TRY(const BucketRecord bucket, co_await find_bucket(context, context.action, request.bucket));
  co_return co_await open_object({.context = context,
                                  .bucket = bucket,
                                  .key = request.key,
                                  .conditions = request.conditions,
                                  .range = request.range,
                                  .if_range = request.if_range ? &*request.if_range : nullptr,
                                  .part_number = request.part_number,
                                  .parts = request.parts,
                                  .head_only = request.head_only});
}

Task<Result<std::unique_ptr<OpenObject>>> ServiceImpl::open_object(OpenRequest request) {
  for (Retries::Try a_try = retries_.begin(request.context.stop); a_try.may_go_on(); co_await a_try.pause()) {
    auto opened = co_await try_open(request);
    // What the record names is gone: the object was replaced meanwhile, and its record is another by now.
    if (opened || !(opened.error() == Errc::kNotFound)) co_return opened;
  }
  co_return fail(Errc::kCorrupt, "an object's record names bytes that are not there");
}

Task<Result<std::unique_ptr<OpenObject>>> ServiceImpl::try_open(const OpenRequest& request) {
  CO_TRY(auto current, request.head_only ? co_await find_object(request.bucket, request.key)
                                         : co_await find_object_with_payload(request.bucket, request.key));
  if (!current) {
    CO_TRY(const auto state, co_await read_state(request.bucket));
    if (!state) co_return fail(ObjectErrc::kNoSuchBucket, "the bucket was deleted");
    co_return fail(ObjectErrc::kNoSuchKey, "there is no object of that key");
  }
  const ObjectRecord& record = current->record;
  meta::Partition partition = layout::partition(request.bucket.id, request.key);
  ObjectInfo info = info_of(request.key, record);
  const Status holds = request.copy_source ? check_copy_source(request.conditions, record.head)
                                           : check_read(request.conditions, record.head);
  if (!holds && holds.error().code() == ObjectErrc::kNotModified) {
    co_return std::make_unique<OpenedObject>(std::move(info));
  }
  CO_CHECK_OK(holds);

  Window window;
  if (request.part_number) {
    CO_TRY(const PlacedPart placed, co_await find_part(partition, record, *request.part_number));
    window = {placed.offset, placed.part.size_bytes, placed.part.size_bytes > 0};
    if (info.parts > 0) {
      // Its value belongs to a checksum of the object's type.
      const ChecksumType type = info.checksum.type;
      info.checksum = placed.part.checksum;
      info.checksum.type = type;
    }
  } else if (request.if_range == nullptr || range_counts(*request.if_range, record.head)) {
    CO_TRY(window, window_of(request.range, record.head.size_bytes));
  } else {
    window.length = record.head.size_bytes;
  }
  std::vector<PartInfo> listed;
  if (request.parts.max > 0) {
    CO_TRY(listed, co_await list_object_parts(partition, record, request.parts));
  }
  auto opened = std::make_unique<OpenedObject>(std::move(info), window, std::move(listed));
  if (request.head_only || window.length == 0) co_return std::unique_ptr<OpenObject>(std::move(opened));

  CO_TRY(PieceRun run, co_await pieces_of(partition, record, window.offset, window.length));
  const Piece* const inlined = inlined_in(run.pieces, run.offset, window);
  const bool whole_inline = inlined != nullptr && run.pieces.size() == 1;
  // Pinned before it is looked whether the version is still there: from then on its blobs stay.
  if (!whole_inline) opened->pin.emplace(live_, record.version());
  std::string payload;
  if (inlined != nullptr) {
    std::optional<std::string> stored = std::move(current->payload);
    if (!stored) {
      CO_TRY(stored, co_await meta_.get(partition, layout::inline_payload(inlined->blob), deadline()));
    }
    if (!stored) co_return fail(Errc::kNotFound, "the object was replaced while it was opened");
    payload = std::move(*stored);
  }
  opened->reader.emplace(open_, key_use(request.context, request.bucket), std::move(partition), std::move(run.pieces),
                         window.offset - run.offset, window.length, std::move(payload));
  CO_CHECK_OK(co_await opened->reader->open_first());
  co_return std::unique_ptr<OpenObject>(std::move(opened));
}

Task<Result<ServiceImpl::PlacedPart>> ServiceImpl::find_part(const meta::Partition& partition,
                                                             const ObjectRecord& record, std::uint32_t number) {
  PlacedPart placed;
  if (record.head.parts == 0 && number == 1) {
    placed.part.size_bytes = record.head.size_bytes;
    co_return placed;
  }
  std::vector<PartRecord> parts = record.parts;
  for (std::size_t list = 0; list < record.lists.size(); ++list) {
    if (record.lists[list].last_number >= number) {
      CO_TRY(parts, co_await read_part_list(partition, record, list));
      break;
    }
    placed.offset += record.lists[list].size_bytes;
  }
  for (PartRecord& part : parts) {
    if (part.number == number) {
      placed.part = std::move(part);
      co_return placed;
    }
    placed.offset += part.size_bytes;
  }
  const std::uint32_t count = std::max(record.head.parts, 1U);
  co_return fail(ObjectErrc::kInvalidPartNumber, "The requested partnumber is not satisfiable: the object has " +
                                                     std::to_string(count) + (count == 1 ? " part" : " parts"));
}

Task<Result<std::vector<PartInfo>>> ServiceImpl::list_object_parts(const meta::Partition& partition,
                                                                   const ObjectRecord& record, PartsWanted wanted) {
  std::vector<PartInfo> infos;
  const auto take = [&](const std::vector<PartRecord>& parts) {
    for (const PartRecord& part : parts) {
      if (part.number > wanted.after && infos.size() < wanted.max) infos.push_back(info_of(part));
    }
  };
  Stretch stretch;
  take(record.parts);
  for (std::size_t list = 0; list < record.lists.size() && infos.size() < wanted.max; ++list) {
    if (record.lists[list].last_number <= wanted.after) continue;
    CO_TRY(const std::vector<PartRecord> parts, co_await read_part_list(partition, record, list));
    take(parts);
    co_await stretch.pause();
  }
  co_return infos;
}

}  // namespace andromede::objects
