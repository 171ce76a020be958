// aws-chunked, the content encoding of SigV4 streaming uploads ("Signature calculations … transferring a payload in
// multiple chunks", "… including trailing headers"): `hex-size[;chunk-signature=…]\r\n data \r\n … 0…\r\n trailers
// \r\n`. An incremental push parser: no I/O, no signatures (api/sigv4 checks those from the events).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace andromede::codec {

class AwsChunkedParser {
 public:
  enum class Event : std::uint8_t {
    kNeedMore,    // all input is consumed
    kChunkStart,  // chunk_size() and chunk_signature() are set; size 0 is the last chunk
    kData,        // data() is a piece of the chunk, a view into the input
    kChunkEnd,    // a chunk's data are complete; follows every kChunkStart, the last chunk's too
    kTrailer,     // one trailer line: trailer_name() (lower case), trailer_value(); x-amz-trailer-signature too
    kEnd,         // the terminating empty line was read; further input is an error
  };

  // Parses from `input`, removing what it consumed, up to the next event. Errors: kInvalidArgument (framing, a chunk
  // over kMaxChunkBytes, a line over kMaxLineBytes, over kMaxTrailers); after one the parser is not used again. What
  // the accessors answer is valid until the next call.
  Result<Event> next(ByteView& input);

  [[nodiscard]] std::uint64_t chunk_size() const;
  [[nodiscard]] std::string_view chunk_signature() const;  // empty when the chunk has none
  [[nodiscard]] ByteView data() const;
  [[nodiscard]] std::string_view trailer_name() const;
  [[nodiscard]] std::string_view trailer_value() const;

  // As much as one PUT may hold: SDKs that know a body's length send it as one chunk, and no chunk is kept whole here.
  static constexpr std::uint64_t kMaxChunkBytes = 5ULL << 30;
  static constexpr std::size_t kMaxLineBytes = 4096;
  static constexpr unsigned kMaxTrailers = 32;

 private:
  enum class State : std::uint8_t { kHead, kData, kDataEnd, kTrailers, kDone };

  // The next whole line, without its end, in line_; false: more input is needed.
  Result<bool> read_line(ByteView& input);
  Result<Event> read_head(ByteView& input);
  Result<Event> read_data(ByteView& input);
  Result<Event> read_data_end(ByteView& input);
  Result<Event> read_trailer(ByteView& input);
  Status parse_head();
  Status parse_trailer();

  State state_ = State::kHead;
  std::string line_;
  bool line_complete_ = false;
  bool line_ended_bare_ = false;  // by "\n" without "\r"
  bool trailer_signed_ = false;
  std::uint64_t chunk_size_ = 0;
  std::uint64_t chunk_left_ = 0;
  std::string signature_;
  ByteView data_;
  std::string trailer_name_;
  std::string trailer_value_;
  unsigned trailers_ = 0;
};

}  // namespace andromede::codec
