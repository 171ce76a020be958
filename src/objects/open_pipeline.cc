#include "objects/open_pipeline.h"

#include <algorithm>

#include "base/check.h"
#include "objects/layout.h"
#include "objects/liars.h"
#include "objects/seal_pipeline.h"

namespace andromede::objects {
namespace {

using crypto::kSealedSegmentBytes;
using crypto::kSegmentBytes;
using crypto::kTagBytes;

std::uint32_t last_segment(std::uint64_t piece_bytes) {
  return piece_bytes == 0 ? 0 : static_cast<std::uint32_t>((piece_bytes - 1) / kSegmentBytes);
}

std::size_t plain_segment_bytes(std::uint64_t piece_bytes, std::uint32_t segment) {
  if (segment < last_segment(piece_bytes)) return kSegmentBytes;
  return static_cast<std::size_t>(piece_bytes - std::uint64_t{segment} * kSegmentBytes);
}

}  // namespace

PieceReader::PieceReader(const OpenContext& context, keys::KeyUse use, meta::Partition partition,
                         std::vector<Piece> pieces, std::uint64_t offset, std::uint64_t length, std::string payload)
    : context_(context),
      use_(std::move(use)),
      partition_(std::move(partition)),
      pieces_(std::move(pieces)),
      payload_(std::move(payload)),
      position_(offset),
      left_(length) {
  while (index_ < pieces_.size() && position_ >= pieces_[index_].size_bytes && left_ > 0) {
    position_ -= pieces_[index_].size_bytes;
    ++index_;
  }
  CHECK(left_ == 0 || index_ < pieces_.size(), "a range lies inside the object");
}

std::uint64_t PieceReader::piece_left() const { return std::min(pieces_[index_].size_bytes - position_, left_); }

ByteView PieceReader::give(ByteView view) {
  given_ = view.size();
  return view;
}

void PieceReader::unread(std::size_t count) {
  CHECK(count <= given_, "only what was given last can be given again");
  given_ -= count;
  if (reader_ == nullptr) return;
  if (count > 0 && plain_.capacity() <= kSegmentBytes) {
    // A segment is kept: who is always slow would have each opened twice.
    again_ = plain_.view().subspan(position_ % kSegmentBytes + given_, count);
  } else {
    next_segment_ = static_cast<std::uint32_t>((position_ + given_) / kSegmentBytes);
    plain_ = Buffer();
  }
  reader_->rest_at(std::uint64_t{next_segment_} * kSealedSegmentBytes);
  unread_ = {};
  straddling_ = Buffer();
  transfer_->slow_down();
  transfer_->rest();
}

void PieceReader::advance(std::size_t count) {
  context_.bytes_read.add(static_cast<double>(count));
  position_ += count;
  left_ -= count;
  while (left_ > 0 && position_ == pieces_[index_].size_bytes) {
    ++index_;
    CHECK(index_ < pieces_.size(), "the pieces hold the whole range");
    position_ = 0;
    reader_.reset();
    opener_.reset();
  }
  // Of what lies inline nothing is worked on: what the blob before it took is given back.
  if (left_ > 0 && pieces_[index_].inlined && transfer_) {
    plain_ = Buffer();
    straddling_ = Buffer();
    transfer_->rest();
  }
}

Task<Status> PieceReader::open_first() {
  if (left_ == 0 || pieces_[index_].inlined) co_return Status{};
  co_return co_await open_blob(pieces_[index_]);
}

Task<Result<ByteView>> PieceReader::read() {
  advance(std::exchange(given_, 0));
  if (left_ == 0) co_return ByteView{};
  if (!again_.empty()) co_return give(std::exchange(again_, {}));
  const Piece& piece = pieces_[index_];
  if (piece.inlined) co_return co_await read_inlined(piece);
  for (unsigned tries = 0;; ++tries) {
    if (reader_ == nullptr) CO_CHECK_OK(co_await open_blob(piece));
    forged_segment_.reset();
    Result<ByteView> view = co_await read_blob(piece);
    if (view || tries == kMaxRelocations) co_return view;
    if (forged_segment_) {
      CO_CHECK_OK(co_await distrust_liars(*forged_segment_));
    } else if (!(view.error() == Errc::kNotFound)) {
      co_return view;
    }
    reader_.reset();
  }
}

Task<Status> PieceReader::open_key(const Piece& piece) {
  if (opener_ != nullptr) co_return Status{};
  use_.blob = piece.blob;
  const auto key = co_await context_.keys.open_data_key(piece.key, piece.wrapped_key, use_);
  // kNotFound would say that the bytes went, and have the record read again.
  if (!key && key.error() == Errc::kNotFound) co_return fail(Errc::kCorrupt, key.error().message());
  if (!key) co_return fail(key.error());
  opener_ = std::make_unique<crypto::SegmentOpener>(*key, piece.blob);
  co_return Status{};
}

Task<Status> PieceReader::open_blob(const Piece& piece) {
  if (!transfer_) transfer_.emplace(context_.transfers);
  CO_CHECK_OK(co_await open_key(piece));
  next_segment_ = static_cast<std::uint32_t>(position_ / kSegmentBytes);
  unread_ = {};
  straddling_.clear();
  const std::uint64_t sealed_bytes = crypto::sealed_size(piece.size_bytes);
  const std::uint64_t begin = std::uint64_t{next_segment_} * kSealedSegmentBytes;
  const std::uint64_t last = (position_ + piece_left() - 1) / kSegmentBytes;
  const std::uint64_t end = std::min((last + 1) * kSealedSegmentBytes, sealed_bytes);
  for (unsigned tries = 0;; ++tries) {
    CO_TRY(const std::optional<std::string> record,
           co_await context_.meta.get(partition_, {meta::Space::kRecords, layout::blob(piece.blob)},
                                      Deadline::after(context_.clock, context_.deadline)));
    std::optional<blob::BlobRef> ref;
    if (record) {
      CO_TRY(BlobRecord stored, decode_blob(as_bytes(*record)));
      ref = std::move(stored.ref);
    } else {
      ref = context_.live.find(piece.blob);
    }
    if (!ref) co_return fail(Errc::kNotFound, "no record names the blob " + piece.blob.to_string());
    if (ref->size_bytes != sealed_bytes) {
      co_return fail(Errc::kCorrupt, "the blob " + piece.blob.to_string() + " has another size than its object says");
    }
    const Deadline deadline = Deadline::after(context_.clock, transfer_time(context_.deadline, end - begin));
    auto reader = co_await context_.blobs.open_reader(*ref, begin, end - begin, deadline);
    if (reader) {
      reader_ = std::move(*reader);
      ref_ = std::move(*ref);
      co_return Status{};
    }
    if (!(reader.error() == Errc::kNotFound)) co_return fail(std::move(reader).error());
    // One that several were about to displace is announced still by who comes too late to.
    if (!record) co_return fail(Errc::kNotFound, "the blob " + piece.blob.to_string() + " was removed");
    // A drained or healed blob moves between our reading of its record and of its place.
    if (tries == kMaxRelocations) {
      co_return fail(Errc::kCorrupt, "the blob " + piece.blob.to_string() + " does not lie where its record says");
    }
  }
}

Task<Status> PieceReader::distrust_liars(std::uint32_t segment) {
  const Deadline deadline = Deadline::after(context_.clock, context_.deadline);
  CO_TRY(const blob::Suspects liars, co_await find_liars(context_.blobs, ref_, *opener_, segment, {}, deadline));
  // None: what lied moved, or is repaired, since.
  context_.blobs.distrust(ref_, liars);
  co_return Status{};
}

Task<Result<ByteView>> PieceReader::read_inlined(const Piece& piece) {
  if (payload_.size() != crypto::sealed_size(piece.size_bytes)) {
    co_return fail(Errc::kCorrupt,
                   "the payload of " + piece.blob.to_string() + " has another size than its object says");
  }
  CO_CHECK_OK(co_await open_key(piece));
  const auto segment = static_cast<std::uint32_t>(position_ / kSegmentBytes);
  const std::size_t size = plain_segment_bytes(piece.size_bytes, segment);
  auto* const sealed = reinterpret_cast<std::uint8_t*>(payload_.data()) + segment * kSealedSegmentBytes;
  if (opened_segment_ != segment) {
    CO_CHECK_OK(opener_->open(segment, {sealed, size + kTagBytes}, segment == last_segment(piece.size_bytes), sealed));
    opened_segment_ = segment;
  }
  const std::size_t skip = position_ % kSegmentBytes;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size - skip, left_));
  co_return give({sealed + skip, count});
}

