#include "api/sigv4/verified_body.h"

#include <gtest/gtest.h>

#include "api/sigv4/test_signer.h"
#include "base/stretch.h"
#include "base/task.h"

namespace andromede::api::sigv4 {
namespace {

// Gives its bytes in pieces of one size, then an error or the end.
class Pieces final : public BodySource {
 public:
  Pieces(std::string data, std::size_t piece, std::optional<std::uint64_t> announced)
      : data_(std::move(data)), piece_(piece), announced_(announced) {}
  Task<Result<ByteView>> read() override {
    if (at_ == data_.size() && error_) co_return fail(*error_);
    const std::size_t size = std::min(piece_, data_.size() - at_);
    const ByteView view = as_bytes(std::string_view(data_).substr(at_, size));
    at_ += size;
    co_return view;
  }
  [[nodiscard]] std::optional<std::uint64_t> announced_size_bytes() const override { return announced_; }
  void fail_at_end(Error error) { error_ = std::move(error); }

 private:
  std::string data_;
  std::size_t piece_;
  std::optional<std::uint64_t> announced_;
  std::size_t at_ = 0;
  std::optional<Error> error_;
};

struct Outcome {
  std::string data;
  std::optional<Error> error;
  std::optional<Bytes> trailer;
};

Outcome read_all(BodySource& raw, const Authentication& authentication, const net::RequestHead& head) {
  Outcome outcome;
  auto body = VerifiedBody::make(raw, authentication, head);
  if (!body) {
    outcome.error = body.error();
    return outcome;
  }
  for (;;) {
    const Result<ByteView> piece = sync_wait((*body)->read());
    if (!piece) {
      outcome.error = piece.error();
      return outcome;
    }
    if (piece->empty()) break;
    outcome.data.append(as_text(*piece));
  }
  outcome.trailer = (*body)->trailing_checksum();
  return outcome;
}

class VerifiedBodyTest : public ::testing::TestWithParam<std::size_t> {
 protected:
  Authentication chunked(PayloadMode mode, std::string seed) const {
    Authentication out;
    out.payload = mode;
    out.signing_key = std::make_shared<const crypto::SecretKey>(signer_.key());
    out.amz_date = net::to_iso8601_basic(signer_.time);
    out.scope = signer_.scope();
    out.seed_signature = std::move(seed);
    return out;
  }
  Outcome run(std::string wire, const Authentication& authentication, std::vector<net::Header> headers = {}) const {
    net::RequestHead head;
    for (net::Header& header : headers) head.headers.add(header.name, header.value);
    Pieces raw(std::move(wire), GetParam(), std::nullopt);
    return read_all(raw, authentication, head);
  }
  static void expect_error(const Outcome& outcome, SigErrc code) {
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->code(), make_error_code(code)) << outcome.error->describe();
  }

  // "Example: PUT object" of chunked upload: 65 KiB of 'a' in chunks of 64 KiB and 1 KiB.
  static std::string example_stream() {
    return "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" +
           std::string(65536, 'a') +
           "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" +
           std::string(1024, 'a') +
           "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n";
  }
  static constexpr const char* kExampleSeed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

  testing::TestSigner signer_;
};
INSTANTIATE_TEST_SUITE_P(PieceSizes, VerifiedBodyTest, ::testing::Values(1, 7, 1000, 1 << 20));

TEST_P(VerifiedBodyTest, AcceptsTheExampleOfSignedChunks) {
  const Outcome outcome = run(example_stream(), chunked(PayloadMode::kSignedChunks, kExampleSeed),
                              {{"x-amz-decoded-content-length", "66560"}});
  EXPECT_FALSE(outcome.error) << outcome.error->describe();
  EXPECT_EQ(outcome.data, std::string(66560, 'a'));
  EXPECT_FALSE(outcome.trailer);
}

TEST_P(VerifiedBodyTest, AMismatchHasNoEndBehindIt) {
  Authentication hashed;
  hashed.payload = PayloadMode::kHashed;
  hashed.payload_sha256 = crypto::sha256(as_bytes("hello"));
  Authentication broken_chain = chunked(PayloadMode::kSignedChunks, std::string(64, '0'));
  for (const auto& [authentication, wire] :
       {std::pair(hashed, std::string("hullo")), {broken_chain, example_stream()}}) {
    Pieces raw(wire, GetParam(), std::nullopt);
    const auto body = VerifiedBody::make(raw, authentication, {});
    ASSERT_TRUE(body);
    Result<ByteView> piece = sync_wait((*body)->read());
    while (piece && !piece->empty()) piece = sync_wait((*body)->read());
    ASSERT_FALSE(piece);
    const Result<ByteView> again = sync_wait((*body)->read());
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), piece.error().code());
  }
}

TEST_P(VerifiedBodyTest, NeedsNoDecodedLength) {
  EXPECT_FALSE(run(example_stream(), chunked(PayloadMode::kSignedChunks, kExampleSeed)).error);
}

