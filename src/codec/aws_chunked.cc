#include "codec/aws_chunked.h"

#include <algorithm>
#include <charconv>

namespace andromede::codec {
namespace {

constexpr std::string_view kSignatureExtension = "chunk-signature=";
constexpr std::string_view kTrailerSignature = "x-amz-trailer-signature";

tl::unexpected<Error> refuse(const std::string& reason) {
  return fail(Errc::kInvalidArgument, "aws-chunked body: " + reason);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_token(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";  // RFC 9110 section 5.6.2
  return !name.empty() && std::all_of(name.begin(), name.end(), [kMarks](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

}  // namespace

Result<AwsChunkedParser::Event> AwsChunkedParser::next(ByteView& input) {
  switch (state_) {
    case State::kHead:
      return read_head(input);
    case State::kData:
      return read_data(input);
    case State::kDataEnd:
      return read_data_end(input);
    case State::kTrailers:
      return read_trailer(input);
    case State::kDone:
      break;
  }
  if (!input.empty()) return refuse("bytes follow its end");
  return Event::kNeedMore;
}

Result<bool> AwsChunkedParser::read_line(ByteView& input) {
  if (line_complete_) {
    line_.clear();
    line_complete_ = false;
  }
  const std::string_view text = as_text(input);
  const std::size_t newline = text.find('\n');
  const std::size_t take = newline == std::string_view::npos ? text.size() : newline;
  // One more than the limit: the carriage return is not part of the line.
  if (line_.size() + take > kMaxLineBytes + 1) {
    return refuse("a line is longer than " + std::to_string(kMaxLineBytes) + " bytes");
  }
  line_ += text.substr(0, take);
  if (newline == std::string_view::npos) {
    input = {};
    return false;
  }
  input = input.subspan(newline + 1);
  line_complete_ = true;
  line_ended_bare_ = !line_.ends_with('\r');
  if (!line_ended_bare_) line_.pop_back();
  return true;
}

Result<AwsChunkedParser::Event> AwsChunkedParser::read_head(ByteView& input) {
  TRY(const bool whole, read_line(input));
  if (!whole) return Event::kNeedMore;
  CHECK_OK(parse_head());
  chunk_left_ = chunk_size_;
  state_ = chunk_size_ == 0 ? State::kDataEnd : State::kData;
  return Event::kChunkStart;
}

Status AwsChunkedParser::parse_head() {
  if (line_ended_bare_) return refuse("a chunk's head does not end in CR LF");
  const std::string_view line = line_;
  const std::size_t semicolon = std::min(line.find(';'), line.size());
  const std::string_view digits = line.substr(0, semicolon);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), chunk_size_, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return refuse("a chunk's size is not a hexadecimal number");
  }
  if (chunk_size_ > kMaxChunkBytes) {
    return refuse("a chunk is larger than " + std::to_string(kMaxChunkBytes) + " bytes");
  }
  signature_.clear();
  if (semicolon == line.size()) return {};
  const std::string_view extension = line.substr(semicolon + 1);
  if (!extension.starts_with(kSignatureExtension))
    return refuse("a chunk's extension is not " + std::string(kSignatureExtension));
  signature_ = extension.substr(kSignatureExtension.size());
  if (signature_.empty()) return refuse("a chunk's signature is empty");
  return {};
}

Result<AwsChunkedParser::Event> AwsChunkedParser::read_data(ByteView& input) {
  if (input.empty()) return Event::kNeedMore;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, input.size()));
  data_ = input.first(count);
  input = input.subspan(count);
  chunk_left_ -= count;
  if (chunk_left_ == 0) state_ = State::kDataEnd;
  return Event::kData;
}

Result<AwsChunkedParser::Event> AwsChunkedParser::read_data_end(ByteView& input) {
  data_ = {};
  // The last chunk has no data and so no line end of theirs: the trailers follow its head at once.
  if (chunk_size_ == 0) {
    state_ = State::kTrailers;
    return Event::kChunkEnd;
  }
  // Not by read_line: anything but CR LF here must be refused at its first byte, not searched for a line's end.
  if (line_complete_) {
    line_.clear();
    line_complete_ = false;
  }
  while (line_.size() < 2) {
    if (input.empty()) return Event::kNeedMore;
    const char byte = static_cast<char>(input.front());
    if (byte != (line_.empty() ? '\r' : '\n')) return refuse("a chunk's data are not followed by CR LF");
    line_ += byte;
    input = input.subspan(1);
  }
  line_complete_ = true;
  state_ = State::kHead;
  return Event::kChunkEnd;
}

Result<AwsChunkedParser::Event> AwsChunkedParser::read_trailer(ByteView& input) {
  for (;;) {
    // Some clients end the trailers by LF CR LF and send their signature after that. The signature is owed when the
    // chunks were signed, so the empty line in between is not the end.
    const bool after_bare_line = trailers_ > 0 && line_ended_bare_ && !signature_.empty() && !trailer_signed_;
    TRY(const bool whole, read_line(input));
    if (!whole) {
      // What read_line knows of the line before is still needed when it goes on.
      line_ended_bare_ = after_bare_line;
      return Event::kNeedMore;
    }
    if (!line_.empty()) break;
    if (after_bare_line) {
      line_ended_bare_ = false;
      continue;
    }
    if (line_ended_bare_) return refuse("the last line does not end in CR LF");
    state_ = State::kDone;
    return Event::kEnd;
  }
  if (++trailers_ > kMaxTrailers) return refuse("more than " + std::to_string(kMaxTrailers) + " trailers");
  CHECK_OK(parse_trailer());
  return Event::kTrailer;
}

Status AwsChunkedParser::parse_trailer() {
  const std::string_view line = line_;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return refuse("a trailer has no colon");
  if (!is_token(line.substr(0, colon))) return refuse("a trailer's name is not a token");
  trailer_name_ = line.substr(0, colon);
  for (char& letter : trailer_name_) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  trailer_value_ = trimmed(line.substr(colon + 1));
  const bool has_control = std::any_of(trailer_value_.begin(), trailer_value_.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
  if (has_control) return refuse("a trailer's value has a control character");
  trailer_signed_ = trailer_signed_ || trailer_name_ == kTrailerSignature;
  return {};
}

std::uint64_t AwsChunkedParser::chunk_size() const { return chunk_size_; }
std::string_view AwsChunkedParser::chunk_signature() const { return signature_; }
ByteView AwsChunkedParser::data() const { return data_; }
std::string_view AwsChunkedParser::trailer_name() const { return trailer_name_; }
std::string_view AwsChunkedParser::trailer_value() const { return trailer_value_; }

}  // namespace andromede::codec
