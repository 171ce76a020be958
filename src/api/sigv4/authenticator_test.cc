#include "api/sigv4/authenticator.h"

#include <gtest/gtest.h>

#include "api/sigv4/test_signer.h"
#include "crypto/freed_memory.h"

namespace andromede::api::sigv4 {
namespace {

constexpr std::string_view kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr Timestamp kExampleTime{1369353600000};  // 2013-05-24T00:00:00Z, of all of AWS's examples

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest() : clock_(kExampleTime), authenticator_(lookup(), clock_, Options{}) {
    auto credential = std::make_shared<identity::Credential>();
    credential->access_key_id = signer_.access_key_id;
    credential->secret = crypto::SecretText(signer_.secret);
    credential->account.id = AccountId("000000000001");
    credential_ = std::move(credential);
  }

  CredentialLookup lookup() {
    return [this](std::string_view id) {
      return id == credential_->access_key_id ? credential_ : std::shared_ptr<const identity::Credential>();
    };
  }

  Result<Authentication> check(const net::RequestHead& head) {
    const std::string_view target = head.target;
    const std::size_t question = std::min(target.find('?'), target.size());
    const net::Query query = net::Query::parse(target.substr(std::min(question + 1, target.size()))).value();
    fields_.clear();
    return authenticator_.authenticate(head, target.substr(0, question), query, fields_);
  }

  void expect_refused(const net::RequestHead& head, SigErrc code) {
    const Result<Authentication> answer = check(head);
    ASSERT_FALSE(answer) << head.target;
    EXPECT_EQ(answer.error().code(), make_error_code(code)) << answer.error().describe();
  }

  static net::RequestHead get(std::string target) {
    net::RequestHead head{.method = "GET", .target = std::move(target), .headers = {}, .peer_address = {}};
    head.headers.add("Host", "examplebucket.s3.amazonaws.com");
    return head;
  }

  // A head with AWS's own signature, of the documentation's examples.
  static net::RequestHead example(std::string method, std::string target, std::string signed_headers,
                                  std::string signature, std::vector<net::Header> headers) {
    net::RequestHead head = get(std::move(target));
    head.method = std::move(method);
    for (net::Header& header : headers) head.headers.add(std::move(header.name), std::move(header.value));
    head.headers.add("x-amz-date", "20130524T000000Z");
    head.headers.add("Authorization",
                     "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                     "SignedHeaders=" +
                         signed_headers + ",Signature=" + signature);
    return head;
  }

  std::string field(std::string_view name) const {
    for (const auto& [key, value] : fields_) {
      if (key == name) return value;
    }
    return "";
  }