// "Example: PUT object with trailing headers".
TEST_P(VerifiedBodyTest, AcceptsTheExampleOfASignedTrailer) {
  const std::string wire =
      "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" +
      std::string(65536, 'a') +
      "\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" +
      std::string(1024, 'a') +
      "\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
      "x-amz-checksum-crc32c:sOO8/Q==\r\n"
      "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n";
  const Authentication authentication =
      chunked(PayloadMode::kSignedChunksTrailer, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
  const std::vector<net::Header> headers = {{"x-amz-trailer", "x-amz-checksum-crc32c"},
                                            {"x-amz-decoded-content-length", "66560"}};
  const Outcome outcome = run(wire, authentication, headers);
  EXPECT_FALSE(outcome.error) << outcome.error->describe();
  EXPECT_EQ(outcome.data.size(), 66560u);
  EXPECT_EQ(outcome.trailer, from_base64("sOO8/Q==").value());

  std::string forged = wire;
  forged.replace(forged.find("sOO8"), 4, "sOO9");
  expect_error(run(forged, authentication, headers), SigErrc::kChunkSignatureMismatch);
  std::string unsigned_trailer = wire.substr(0, wire.find("x-amz-trailer-signature")) + "\r\n";
  expect_error(run(unsigned_trailer, authentication, headers), SigErrc::kChunkSignatureMismatch);
}

TEST_P(VerifiedBodyTest, RefusesAnyChangedChunk) {
  const Authentication authentication = chunked(PayloadMode::kSignedChunks, kExampleSeed);
  for (const std::size_t at : {std::size_t{100}, std::size_t{65536}, example_stream().size() - 200}) {
    std::string wire = example_stream();
    ASSERT_EQ(wire[at], 'a');
    wire[at] = 'b';
    expect_error(run(wire, authentication), SigErrc::kChunkSignatureMismatch);
  }
  std::string last = example_stream();
  last.replace(last.find("b6c6ea"), 6, "b6c6eb");
  expect_error(run(last, authentication), SigErrc::kChunkSignatureMismatch);
  expect_error(run("5\r\nhello\r\n0\r\n\r\n", authentication), SigErrc::kChunkSignatureMismatch);
  expect_error(run(example_stream(), chunked(PayloadMode::kSignedChunks, std::string(64, '0'))),
               SigErrc::kChunkSignatureMismatch);
}

TEST_P(VerifiedBodyTest, RefusesChunksLeftOut) {
  const std::string wire = example_stream();
  const std::size_t second = wire.find("400;");
  const std::size_t last = wire.find("0;chunk-signature=b6c6");
  const Authentication authentication = chunked(PayloadMode::kSignedChunks, kExampleSeed);
  expect_error(run(wire.substr(0, second) + wire.substr(last), authentication), SigErrc::kChunkSignatureMismatch);
  expect_error(run(wire.substr(0, last), authentication), SigErrc::kDecodedLengthMismatch);
  expect_error(run(wire.substr(0, wire.size() - 2), authentication), SigErrc::kDecodedLengthMismatch);
  expect_error(run("", authentication), SigErrc::kDecodedLengthMismatch);
}

TEST_P(VerifiedBodyTest, RefusesBytesBehindTheEnd) {
  expect_error(run(example_stream() + "x", chunked(PayloadMode::kSignedChunks, kExampleSeed)),
               SigErrc::kMalformedChunk);
}

TEST_P(VerifiedBodyTest, HoldsTheDecodedLength) {
  const Authentication authentication = chunked(PayloadMode::kSignedChunks, kExampleSeed);
  for (const std::string length : {"66559", "66561", "0"}) {
    expect_error(run(example_stream(), authentication, {{"x-amz-decoded-content-length", length}}),
                 SigErrc::kDecodedLengthMismatch);
  }
  for (const std::string length : {"", "-1", "12x", "99999999999999999999"}) {
    expect_error(run(example_stream(), authentication, {{"x-amz-decoded-content-length", length}}),
                 SigErrc::kInvalidDecodedLength);
  }
}

TEST_P(VerifiedBodyTest, DecodesUnsignedChunksWithATrailer) {
  const Authentication authentication = chunked(PayloadMode::kUnsignedChunksTrailer, "");
  const std::vector<net::Header> headers = {{"x-amz-trailer", "X-Amz-Checksum-CRC32"}};
  const Outcome outcome =
      run("5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", authentication, headers);
  EXPECT_FALSE(outcome.error) << outcome.error->describe();
  EXPECT_EQ(outcome.data, "hello world");
  EXPECT_EQ(outcome.trailer, from_base64("DUoRhQ==").value());
}

TEST_P(VerifiedBodyTest, RefusesTrailersThatWereNotAnnouncedOrAreBroken) {
  const Authentication authentication = chunked(PayloadMode::kUnsignedChunksTrailer, "");
  const std::vector<net::Header> crc32 = {{"x-amz-trailer", "x-amz-checksum-crc32"}};
  expect_error(run("0\r\n\r\n", authentication, crc32), SigErrc::kMalformedTrailer);
  expect_error(run("0\r\nx-amz-checksum-sha1:AA==\r\n\r\n", authentication, crc32), SigErrc::kMalformedTrailer);
  expect_error(run("0\r\nx-amz-checksum-crc32:!!\r\n\r\n", authentication, crc32), SigErrc::kMalformedTrailer);
  expect_error(
      run("0\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", authentication, crc32),
      SigErrc::kMalformedTrailer);
  expect_error(run("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", authentication), SigErrc::kMalformedTrailer);
}

TEST_P(VerifiedBodyTest, RefusesBrokenFraming) {
  const Authentication authentication = chunked(PayloadMode::kUnsignedChunksTrailer, "");
  for (const std::string wire : {"zz\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "ffffffffffffffffff\r\n"}) {
    expect_error(run(wire, authentication), SigErrc::kMalformedChunk);
  }
}

TEST_P(VerifiedBodyTest, ChecksTheHashOfAWholeBody) {
  Authentication authentication;
  authentication.payload = PayloadMode::kHashed;
  authentication.payload_sha256 = crypto::sha256(as_bytes("hello"));
  const Outcome outcome = run("hello", authentication);
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.data, "hello");
  expect_error(run("hellO", authentication), SigErrc::kContentHashMismatch);
  expect_error(run("hello ", authentication), SigErrc::kContentHashMismatch);
  expect_error(run("", authentication), SigErrc::kContentHashMismatch);
}

TEST_P(VerifiedBodyTest, SettlesTheHashWithTheLastAnnouncedByte) {
  Authentication authentication;
  authentication.payload = PayloadMode::kHashed;
  authentication.payload_sha256 = crypto::sha256(as_bytes("hello"));
  Pieces raw("hellO", 1 << 20, 5);
  const auto body = VerifiedBody::make(raw, authentication, {}).value();
  EXPECT_EQ(body->announced_size_bytes(), 5u);
  const auto first = sync_wait(body->read());
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code(), make_error_code(SigErrc::kContentHashMismatch));
}

