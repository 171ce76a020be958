// The chunked transfer coding (RFC 9112 section 7.1), decoded piece by piece and strictly. Pure; fuzzed.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace andromede::net {

class ChunkedDecoder {
 public:
  enum class Event : std::uint8_t {
    kNeedMore,  // all input is consumed
    kData,      // data() is a piece of the body, a view into the input
    kEnd,       // the body is whole; what is left of the input belongs to the next request
  };

  // Decodes from `input`, removing what it consumed, up to the next event. Extensions and trailers are skipped. Error:
  // kInvalidArgument (broken framing, or more framing than the limits below); the decoder is of no use afterwards.
  Result<Event> next(ByteView& input);

  [[nodiscard]] ByteView data() const { return data_; }
  [[nodiscard]] bool done() const { return state_ == State::kDone; }

  static constexpr std::size_t kMaxLineBytes = 512;          // a chunk's size with its extensions
  static constexpr std::size_t kMaxTrailerBytes = 8 * 1024;  // all trailers together
  // Framing that is not paid for by data: many tiny chunks, or long extensions.
  static constexpr std::uint64_t kMaxOverheadBytes = 16 * 1024;

 private:
  enum class State : std::uint8_t { kSize, kExtension, kSizeLf, kData, kDataCr, kDataLf, kTrailer, kTrailerLf, kDone };

  Status take(std::uint8_t byte);  // one byte of framing
  Status take_size_digit(std::uint8_t byte);
  Status end_size_line();
  Status count_line_byte();

  State state_ = State::kSize;
  ByteView data_;
  std::uint64_t chunk_left_ = 0;
  unsigned digits_ = 0;
  std::size_t line_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::uint64_t overhead_bytes_ = 0;
};

}  // namespace andromede::net