  testing::TestSigner signer_;
  ManualClock clock_;
  std::shared_ptr<const identity::Credential> credential_;
  RefusalFields fields_;
  Authenticator authenticator_;
};

TEST_F(AuthenticatorTest, AcceptsTheExampleGetObject) {
  const auto answer = check(example("GET", "/test.txt", "host;range;x-amz-content-sha256;x-amz-date",
                                    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
                                    {{"Range", "bytes=0-9"}, {"x-amz-content-sha256", std::string(kEmptyHash)}}));
  ASSERT_TRUE(answer) << answer.error().describe();
  EXPECT_EQ(answer->payload, PayloadMode::kHashed);
  EXPECT_EQ(to_hex(answer->payload_sha256), kEmptyHash);
  EXPECT_EQ(answer->credential->account.id.value(), "000000000001");
  EXPECT_FALSE(answer->presigned);
}

TEST_F(AuthenticatorTest, AcceptsTheExamplePutObject) {
  const auto answer =
      check(example("PUT", "/test%24file.text", "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
                    {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                     {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                     {"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"}}));
  ASSERT_TRUE(answer) << answer.error().describe();
}

TEST_F(AuthenticatorTest, AcceptsTheExampleGetBucketLifecycle) {
  const auto answer = check(example("GET", "/?lifecycle", "host;x-amz-content-sha256;x-amz-date",
                                    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
                                    {{"x-amz-content-sha256", std::string(kEmptyHash)}}));
  ASSERT_TRUE(answer) << answer.error().describe();
}

TEST_F(AuthenticatorTest, AcceptsTheExampleListObjects) {
  const auto answer = check(example("GET", "/?max-keys=2&prefix=J", "host;x-amz-content-sha256;x-amz-date",
                                    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
                                    {{"x-amz-content-sha256", std::string(kEmptyHash)}}));
  ASSERT_TRUE(answer) << answer.error().describe();
}

TEST_F(AuthenticatorTest, AcceptsTheExamplePresignedGet) {
  const auto answer = check(get(
      "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
      "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"));
  ASSERT_TRUE(answer) << answer.error().describe();
  EXPECT_TRUE(answer->presigned);
  EXPECT_EQ(answer->payload, PayloadMode::kUnsigned);
}

TEST_F(AuthenticatorTest, ASignatureCoversMethodPathQueryHeadersAndPayload) {
  const std::string signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
  const std::string names = "host;range;x-amz-content-sha256;x-amz-date";
  const std::string hash(kEmptyHash);
  expect_refused(
      example("HEAD", "/test.txt", names, signature, {{"Range", "bytes=0-9"}, {"x-amz-content-sha256", hash}}),
      SigErrc::kSignatureMismatch);
  expect_refused(example("GET", "/test.tx", names, signature, {{"Range", "bytes=0-9"}, {"x-amz-content-sha256", hash}}),
                 SigErrc::kSignatureMismatch);
  expect_refused(
      example("GET", "/test.txt?a", names, signature, {{"Range", "bytes=0-9"}, {"x-amz-content-sha256", hash}}),
      SigErrc::kSignatureMismatch);
  expect_refused(
      example("GET", "/test.txt", names, signature, {{"Range", "bytes=0-8"}, {"x-amz-content-sha256", hash}}),
      SigErrc::kSignatureMismatch);
  expect_refused(example("GET", "/test.txt", names, signature,
                         {{"Range", "bytes=0-9"}, {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}),
                 SigErrc::kSignatureMismatch);
  EXPECT_EQ(field("AWSAccessKeyId"), "AKIAIOSFODNN7EXAMPLE");
  EXPECT_TRUE(field("StringToSign").starts_with("AWS4-HMAC-SHA256\n20130524T000000Z\n"));
}

TEST_F(AuthenticatorTest, LeavesNoSigningKeyInMemoryThatIsGivenBack) {
  net::RequestHead head = get("/k");
  signer_.sign(head);
  const crypto::SecretKey key = signer_.key();
  const crypto::FreedMemory freed(key.bytes());
  {
    Authenticator own(lookup(), clock_, Options{});
    auto request = std::make_unique<Result<Authentication>>(own.authenticate(head, "/k", {}, fields_));
    ASSERT_TRUE(*request);
    const auto copy = std::make_unique<Authentication>(**request);
    request.reset();
    EXPECT_EQ(to_hex(copy->signing_key->bytes()), to_hex(key.bytes()));
  }
  EXPECT_EQ(freed.seen(), 0U);
}

TEST_F(AuthenticatorTest, RefusesASignatureOfAnotherSecretOrShape) {
  testing::TestSigner other = signer_;
  other.secret = "another";
  net::RequestHead head = get("/k");
  other.sign(head);
  expect_refused(head, SigErrc::kSignatureMismatch);
  for (const std::string signature : {"00", "zz", "F0E8BDB87C964420E857BD35B5D6ED310BD44F0170ABA48DD91039C6036BDB41"}) {
    expect_refused(example("GET", "/test.txt", "host;range;x-amz-content-sha256;x-amz-date", signature,
                           {{"Range", "bytes=0-9"}, {"x-amz-content-sha256", std::string(kEmptyHash)}}),
                   SigErrc::kSignatureMismatch);
  }
}

TEST_F(AuthenticatorTest, KnowsEveryPayloadMode) {
  const std::vector<std::pair<std::string, PayloadMode>> modes = {
      {"UNSIGNED-PAYLOAD", PayloadMode::kUnsigned},
      {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", PayloadMode::kSignedChunks},
      {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PayloadMode::kSignedChunksTrailer},
      {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", PayloadMode::kUnsignedChunksTrailer},
      {std::string(kEmptyHash), PayloadMode::kHashed}};
  for (const auto& [text, mode] : modes) {
    net::RequestHead head = get("/k");
    const std::string seed = signer_.sign(head, text);
    const auto answer = check(head);
    ASSERT_TRUE(answer) << text;
    EXPECT_EQ(answer->payload, mode);
    EXPECT_EQ(answer->seed_signature, seed);
    EXPECT_EQ(answer->scope, signer_.scope());
  }
  for (const std::string bad : {"", "abc", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
                                "g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}) {
    net::RequestHead head = get("/k");
    signer_.sign(head, bad);
    expect_refused(head, SigErrc::kInvalidContentHash);
  }
}

TEST_F(AuthenticatorTest, RefusesMalformedAuthorizationHeaders) {
  const std::vector<std::pair<std::string, SigErrc>> cases = {
      {"", SigErrc::kAnonymous},
      {"   ", SigErrc::kAnonymous},
      {"Bearer x", SigErrc::kUnknownScheme},
      {"AWS4-HMAC-SHA256X Credential=a", SigErrc::kUnknownScheme},
      {"AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=", SigErrc::kUnsupportedMechanism},
      {"AWS4-ECDSA-P256-SHA256 Credential=a", SigErrc::kUnsupportedMechanism},
      {"AWS4-HMAC-SHA256", SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential", SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request", SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=0", SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;host,Signature=0",
       SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0,Signature=1",
       SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=accept;host,Signature=0",
       SigErrc::kMissingSecurityHeader},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3,SignedHeaders=host,Signature=0", SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws5,SignedHeaders=host,Signature=0",
       SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential=/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0",
       SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential=a/20130525/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0",
       SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/ec2/aws4_request,SignedHeaders=host,Signature=0",
       SigErrc::kHeaderMalformed},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/eu-west-3/s3/aws4_request,SignedHeaders=host,Signature=0",
       SigErrc::kWrongRegion},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=x-amz-date,Signature=0",
       SigErrc::kMissingSecurityHeader},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0",
       SigErrc::kHeadersNotSigned},
      {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,"
       "SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=0",
       SigErrc::kUnknownAccessKey}};
  for (const auto& [authorization, code] : cases) {
    net::RequestHead head = get("/k");
    head.headers.add("x-amz-date", "20130524T000000Z");
    head.headers.add("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    head.headers.add("Authorization", authorization);
    expect_refused(head, code);
  }
}

TEST_F(AuthenticatorTest, NamesTheRightRegion) {
  testing::TestSigner abroad = signer_;
  abroad.region = "eu-west-3";
  net::RequestHead head = get("/k");
  abroad.sign(head);
  expect_refused(head, SigErrc::kWrongRegion);
  EXPECT_EQ(field("Region"), "fr-andromede-1");
  testing::TestSigner home = signer_;
  home.region = "fr-andromede-1";
  net::RequestHead right = get("/k");
  home.sign(right);
  EXPECT_TRUE(check(right));
}

TEST_F(AuthenticatorTest, NeedsADateAndAContentHash) {
  net::RequestHead undated = get("/k");
  undated.headers.add("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  undated.headers.add(
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0");
  expect_refused(undated, SigErrc::kMissingDate);
  undated.headers.add("Date", "yesterday");
  expect_refused(undated, SigErrc::kMissingDate);

  net::RequestHead unhashed = get("/k");
  unhashed.headers.add("x-amz-date", "20130524T000000Z");
  unhashed.headers.add(
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0");
  expect_refused(unhashed, SigErrc::kMissingContentHash);
}

TEST_F(AuthenticatorTest, RefusesASkewOfMoreThanFifteenMinutes) {
  for (const std::int64_t skew_s : {-900, 900}) {
    testing::TestSigner signer = signer_;
    signer.time.ms += skew_s * 1000;
    net::RequestHead head = get("/k");
    signer.sign(head);
    EXPECT_TRUE(check(head)) << skew_s;
  }
  for (const std::int64_t skew_s : {-901, 901}) {
    testing::TestSigner signer = signer_;
    signer.time.ms += skew_s * 1000;
    net::RequestHead head = get("/k");
    signer.sign(head);
    expect_refused(head, SigErrc::kTimeSkewed);
    EXPECT_EQ(field("MaxAllowedSkewMilliseconds"), "900000");
  }
}

TEST_F(AuthenticatorTest, APresignedRequestExpires) {
  net::RequestHead head = get("/k");
  signer_.presign(head, "60");
  EXPECT_TRUE(check(head));
  clock_.advance(std::chrono::milliseconds(59'999));
  EXPECT_TRUE(check(head));
  clock_.advance(std::chrono::milliseconds(1));
  expect_refused(head, SigErrc::kExpired);
  EXPECT_EQ(field("X-Amz-Expires"), "60");
  EXPECT_EQ(field("Expires"), "2013-05-24T00:01:00.000Z");
}

TEST_F(AuthenticatorTest, APresignedRequestHasItsOwnErrors) {
  const std::vector<std::pair<std::string, SigErrc>> expiries = {{"604800", SigErrc{}},
                                                                 {"604801", SigErrc::kExpiryOutOfRange},
                                                                 {"99999999999999999999", SigErrc::kExpiryOutOfRange},
                                                                 {"-7", SigErrc::kExpiryOutOfRange},
                                                                 {"0", SigErrc::kExpired},
                                                                 {"1x", SigErrc::kQueryMalformed},
                                                                 {"", SigErrc::kQueryMalformed}};
  for (const auto& [text, code] : expiries) {
    net::RequestHead head = get("/k");
    signer_.presign(head, text);
    if (code == SigErrc{}) {
      EXPECT_TRUE(check(head)) << text;
    } else {
      expect_refused(head, code);
    }
  }
  testing::TestSigner future = signer_;
  future.time.ms += 901'000;
  net::RequestHead early = get("/k");
  future.presign(early, "60");
  expect_refused(early, SigErrc::kNotYetValid);

  expect_refused(get("/k?X-Amz-Signature=0"), SigErrc::kQueryMalformed);
  expect_refused(get("/k?AWSAccessKeyId=a&Signature=b&Expires=1369353601"), SigErrc::kUnsupportedMechanism);
  expect_refused(get("/k?AWSAccessKeyId=a&Signature=b&Expires=1369353599"), SigErrc::kExpired);
  expect_refused(get("/k"), SigErrc::kAnonymous);
  for (const std::string& missing : {"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"}) {
    net::RequestHead head = get("/k");
    signer_.presign(head, "60");
    const std::size_t at = head.target.find("X-Amz-" + missing);
    head.target.replace(at, 6, "Y-Amz-");
    expect_refused(head, SigErrc::kQueryMalformed);
  }
}

// Signed as it should be, but for the day of the scope: a key that leaked may be one day's.
TEST_F(AuthenticatorTest, TheScopeIsOfTheRequestsOwnDay) {
  for (const std::int64_t days : {-1, 1}) {
    testing::TestSigner other = signer_;
    other.scope_time = Timestamp{signer_.time.ms + days * 24 * 3'600'000};
    net::RequestHead presigned = get("/k");
    other.presign(presigned, "604800");
    expect_refused(presigned, SigErrc::kQueryMalformed);
    net::RequestHead head = get("/k");
    other.sign(head);
    expect_refused(head, SigErrc::kHeaderMalformed);
  }
}

TEST_F(AuthenticatorTest, WhatIsSignedAndUsedIsOneValue) {
  for (const std::string name : {"x-amz-date", "x-amz-content-sha256", "x-amz-acl", "Range", "Content-Type"}) {
    net::RequestHead head = get("/k");
    const bool of_signer = name == "x-amz-date" || name == "x-amz-content-sha256";
    head.headers.add(name, "20130524T000000Z");
    if (!of_signer) head.headers.add(name, "20130524T000000Z");
    signer_.sign(head);
    expect_refused(head, SigErrc::kSentTwice);
  }
  net::RequestHead twice = get("/k");
  signer_.sign(twice);
  twice.headers.add("Authorization", std::string(*twice.headers.find("authorization")));
  expect_refused(twice, SigErrc::kSentTwice);
  net::RequestHead unsigned_twice = get("/k");
  signer_.sign(unsigned_twice);
  unsigned_twice.headers.add("Range", "bytes=0-1");
  EXPECT_TRUE(check(unsigned_twice));
  unsigned_twice.headers.add("range", "bytes=0-2");
  expect_refused(unsigned_twice, SigErrc::kSentTwice);

  net::RequestHead hashes = get("/k?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD");
  hashes.headers.add("x-amz-content-sha256", std::string(kEmptyHash));
  signer_.presign(hashes, "60");
  expect_refused(hashes, SigErrc::kSentTwice);
}

TEST_F(AuthenticatorTest, UserMetadataInTwoLinesIsSignedJoined) {
  net::RequestHead head = get("/k");
  head.headers.add("x-amz-meta-a", "1");
  head.headers.add("x-amz-meta-a", "2");
  signer_.sign(head);
  EXPECT_TRUE(check(head));
}

TEST_F(AuthenticatorTest, RefusesTwoMechanismsAtOnce) {
  expect_refused(get("/k?X-Amz-Signature=0&AWSAccessKeyId=a&Signature=b"), SigErrc::kTwoMechanisms);
  net::RequestHead old = get("/k?AWSAccessKeyId=a&Signature=b&Expires=1369353601");
  signer_.sign(old);
  expect_refused(old, SigErrc::kTwoMechanisms);
  net::RequestHead head = get("/k");
  signer_.presign(head, "60");
  head.headers.add("Authorization", "AWS4-HMAC-SHA256 Credential=a");
  expect_refused(head, SigErrc::kTwoMechanisms);
}

TEST_F(AuthenticatorTest, RefusesAmzHeadersThatAreNotSigned) {
  net::RequestHead head = get("/k");
  signer_.sign(head);
  head.headers.add("x-amz-acl", "public-read");
  expect_refused(head, SigErrc::kHeadersNotSigned);
  EXPECT_EQ(field("HeadersNotSigned"), "x-amz-acl");

  net::RequestHead presigned = get("/k");
  signer_.presign(presigned, "60");
  presigned.headers.add("x-amz-content-sha256", std::string(kEmptyHash));
  EXPECT_TRUE(check(presigned));
  presigned.headers.add("X-Amz-Copy-Source", "/a/b");
  expect_refused(presigned, SigErrc::kHeadersNotSigned);
}

TEST_F(AuthenticatorTest, RefusesSessionTokensOfPermanentCredentials) {
  net::RequestHead head = get("/k");
  head.headers.add("x-amz-security-token", "t");
  signer_.sign(head);
  expect_refused(head, SigErrc::kInvalidToken);
}

TEST_F(AuthenticatorTest, ForgetsTheSigningKeyOfAReplacedSecret) {
  net::RequestHead head = get("/k");
  signer_.sign(head);
  ASSERT_TRUE(check(head));
  auto replaced = std::make_shared<identity::Credential>(*credential_);
  replaced->secret = crypto::SecretText("rotated");
  credential_ = replaced;
  expect_refused(head, SigErrc::kSignatureMismatch);
}

TEST_F(AuthenticatorTest, EncodingsOfAPathAndQueryDoNotMatter) {
  net::RequestHead head = get("/a%20b/%C3%A9%2B(1)?prefix=a%2Fb&delimiter=/");
  signer_.sign(head);
  EXPECT_TRUE(check(head));
  head.target = "/a%20b/%c3%a9+%281%29?delimiter=%2F&prefix=a/b";
  EXPECT_TRUE(check(head));
  head.target = "/a%20b/%C3%A9%2B(1)?prefix=a%2Fb&delimiter=%";
  EXPECT_FALSE(net::Query::parse("prefix=a%2Fb&delimiter=%"));
}

}  // namespace
}  // namespace andromede::api::sigv4