Task<int> read_slowly(VerifiedBody& body, int& rounds, std::size_t& longest) {
  std::size_t size = 0;
  std::size_t run = 0;
  for (int round = 0;;) {
    const auto piece = co_await body.read();
    if (!piece || piece->empty()) break;
    run = std::exchange(round, rounds) == rounds ? run + piece->size() : piece->size();
    longest = std::max(longest, run);
    size += piece->size();
    const auto began = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - began < Stretch::kLongest / 32) {
    }
  }
  rounds = -1;
  co_return static_cast<int>(size);
}

Task<int> count_rounds(int& rounds) {
  Stretch stretch;
  while (rounds >= 0) {
    ++rounds;
    const auto began = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - began < Stretch::kLongest) {
    }
    co_await stretch.pause();
  }
  co_return 0;
}

TEST(VerifiedBodyTinyChunks, LeaveTheLoopToOthersInBetween) {
  Authentication authentication;
  authentication.payload = PayloadMode::kUnsignedChunksTrailer;
  std::string wire;
  for (int i = 0; i < 2'000; ++i) wire += "1\r\nx\r\n";
  Pieces raw(wire + "0\r\n\r\n", 1 << 20, std::nullopt);
  const auto body = VerifiedBody::make(raw, authentication, {}).value();
  int rounds = 0;
  std::size_t longest = 0;
  std::vector<Task<int>> tasks;
  tasks.push_back(read_slowly(*body, rounds, longest));
  tasks.push_back(count_rounds(rounds));
  EXPECT_EQ(sync_wait(when_all(std::move(tasks))).front(), 2'000);
  EXPECT_LE(longest, 2 * Stretch::kMany);
}

TEST_P(VerifiedBodyTest, TellsTheConnectionsErrorsApart) {
  Authentication authentication;
  const std::vector<std::pair<Errc, std::error_code>> cases = {
      {Errc::kTimeout, make_error_code(SigErrc::kBodyTimeout)},
      {Errc::kInvalidArgument, make_error_code(SigErrc::kBodyBroken)},
      {Errc::kCancelled, make_error_code(Errc::kCancelled)}};
  for (const PayloadMode mode : {PayloadMode::kUnsigned, PayloadMode::kUnsignedChunksTrailer}) {
    authentication.payload = mode;
    for (const auto& [from, to] : cases) {
      Pieces raw("", 10, std::nullopt);
      raw.fail_at_end(Error(make_error_code(from), "x"));
      const Outcome outcome = read_all(raw, authentication, {});
      ASSERT_TRUE(outcome.error);
      EXPECT_EQ(outcome.error->code(), to);
    }
  }
}

}  // namespace
}  // namespace andromede::api::sigv4