Task<Result<ByteView>> PieceReader::read_blob(const Piece& piece) {
  const std::size_t skip = position_ % kSegmentBytes;
  const std::uint64_t batch_bytes = transfer_->next_batch();
  reader_->read_at_most(batch_bytes);
  const std::uint64_t wanted = std::min(piece_left() + skip, batch_bytes);
  const std::uint64_t range = (piece_left() + skip + kSegmentBytes - 1) / kSegmentBytes * kSegmentBytes;
  if (plain_.capacity() < std::min(range, batch_bytes) || plain_.capacity() > batch_bytes) {
    plain_ = Buffer(static_cast<std::size_t>(std::min(range, batch_bytes)));
  }
  plain_.clear();
  const std::uint32_t last = last_segment(piece.size_bytes);
  while (plain_.size() < wanted) {
    if (unread_.empty()) {
      CO_TRY(unread_, co_await reader_->read());
      if (unread_.empty()) co_return fail(Errc::kCorrupt, "the blob " + piece.blob.to_string() + " ended early");
    }
    const std::size_t plain = plain_segment_bytes(piece.size_bytes, next_segment_);
    const std::size_t sealed = plain + kTagBytes;
    ByteView segment;
    if (straddling_.empty() && unread_.size() >= sealed) {
      segment = unread_.first(sealed);
      unread_ = unread_.subspan(sealed);
    } else {
      if (straddling_.capacity() == 0) straddling_ = Buffer(kSealedSegmentBytes);
      const std::size_t count = std::min(unread_.size(), sealed - straddling_.size());
      straddling_.append(unread_.first(count));
      unread_ = unread_.subspan(count);
      if (straddling_.size() < sealed) continue;
      segment = straddling_.view();
    }
    if (Status opened = opener_->open(next_segment_, segment, next_segment_ == last, plain_.tail().data()); !opened) {
      forged_segment_ = next_segment_;
      co_return fail(std::move(opened).error());
    }
    plain_.grow(plain);
    straddling_.clear();
    ++next_segment_;
  }
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(plain_.size() - skip, piece_left()));
  co_return give(plain_.view().subspan(skip, count));
}

}  // namespace andromede::objects
