#include "net/chunked_decoder.h"

#include <algorithm>

namespace andromede::net {
namespace {

constexpr unsigned kMaxDigits = 15;  // 2^60 bytes: no sum with it overflows

int hex_value(std::uint8_t byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

bool is_text(std::uint8_t byte) { return byte == '\t' || (byte >= 0x20 && byte != 0x7F); }

tl::unexpected<Error> broken(const char* what) { return fail(Errc::kInvalidArgument, what); }

}  // namespace

Result<ChunkedDecoder::Event> ChunkedDecoder::next(ByteView& input) {
  data_ = {};
  for (;;) {
    if (state_ == State::kDone) return Event::kEnd;
    if (input.empty()) return Event::kNeedMore;
    if (state_ == State::kData) {
      const std::size_t piece = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, input.size()));
      data_ = input.first(piece);
      input = input.subspan(piece);
      chunk_left_ -= piece;
      if (chunk_left_ == 0) state_ = State::kDataCr;
      return Event::kData;
    }
    const std::uint8_t byte = input.front();
    input = input.subspan(1);
    CHECK_OK(take(byte));
  }
}

Status ChunkedDecoder::take(std::uint8_t byte) {
  switch (state_) {
    case State::kSize:
      return take_size_digit(byte);
    case State::kExtension:
      if (byte == '\r') {
        state_ = State::kSizeLf;
        return {};
      }
      if (!is_text(byte)) return broken("a chunk extension has invalid characters");
      return count_line_byte();
    case State::kSizeLf:
      if (byte != '\n') return broken("a chunk's size does not end in CRLF");
      return end_size_line();
    case State::kDataCr:
      if (byte != '\r') return broken("a chunk is longer than its size");
      state_ = State::kDataLf;
      return {};
    case State::kDataLf:
      if (byte != '\n') return broken("a chunk does not end in CRLF");
      state_ = State::kSize;
      return {};
    case State::kTrailer:
      if (byte == '\r') {
        state_ = State::kTrailerLf;
        return {};
      }
      if (!is_text(byte)) return broken("a trailer has invalid characters");
      ++line_bytes_;
      if (++trailer_bytes_ > kMaxTrailerBytes) return broken("the trailers are too long");
      return {};
    case State::kTrailerLf:
      if (byte != '\n') return broken("a trailer does not end in CRLF");
      state_ = line_bytes_ == 0 ? State::kDone : State::kTrailer;
      line_bytes_ = 0;
      return {};
    case State::kData:
    case State::kDone:
      break;
  }
  return fail(Errc::kInternal, "chunked decoder: not at framing");
}

Status ChunkedDecoder::take_size_digit(std::uint8_t byte) {
  if (const int value = hex_value(byte); value >= 0) {
    if (++digits_ > kMaxDigits) return broken("a chunk's size has too many digits");
    chunk_left_ = chunk_left_ * 16 + static_cast<unsigned>(value);
    return count_line_byte();
  }
  if (digits_ == 0) return broken("a chunk's size is missing");
  if (byte == ';') {
    state_ = State::kExtension;
  } else if (byte == '\r') {
    state_ = State::kSizeLf;
  } else {
    return broken("a chunk's size is not a hexadecimal number");
  }
  return count_line_byte();
}

Status ChunkedDecoder::count_line_byte() {
  if (++line_bytes_ > kMaxLineBytes) return broken("a chunk extension is too long");
  return {};
}

Status ChunkedDecoder::end_size_line() {
  // A chunk may cost 16 bytes of framing and as much again as it carries; what is beyond adds up.
  const std::uint64_t paid = 16 + chunk_left_;
  overhead_bytes_ += line_bytes_;
  overhead_bytes_ -= std::min(overhead_bytes_, paid);
  if (overhead_bytes_ > kMaxOverheadBytes) return broken("the chunks carry more framing than data");
  state_ = chunk_left_ == 0 ? State::kTrailer : State::kData;
  digits_ = 0;
  line_bytes_ = 0;
  return {};
}

}  // namespace andromede::net
