// AwsChunkedParser on any bytes: however the input is cut, the same events; data never beyond the chunk's size.
#include "codec/aws_chunked.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace {

using andromede::ByteView;
using andromede::codec::AwsChunkedParser;

std::string run(ByteView body, std::size_t piece_bytes) {
  AwsChunkedParser parser;
  std::string log;
  std::uint64_t in_chunk = 0;
  while (!body.empty()) {
    ByteView piece = body.first(std::min(piece_bytes, body.size()));
    body = body.subspan(piece.size());
    for (;;) {
      const auto event = parser.next(piece);
      // The message may name no byte positions, so it is the same for every cut.
      if (!event) return log + "!" + event.error().message();
      if (*event == AwsChunkedParser::Event::kNeedMore) break;
      switch (*event) {
        case AwsChunkedParser::Event::kChunkStart:
          in_chunk = 0;
          log += "<" + std::to_string(parser.chunk_size()) + ";" + std::string(parser.chunk_signature()) + ">";
          break;
        case AwsChunkedParser::Event::kData:
          in_chunk += parser.data().size();
          if (in_chunk > parser.chunk_size() || parser.data().empty()) std::abort();
          log += andromede::as_text(parser.data());
          break;
        case AwsChunkedParser::Event::kChunkEnd:
          if (in_chunk != parser.chunk_size()) std::abort();
          log += "</>";
          break;
        case AwsChunkedParser::Event::kTrailer:
          log += std::string(parser.trailer_name()) + "=" + std::string(parser.trailer_value()) + ";";
          break;
        case AwsChunkedParser::Event::kEnd:
          log += "$";
          break;
        case AwsChunkedParser::Event::kNeedMore:
          break;
      }
    }
    if (!piece.empty()) std::abort();
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView body(data, size);
  const std::string whole = run(body, std::max<std::size_t>(size, 1));
  if (run(body, 1) != whole || run(body, 7) != whole) std::abort();
  return 0;
}
