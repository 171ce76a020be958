#include "objects/seal_pipeline.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace andromede::objects {
namespace {

using crypto::kSealedSegmentBytes;
using crypto::kSegmentBytes;
using crypto::kTagBytes;

std::uint8_t* bytes_of(std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); }

// Seals a body that lies whole in memory. `plain` is used up: where one segment holds it, it becomes the payload.
std::string seal_whole(std::string plain, const crypto::SecretKey& key, BlobId blob) {
  crypto::SegmentSealer sealer(key, blob);
  const std::size_t size = plain.size();
  if (size <= kSegmentBytes) {
    plain.resize(size + kTagBytes);
    sealer.seal(as_bytes(plain).first(size), true, bytes_of(plain));
    return plain;
  }
  std::string sealed(crypto::sealed_size(size), '\0');
  std::uint8_t* out = bytes_of(sealed);
  for (ByteView left = as_bytes(plain); !left.empty();) {
    const ByteView segment = left.first(std::min(left.size(), kSegmentBytes));
    left = left.subspan(segment.size());
    sealer.seal(segment, left.empty(), out);
    out += segment.size() + kTagBytes;
  }
  return sealed;
}

Status check_complete(std::optional<std::uint64_t> announced, std::uint64_t got) {
  if (announced && got < *announced) {
    return fail(ObjectErrc::kIncompleteBody, "the body ended after " + std::to_string(got) + " of " +
                                                 std::to_string(*announced) + " announced bytes");
  }
  if (announced && got > *announced) return fail(ObjectErrc::kInvalidRequest, "the body is longer than announced");
  return {};
}

Status check_limit(std::uint64_t size_bytes, std::uint64_t limit_bytes) {
  if (size_bytes <= limit_bytes) return {};
  return fail(ObjectErrc::kEntityTooLarge, "at most " + std::to_string(limit_bytes) + " bytes are allowed");
}

// Only the time that the peer kept us waiting counts: that the drives are slow is not its fault.
Status check_pace(SteadyTime::duration waited, std::uint64_t got) {
  if (waited <= transfer_time(kSlowestGrace, got)) return {};
  return fail(ObjectErrc::kRequestTimeout,
              std::to_string(got) + " bytes of the body arrived in " +
                  std::to_string(std::chrono::duration_cast<std::chrono::seconds>(waited).count()) + " s; at least " +
                  std::to_string(kFairBytesPerSecond) + " a second are expected");
}

// A new piece, and what seals it.
struct SealingKey {
  Piece piece;
  crypto::SecretKey key;
};

Task<Result<SealingKey>> make_key(const SealContext& context, keys::KeyUse& use) {
  Piece piece;
  piece.blob = use.blob = BlobId::random(context.random);
  CO_TRY(keys::DataKey made, co_await context.keys.make_data_key(use));
  piece.key = made.wrapped_by;
  piece.wrapped_key = std::move(made.wrapped);
  co_return SealingKey{std::move(piece), std::move(made.key)};
}

// Cuts a stream of plaintext into pieces, each sealed under its own key and written to its own blob.
//
// Two batches of plaintext take turns: while the MD5 of one is hashed in the lanes, the same bytes are sealed and
// handed to the blob store, and the loop receives into the other.
class PieceWriter {
 public:
  PieceWriter(const SealContext& context, const PolicyId& policy, keys::KeyUse& use,
              std::optional<std::uint64_t> announced, const std::vector<crypto::Checksum>& kinds, SealedBody& out,
              Unfinished::Entry& unfinished)
      : context_(context),
        policy_(policy),
        use_(use),
        announced_(announced),
        out_(out),
        unfinished_(unfinished),
        transfer_(context.transfers),
        digests_(announced.value_or(kMaxPutBytes) > crypto::kMd5LanesMinBytes ? &context.lanes : nullptr, kinds) {}

  // Takes all of `plain`.
  Task<Status> write(ByteView plain) {
    while (!plain.empty()) {
      // A full batch is sealed only when more is known to follow: whether a segment is the last one is sealed with it.
      if (piece_bytes_ == planned_bytes_) {
        if (writer_ != nullptr) CO_CHECK_OK(co_await finish_piece());
        CO_CHECK_OK(co_await open_piece());
      } else if (filling().room() == 0) {
        CO_CHECK_OK(co_await turn(false));
      }
      const auto count = static_cast<std::size_t>(
          std::min<std::uint64_t>({plain.size(), filling().room(), planned_bytes_ - piece_bytes_}));
      filling().append(plain.first(count));
      piece_bytes_ += count;
      plain = plain.subspan(count);
    }
    co_return Status{};
  }

