// VerifiedBody: the body of a signed request, decoded and checked while it is read.
//
// The hash of the whole body, or the chain of chunk and trailer signatures, is known only at the end, so a reader must
// not let anything become visible before read() has answered the end (an empty view). Every error is one of SigErrc or
// kCancelled (the client went away).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/sigv4/authenticator.h"
#include "base/stream.h"
#include "base/stretch.h"
#include "codec/aws_chunked.h"
#include "crypto/digest.h"
#include "net/http.h"

namespace andromede::api::sigv4 {

// One call at a time. Borrows the raw body and the Authentication, which outlive it.
class VerifiedBody final : public BodySource {
 public:
  // Reads x-amz-decoded-content-length and x-amz-trailer from `head`. SigErrc::kInvalidDecodedLength: not a number.
  static Result<std::unique_ptr<VerifiedBody>> make(BodySource& raw, const Authentication& authentication,
                                                    const net::RequestHead& head);

  // After an error, the same error again: a body that was found wrong has no end.
  Task<Result<ByteView>> read() override;
  [[nodiscard]] std::optional<std::uint64_t> announced_size_bytes() const override { return announced_; }
  [[nodiscard]] std::optional<Bytes> trailing_checksum() const override { return trailing_checksum_; }

  // Decoded bytes given so far.
  [[nodiscard]] std::uint64_t bytes_read() const { return total_; }
  // The trailer that the client announced, lower case ("x-amz-checksum-crc32"); empty: none.
  [[nodiscard]] const std::string& trailer_name() const { return trailer_name_; }

 private:
  VerifiedBody(BodySource& raw, const Authentication& authentication);

  Task<Result<ByteView>> read_plain();
  Task<Result<ByteView>> read_chunked();
  Status on_event(codec::AwsChunkedParser::Event event);
  Status start_chunk();
  Status end_chunk();
  Status take_trailer();
  Status finish();
  Status check_signature(std::string_view signature, std::string_view kind, std::string_view hashes);

  BodySource& raw_;
  const Authentication& authentication_;
  const bool chunked_;
  const bool signed_chunks_;
  std::optional<std::uint64_t> announced_;
  std::string trailer_name_;
  std::optional<Bytes> trailing_checksum_;

  std::uint64_t total_ = 0;
  std::unique_ptr<crypto::Hasher> hasher_;
  bool done_ = false;  // the end was reached and found right
  std::optional<Error> failed_;

  codec::AwsChunkedParser parser_;
  ByteView input_;
  std::string previous_signature_;
  std::string chunk_signature_;
  bool last_chunk_seen_ = false;
  std::string trailers_;  // canonical form, as signed
  std::string trailer_signature_;
  Stretch stretch_;  // of tiny chunks, a piece of the raw body holds thousands
};

}  // namespace andromede::api::sigv4
