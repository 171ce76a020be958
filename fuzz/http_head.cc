// The head parser and the chunked decoder: no crash, and the same answer however the bytes are cut.
#include <cstdlib>
#include <string>

#include "base/check.h"
#include "net/chunked_decoder.h"
#include "net/head_parser.h"
#include "net/response_head.h"

namespace {

using namespace andromede;
using namespace andromede::net;

constexpr std::size_t kHeadLimitBytes = 4096;

struct Scanned {
  unsigned status = 0;  // 0: not whole
  std::size_t size = 0;
  bool operator==(const Scanned&) const = default;
};

Scanned scan(std::string_view text, std::size_t step) {
  HeadScanner scanner(kHeadLimitBytes);
  for (std::size_t end = 0; end < text.size();) {
    end = std::min(text.size(), end + step);
    const auto whole = scanner.scan(text.substr(0, end));
    if (!whole) return {whole.error().status, 0};
    if (*whole) return {200, scanner.size()};
  }
  return {};
}

void check_head(std::string_view text) {
  HeadScanner scanner(kHeadLimitBytes);
  const auto whole = scanner.scan(text);
  const Scanned bytewise = scan(text, 1);
  if (whole && *whole) {
    CHECK((bytewise == Scanned{200, scanner.size()}), "a head ends where it ends");
    const auto parsed = parse_head(scanner.text(text));
    if (!parsed) return;
    const RequestFraming& framing = parsed->framing;
    CHECK(!(framing.chunked && framing.has_content_length), "one framing");
    CHECK(!(framing.chunked && framing.http_1_0), "HTTP/1.0 has no chunks");
    CHECK(framing.has_content_length || framing.content_length == 0, "a length has a header");
    CHECK(parsed->head.headers.count("host") <= 1, "one host");
    CHECK(parsed->head.target.find_first_of(std::string_view(" \r\n\0", 4)) == std::string::npos, "one word");
    // What we accept must still be one head when it is passed on.
    ResponseHead echoed;
    for (const Header& header : parsed->head.headers.list()) echoed.headers.add(header.name, header.value);
    std::string out;
    append_response_head(out, echoed, {}, "now");
    CHECK(out.find("\r\n\r\n") == out.size() - 4, "no header ends its line");
  } else if (whole) {
    CHECK(bytewise.status == 0, "what is not whole is not whole in pieces");
  } else {
    CHECK(bytewise.status >= 400, "what is refused is refused in pieces");
  }
}

std::string decode(ByteView input, std::size_t step, std::size_t& consumed) {
  ChunkedDecoder decoder;
  std::string body;
  consumed = 0;
  while (consumed < input.size()) {
    ByteView piece = input.subspan(consumed, std::min(step, input.size() - consumed));
    const std::size_t given = piece.size();
    const auto event = decoder.next(piece);
    consumed += given - piece.size();
    if (!event) return "refused";
    if (*event == ChunkedDecoder::Event::kEnd) return "whole " + body;
    if (*event == ChunkedDecoder::Event::kData) {
      CHECK(!decoder.data().empty(), "data are never empty");
      body += as_text(decoder.data());
    }
  }
  return decoder.done() ? "whole " + body : "part " + body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    check_head(as_text(input));
  } else {
    std::size_t whole_consumed = 0;
    std::size_t piece_consumed = 0;
    const std::string whole = decode(input, input.size(), whole_consumed);
    const std::string pieces = decode(input, 1 + data[0] / 2, piece_consumed);
    CHECK(whole == pieces && whole_consumed == piece_consumed, "the cut does not matter");
  }
  return 0;
}