  // The peer let us wait for what comes next: little is to be gathered at once.
  void waited() { transfer_.slow_down(); }

  // Ends the last piece. An empty body is one empty piece.
  Task<Result<DigestedBody>> finish() {
    if (writer_ == nullptr) CO_CHECK_OK(co_await open_piece());
    CO_CHECK_OK(co_await finish_piece());
    co_return co_await digests_.finish();
  }

 private:
  Buffer& filling() { return plain_[filling_]; }

  Task<Status> open_piece() {
    if (announced_) {
      planned_bytes_ = *announced_;
    } else {
      planned_bytes_ = planned_bytes_ == 0 ? kFirstBlobBytes : std::min(2 * planned_bytes_, kLargestBlobBytes);
    }
    piece_bytes_ = 0;
    CO_TRY(SealingKey sealing, co_await make_key(context_, use_));
    Piece piece = std::move(sealing.piece);
    const std::uint64_t sealed_bytes = crypto::sealed_size(planned_bytes_);
    const Deadline deadline = Deadline::after(context_.clock, transfer_time(context_.deadline, sealed_bytes));
    CO_TRY(writer_, co_await context_.blobs.open_writer(piece.blob, policy_, sealed_bytes, deadline));
    sealer_ = std::make_unique<crypto::SegmentSealer>(sealing.key, piece.blob);
    out_.pieces.push_back(std::move(piece));
    prepare(filling());
    co_return Status{};
  }

  // Only a batch that more is to come behind needs room for a whole batch.
  void prepare(Buffer& plain) {
    const std::uint64_t batch_bytes = transfer_.next_batch();
    const std::uint64_t wanted = std::min<std::uint64_t>(planned_bytes_ - piece_bytes_, batch_bytes);
    if (plain.capacity() < wanted || plain.capacity() > batch_bytes) plain = Buffer(static_cast<std::size_t>(wanted));
    plain.clear();
    if (batch_bytes == kSegmentBytes) sealed_ = Buffer();
  }

  Task<Status> finish_piece() {
    CO_CHECK_OK(co_await turn(true));
    CO_TRY(blob::BlobRef ref, co_await writer_->finish());
    writer_.reset();
    out_.pieces.back().size_bytes = piece_bytes_;
    out_.add(std::move(ref));
    co_return Status{};
  }

  // Digests, seals and writes the batch, and makes the other the next to be filled.
  Task<Status> turn(bool ends_piece) {
    CO_CHECK_OK(co_await digests_.done());
    digests_.start(filling().view());
    seal(filling().view(), ends_piece);
    context_.bytes_written.add(static_cast<double>(filling().size()));
    arrived_bytes_ += filling().size();
    unfinished_.arrived(arrived_bytes_);
    CO_CHECK_OK(co_await writer_->write(sealed_.view()));
    filling_ = 1 - filling_;
    if (!ends_piece) {
      prepare(filling());
    } else {
      // The next piece begins in the other batch too, or there is none.
      CO_CHECK_OK(co_await digests_.done());
    }
    co_return Status{};
  }

  void seal(ByteView plain, bool ends_piece) {
    const std::size_t bytes = plain.size() + (plain.size() / kSegmentBytes + 1) * kTagBytes;
    if (sealed_.capacity() < bytes) sealed_ = Buffer(bytes);
    sealed_.clear();
    do {
      const ByteView segment = plain.first(std::min(plain.size(), kSegmentBytes));
      plain = plain.subspan(segment.size());
      CHECK(ends_piece || segment.size() == kSegmentBytes, "only a piece's last segment is short");
      sealer_->seal(segment, ends_piece && plain.empty(), sealed_.tail().data());
      sealed_.grow(segment.size() + kTagBytes);
    } while (!plain.empty());
  }

