#include "api/sigv4/verified_body.h"

#include <charconv>

#include "api/sigv4/canonical.h"

namespace andromede::api::sigv4 {
namespace {

constexpr std::string_view kEmptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// An error of the connection, told apart from errors of the services that the body goes to.
Error of_body(const Error& error) {
  if (error == Errc::kTimeout) {
    return {SigErrc::kBodyTimeout,
            "Your socket connection to the server was not read from or written to within the timeout period. Idle "
            "connections will be closed."};
  }
  if (error == Errc::kInvalidArgument) return {SigErrc::kBodyBroken, error.message()};
  return error;
}

tl::unexpected<Error> chunk_mismatch() {
  return fail(SigErrc::kChunkSignatureMismatch,
              "The request signature we calculated does not match the signature you provided. Check your key and "
              "signing method.");
}

tl::unexpected<Error> bad_trailer() {
  return fail(SigErrc::kMalformedTrailer,
              "The request contained trailing data that was not well-formed or did not conform to our published "
              "schema.");
}

tl::unexpected<Error> wrong_length() {
  return fail(SigErrc::kDecodedLengthMismatch,
              "You did not provide the number of bytes specified by the x-amz-decoded-content-length HTTP header");
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

bool is_chunked(PayloadMode mode) { return mode != PayloadMode::kHashed && mode != PayloadMode::kUnsigned; }

}  // namespace

VerifiedBody::VerifiedBody(BodySource& raw, const Authentication& authentication)
    : raw_(raw),
      authentication_(authentication),
      chunked_(is_chunked(authentication.payload)),
      signed_chunks_(authentication.payload == PayloadMode::kSignedChunks ||
                     authentication.payload == PayloadMode::kSignedChunksTrailer),
      previous_signature_(signed_chunks_ ? authentication.seed_signature : std::string()) {
  if (authentication.payload == PayloadMode::kHashed) hasher_ = crypto::make_hasher(crypto::Checksum::kSha256);
}

Result<std::unique_ptr<VerifiedBody>> VerifiedBody::make(BodySource& raw, const Authentication& authentication,
                                                         const net::RequestHead& head) {
  std::unique_ptr<VerifiedBody> body(new VerifiedBody(raw, authentication));
  if (!body->chunked_) {
    body->announced_ = raw.announced_size_bytes();
    return body;
  }
  if (const auto text = head.headers.find("x-amz-decoded-content-length")) {
    std::uint64_t length = 0;
    const auto parsed = std::from_chars(text->data(), text->data() + text->size(), length);
    if (parsed.ec != std::errc{} || parsed.ptr != text->data() + text->size()) {
      return fail(SigErrc::kInvalidDecodedLength, "x-amz-decoded-content-length must be a number of bytes");
    }
    body->announced_ = length;
  }
  if (authentication.payload != PayloadMode::kSignedChunks) {
    body->trailer_name_ = lower_case(head.headers.find("x-amz-trailer").value_or(""));
  }
  return body;
}

Task<Result<ByteView>> VerifiedBody::read() {
  if (failed_) co_return fail(*failed_);
  Result<ByteView> piece = chunked_ ? co_await read_chunked() : co_await read_plain();
  if (chunked_) co_await stretch_.pause_if_many();
  if (!piece) failed_ = piece.error();
  co_return piece;
}

Task<Result<ByteView>> VerifiedBody::read_plain() {
  Result<ByteView> piece = co_await raw_.read();
  if (!piece) co_return fail(of_body(piece.error()));
  total_ += piece->size();
  if (hasher_ == nullptr || done_) co_return *piece;
  hasher_->update(*piece);
  // A reader that counts may never ask for the end, so the last announced byte is where the hash is settled.
  if (piece->empty() || (announced_ && total_ >= *announced_)) {
    done_ = true;
    const Bytes digest = hasher_->finish();
    if (!constant_time_equal(digest, authentication_.payload_sha256)) {
      co_return fail(SigErrc::kContentHashMismatch,
                     "The provided 'x-amz-content-sha256' header does not match what was computed.");
    }
  }
  co_return *piece;
}

Task<Result<ByteView>> VerifiedBody::read_chunked() {
  using Event = codec::AwsChunkedParser::Event;
  while (!done_) {
    if (input_.empty()) {
      Result<ByteView> more = co_await raw_.read();
      if (!more) co_return fail(of_body(more.error()));
      if (more->empty()) {
        co_return fail(SigErrc::kDecodedLengthMismatch, "The request body terminated unexpectedly");
      }
      input_ = *more;
    }
    const Result<Event> event = parser_.next(input_);
    if (!event) co_return fail(SigErrc::kMalformedChunk, event.error().message());
    CO_CHECK_OK(on_event(*event));
    if (*event == Event::kData && !parser_.data().empty()) co_return parser_.data();
    if (*event != Event::kEnd) continue;

    if (input_.empty()) {
      Result<ByteView> more = co_await raw_.read();
      if (!more) co_return fail(of_body(more.error()));
      input_ = *more;
    }
    if (!input_.empty()) co_return fail(SigErrc::kMalformedChunk, "bytes behind the last chunk");
    done_ = true;
  }
  co_return ByteView{};
}

Status VerifiedBody::on_event(codec::AwsChunkedParser::Event event) {
  using Event = codec::AwsChunkedParser::Event;
  switch (event) {
    case Event::kChunkStart:
      return start_chunk();
    case Event::kData:
      total_ += parser_.data().size();
      if (hasher_) hasher_->update(parser_.data());
      return {};
    case Event::kChunkEnd:
      return last_chunk_seen_ ? Status{} : end_chunk();
    case Event::kTrailer:
      return take_trailer();
    case Event::kEnd:
      return finish();
    case Event::kNeedMore:
      return {};
  }
  return {};
}

Status VerifiedBody::start_chunk() {
  const std::uint64_t size = parser_.chunk_size();
  // Known to be too long before its bytes are taken.
  if (announced_ && size > *announced_ - std::min(*announced_, total_)) return wrong_length();
  if (signed_chunks_) {
    chunk_signature_ = parser_.chunk_signature();
    hasher_ = crypto::make_hasher(crypto::Checksum::kSha256);
  }
  if (size > 0) return {};
  last_chunk_seen_ = true;
  return end_chunk();
}

Status VerifiedBody::end_chunk() {
  if (!signed_chunks_) return {};
  const std::string hashes = std::string(kEmptySha256) + '\n' + to_hex(hasher_->finish());
  hasher_.reset();
  return check_signature(chunk_signature_, "AWS4-HMAC-SHA256-PAYLOAD", hashes);
}

Status VerifiedBody::take_trailer() {
  const std::string_view name = parser_.trailer_name();
  const std::string_view value = parser_.trailer_value();
  if (name == "x-amz-trailer-signature") {
    trailer_signature_ = value;
    return {};
  }
  // Only one checksum can be promised, so anything else is a trailer that nobody announced.
  if (name != trailer_name_ || trailing_checksum_) return bad_trailer();
  trailers_.append(name).append(":").append(value).append("\n");
  if (!name.starts_with("x-amz-checksum-")) return {};
  Result<Bytes> decoded = from_base64(value);
  if (!decoded) return bad_trailer();
  trailing_checksum_ = std::move(*decoded);
  return {};
}

Status VerifiedBody::finish() {
  if (announced_ && total_ != *announced_) return wrong_length();
  if (!trailer_name_.empty() && trailers_.empty()) return bad_trailer();
  if (authentication_.payload != PayloadMode::kSignedChunksTrailer) return {};
  const std::string hash = to_hex(crypto::sha256(as_bytes(trailers_)));
  return check_signature(trailer_signature_, "AWS4-HMAC-SHA256-TRAILER", hash);
}

// `hashes`: what follows the previous signature in the string to sign.
Status VerifiedBody::check_signature(std::string_view signature, std::string_view kind, std::string_view hashes) {
  std::string to_sign(kind);
  to_sign.append("\n").append(authentication_.amz_date);
  to_sign.append("\n").append(authentication_.scope);
  to_sign.append("\n").append(previous_signature_);
  to_sign.append("\n").append(hashes);
  std::string expected = to_hex(crypto::hmac_sha256(authentication_.signing_key->bytes(), as_bytes(to_sign)));
  if (!constant_time_equal(as_bytes(signature), as_bytes(expected))) return chunk_mismatch();
  previous_signature_ = std::move(expected);
  return {};
}

}  // namespace andromede::api::sigv4