  const SealContext& context_;
  const PolicyId& policy_;
  keys::KeyUse& use_;
  const std::optional<std::uint64_t> announced_;
  SealedBody& out_;
  Unfinished::Entry& unfinished_;
  Transfers::Entry transfer_;
  std::array<Buffer, 2> plain_;
  std::size_t filling_ = 0;
  Buffer sealed_;
  std::uint64_t arrived_bytes_ = 0;  // of the body, sealed
  std::uint64_t piece_bytes_ = 0;    // plaintext bytes of the open piece
  std::uint64_t planned_bytes_ = 0;  // at most so many
  std::unique_ptr<blob::Writer> writer_;
  std::unique_ptr<crypto::SegmentSealer> sealer_;
  BodyDigests digests_;  // ends before the batches that it may be reading
};

// Moves the rest of a body, `head` and `view` in front, into `writer`. Answers its size.
Task<Result<std::uint64_t>> pump(BodySource& body, std::string_view head, ByteView view, std::uint64_t limit_bytes,
                                 PieceWriter& writer, const Clock& clock) {
  SteadyTime::duration waited{};
  const std::optional<std::uint64_t> announced = body.announced_size_bytes();
  std::uint64_t size = head.size();
  CO_CHECK_OK(co_await writer.write(as_bytes(head)));
  while (true) {
    if (view.empty()) {
      const SteadyTime began = clock.steady();
      CO_TRY(view, co_await body.read());
      if (view.empty()) break;
      const SteadyTime::duration waited_now = clock.steady() - began;
      waited += waited_now;
      if (waited_now >= kPeerPatience) writer.waited();
      CO_CHECK_OK(check_pace(waited, size + view.size()));
    }
    size += view.size();
    CO_CHECK_OK(check_limit(size, limit_bytes));
    if (announced && size > *announced) CO_CHECK_OK(check_complete(announced, size));
    CO_CHECK_OK(co_await writer.write(view));
    view = {};
  }
  CO_CHECK_OK(check_complete(announced, size));
  co_return size;
}

}  // namespace

std::vector<BlobRecord> SealedBody::blobs() const {
  std::vector<BlobRecord> records;
  for (const blob::BlobRef& ref : refs_) {
    const auto piece =
        std::find_if(pieces.begin(), pieces.end(), [&](const Piece& each) { return each.blob == ref.id; });
    CHECK(piece != pieces.end(), "every blob is a piece");
    records.push_back({ref, piece->key, piece->wrapped_key});
  }
  return records;
}

Task<Result<SealedBody>> seal_body(const SealContext& context, Sender sender, PolicyId policy, keys::KeyUse use,
                                   BodySource& body, std::vector<crypto::Checksum> kinds, std::uint64_t limit_bytes) {
  const std::uint64_t inline_limit_bytes = context.policies.inline_limit_bytes(policy);
  const std::optional<std::uint64_t> announced = body.announced_size_bytes();
  if (announced) CO_CHECK_OK(check_limit(*announced, limit_bytes));

  SealedBody out(context.live);
  std::string head;
  ByteView view;
  if (inline_limit_bytes > 0 && announced.value_or(0) <= inline_limit_bytes) {
    if (announced) head.reserve(*announced + kTagBytes);
    while (true) {
      CO_TRY(view, co_await body.read());
      if (view.empty() || head.size() + view.size() > inline_limit_bytes) break;
      head += as_text(view);
    }
    if (view.empty()) {
      CO_CHECK_OK(check_complete(announced, head.size()));
      CO_CHECK_OK(check_limit(head.size(), limit_bytes));
      out.size_bytes = head.size();
      out.digests = BodyDigests::of(as_bytes(head), kinds);
      CO_TRY(SealingKey sealing, co_await make_key(context, use));
      Piece piece = std::move(sealing.piece);
      piece.size_bytes = head.size();
      piece.inlined = true;
      context.bytes_written.add(static_cast<double>(head.size()));
      out.inline_payload = seal_whole(std::move(head), sealing.key, piece.blob);
      out.pieces.push_back(std::move(piece));
      co_return out;
    }
    if (announced) CO_CHECK_OK(check_complete(announced, head.size() + view.size()));
  }

  CO_TRY(const auto unfinished, context.unfinished.begin(sender, announced.value_or(kFirstBlobBytes)));
  PieceWriter writer(context, policy, use, announced, kinds, out, *unfinished);
  CO_TRY(out.size_bytes, co_await pump(body, head, view, limit_bytes, writer, context.clock));
  CO_TRY(out.digests, co_await writer.finish());
  co_return out;
}

}  // namespace andromede::objects
