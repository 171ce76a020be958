// Objects over the wire: write, read, copy, delete, attributes.
#include <gtest/gtest.h>

#include "api/s3/test_gateway.h"

namespace andromede::api::s3 {
namespace {

using ObjectsTest = GatewayTest;

TEST_F(ObjectsTest, GivesBackWhatWasPut) {
  const TestResponse put = gateway_.put("/bucket/k", "hello",
                                        {{"Content-Type", "text/plain"},
                                         {"Cache-Control", "no-cache"},
                                         {"Content-Encoding", "aws-chunked, gzip"},
                                         {"x-amz-meta-Colour", "bleu"},
                                         {"x-amz-storage-class", "STANDARD_IA"}});
  ASSERT_EQ(put.status, 200u);
  EXPECT_EQ(put.header("ETag"), "\"5d41402abc4b2a76b9719d911017c592\"");
  EXPECT_EQ(put.header("x-amz-server-side-encryption"), "AES256");
  EXPECT_EQ(put.header("x-amz-checksum-type"), "FULL_OBJECT");
  EXPECT_NE(put.header("x-amz-checksum-crc64nvme"), "");
  for (const std::string method : {"GET", "HEAD"}) {
    const TestResponse got = gateway_.send({.method = method, .target = "/bucket/k"});
    EXPECT_EQ(got.status, 200u);
    EXPECT_EQ(got.body, method == "GET" ? "hello" : "");
    EXPECT_EQ(got.header("ETag"), put.header("ETag"));
    EXPECT_EQ(got.header("Content-Type"), "text/plain");
    EXPECT_EQ(got.header("Cache-Control"), "no-cache");
    EXPECT_EQ(got.header("Content-Encoding"), "gzip");
    EXPECT_EQ(got.header("x-amz-meta-colour"), "bleu");
    EXPECT_EQ(got.header("x-amz-storage-class"), "STANDARD_IA");
    EXPECT_EQ(got.header("Accept-Ranges"), "bytes");
    EXPECT_NE(got.header("Last-Modified"), "");
    EXPECT_EQ(got.header("x-amz-checksum-crc64nvme"), "");
    if (method == "HEAD") EXPECT_EQ(got.announced_length, 5u);
  }
}

TEST_F(ObjectsTest, AnAnswerInOnePieceHoldsNothingThatTheObjectWasReadIn) {
  const std::string body = objects::pattern(60'000);
  ASSERT_EQ(gateway_.put("/bucket/k", body).status, 200u);
  net::RequestHead head = TestGateway::head_of({.target = "/bucket/k"});
  gateway_.signer().sign(head, "UNSIGNED-PAYLOAD");
  TestExchange exchange(std::move(head), "", true);
  std::optional<std::size_t> held;
  exchange.before_whole_answer = [&] { held = gateway_.cloud().service().body_bytes(); };
  sync_wait(gateway_.front_end().handler()(exchange));
  EXPECT_TRUE(exchange.response.body == body);
  EXPECT_EQ(held, 0u);
}

TEST_F(ObjectsTest, LargeBodiesAreStreamed) {
  const std::string body = objects::pattern(3'000'000);
  ASSERT_EQ(gateway_.put("/bucket/big", body).status, 200u);
  const TestResponse got = gateway_.get("/bucket/big");
  EXPECT_EQ(got.status, 200u);
  EXPECT_TRUE(got.body == body);
  EXPECT_TRUE(got.finished);
  EXPECT_EQ(got.announced_length, body.size());
  const TestResponse part = gateway_.get("/bucket/big", {{"Range", "bytes=1000000-1999999"}});
  EXPECT_EQ(part.status, 206u);
  EXPECT_TRUE(part.body == body.substr(1'000'000, 1'000'000));
}

TEST_F(ObjectsTest, Ranges) {
  ASSERT_EQ(gateway_.put("/bucket/k", "0123456789").status, 200u);
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"bytes=0-3", "0123", "bytes 0-3/10"},
      {"bytes=7-", "789", "bytes 7-9/10"},
      {"bytes=-2", "89", "bytes 8-9/10"},
      {"bytes=5-100", "56789", "bytes 5-9/10"},
      {"bytes=5-99999999999999999999", "56789", "bytes 5-9/10"},
      {"bytes=-99999999999999999999", "0123456789", "bytes 0-9/10"}};
  for (const auto& [range, body, content_range] : cases) {
    const TestResponse got = gateway_.get("/bucket/k", {{"Range", range}, {"x-amz-checksum-mode", "ENABLED"}});
    EXPECT_EQ(got.status, 206u) << range;
    EXPECT_EQ(got.body, body) << range;
    EXPECT_EQ(got.header("Content-Range"), content_range);
    EXPECT_EQ(got.header("x-amz-checksum-type"), body.size() == 10 ? "FULL_OBJECT" : "");
  }
  EXPECT_EQ(gateway_.get("/bucket/k", {{"Range", "bytes=0-1,3-4"}}).body, "0123456789");
  const TestResponse beyond = gateway_.get("/bucket/k", {{"Range", "bytes=10-"}});
  EXPECT_EQ(beyond.status, 416u);
  EXPECT_EQ(beyond.code(), "InvalidRange");
  EXPECT_EQ(gateway_.get("/bucket/k", {{"Range", "bytes=99999999999999999999-"}}).status, 416u);
  EXPECT_EQ(gateway_.get("/bucket/k?partNumber=1", {{"Range", "bytes=0-1"}}).code(), "InvalidRequest");
}

TEST_F(ObjectsTest, Conditions) {
  const std::string etag = gateway_.put("/bucket/k", "x").header("ETag");
  const TestResponse unchanged = gateway_.get("/bucket/k", {{"If-None-Match", etag}});
  EXPECT_EQ(unchanged.status, 304u);
  EXPECT_EQ(unchanged.header("ETag"), etag);
  EXPECT_NE(unchanged.header("Last-Modified"), "");
  EXPECT_EQ(unchanged.body, "");
  // Before any range or part is looked at.
  EXPECT_EQ(gateway_.get("/bucket/k", {{"If-None-Match", etag}, {"Range", "bytes=10-"}}).status, 304u);
  EXPECT_EQ(gateway_.get("/bucket/k?partNumber=7", {{"If-None-Match", etag}}).status, 304u);
  const std::string modified = unchanged.header("Last-Modified");
  ASSERT_EQ(gateway_.put("/bucket/range", "0123", {{"Cache-Control", "max-age=5"}}).header("ETag").size(), 34u);
  const TestResponse whole = gateway_.get("/bucket/range");
  EXPECT_EQ(gateway_.get("/bucket/range", {{"If-None-Match", whole.header("ETag")}}).header("Cache-Control"),
            "max-age=5");
  for (const auto& [if_range, body] :
       std::vector<std::pair<std::string, std::string>>{{whole.header("ETag"), "12"},
                                                        {whole.header("Last-Modified"), "12"},
                                                        {"\"other\"", "0123"},
                                                        {"W/" + whole.header("ETag"), "0123"},
                                                        {"Sun, 06 Nov 1994 08:49:37 GMT", "0123"},
                                                        {"soon", "0123"}}) {
    const TestResponse got = gateway_.get("/bucket/range", {{"Range", "bytes=1-2"}, {"If-Range", if_range}});
    EXPECT_EQ(got.status, body == "12" ? 206u : 200u) << if_range;
    EXPECT_EQ(got.body, body) << if_range;
  }
  EXPECT_EQ(gateway_.get("/bucket/k", {{"If-Match", "\"no\""}}).code(), "PreconditionFailed");
  EXPECT_EQ(gateway_.get("/bucket/k", {{"If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"}}).status, 412u);
  EXPECT_EQ(gateway_.put("/bucket/k", "y", {{"If-None-Match", "*"}}).status, 412u);
  EXPECT_EQ(gateway_.put("/bucket/k", "y", {{"If-Match", etag}}).status, 200u);
  EXPECT_EQ(gateway_.put("/bucket/new", "y", {{"If-Match", etag}}).code(), "NoSuchKey");
}

TEST_F(ObjectsTest, AWriteWithAConditionThatIsNotOfferedIsNone) {
  const std::string etag = gateway_.put("/bucket/k", "x").header("ETag");
  const net::Header source{"x-amz-copy-source", "/bucket/k"};
  const std::string upload = gateway_.post("/bucket/k?uploads").xml("UploadId");
  const std::string date = "Sun, 06 Nov 1994 08:49:37 GMT";
  const std::vector<std::pair<std::vector<net::Header>, std::string>> cases = {
      {{{"If-None-Match", etag}}, "If-None-Match"},
      {{{"If-None-Match", "\"other\""}}, "If-None-Match"},
      {{{"If-None-Match", ""}}, "If-None-Match"},
      {{{"If-Match", "*"}}, "If-Match"},
      {{{"If-Match", ""}}, "If-Match"},
      {{{"If-Match", etag}, {"If-None-Match", "*"}}, "If-Match,If-None-Match"},
      {{{"If-Modified-Since", date}}, "If-Modified-Since"},
      {{{"If-Unmodified-Since", date}}, "If-Unmodified-Since"}};
  for (const auto& [headers, named] : cases) {
    std::vector<net::Header> copy = headers;
    copy.push_back(source);
    for (const TestResponse& answer :
         {gateway_.put("/bucket/k", "y", headers), gateway_.put("/bucket/new", "y", headers),
          gateway_.put("/bucket/new", "", copy), gateway_.post("/bucket/k?uploadId=" + upload, "", headers)}) {
      EXPECT_EQ(answer.status, 501u) << named;
      EXPECT_EQ(answer.code(), "NotImplemented") << named;
      EXPECT_EQ(answer.xml("Header"), named);
      EXPECT_FALSE(answer.body_was_asked_for) << named;
    }
  }
  EXPECT_EQ(gateway_.get("/bucket/k").body, "x");
  EXPECT_EQ(gateway_.get("/bucket/new").status, 404u);
  for (const std::string name : {"If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}) {
    const TestResponse kept = gateway_.remove("/bucket/k", {{name, name == "If-None-Match" ? "*" : date}});
    EXPECT_EQ(kept.status, 501u) << name;
    EXPECT_EQ(kept.xml("Header"), name);
  }
  EXPECT_EQ(gateway_.remove("/bucket/k", {{"If-Match", ""}}).status, 501u);
  EXPECT_EQ(gateway_.get("/bucket/k").body, "x");
  EXPECT_EQ(gateway_.remove("/bucket/k", {{"If-Match", "*"}}).status, 204u);
}

TEST_F(ObjectsTest, AnObjectIsCopiedFromTheExpectedOwnersBucketOnly) {
  ASSERT_EQ(gateway_.put("/bucket/k", "x").status, 200u);
  const auto copy = [&](const std::string& owner) {
    return gateway_.put("/bucket/copy", "",
                        {{"x-amz-copy-source", "/bucket/k"}, {"x-amz-source-expected-bucket-owner", owner}});
  };
  const TestResponse refused = copy("000000000002");
  EXPECT_EQ(refused.status, 403u);
  EXPECT_EQ(refused.code(), "AccessDenied");
  EXPECT_EQ(gateway_.get("/bucket/copy").status, 404u);
  EXPECT_EQ(copy("000000000001").status, 200u);
}

TEST_F(ObjectsTest, ChecksumsAreVerifiedStoredAndReturned) {
  // CRC-32 of "hello world" is 0x0D4A1185.
  const TestResponse put = gateway_.put("/bucket/k", "hello world", {{"x-amz-checksum-crc32", "DUoRhQ=="}});
  ASSERT_EQ(put.status, 200u);
  EXPECT_EQ(put.header("x-amz-checksum-crc32"), "DUoRhQ==");
  const TestResponse got = gateway_.get("/bucket/k", {{"x-amz-checksum-mode", "ENABLED"}});
  EXPECT_EQ(got.header("x-amz-checksum-crc32"), "DUoRhQ==");
  EXPECT_EQ(got.header("x-amz-checksum-type"), "FULL_OBJECT");
  EXPECT_EQ(gateway_.get("/bucket/k").header("x-amz-checksum-crc32"), "");

  EXPECT_EQ(gateway_.put("/bucket/bad", "x", {{"x-amz-checksum-crc32", "DUoRhQ=="}}).code(), "BadDigest");
  EXPECT_EQ(gateway_.put("/bucket/bad", "x", {{"x-amz-checksum-sha256", "bad"}}).code(), "BadDigest");
  EXPECT_EQ(gateway_.put("/bucket/bad", "x", {{"Content-MD5", "rL0Y20xC+Fzt72VPzMSk2A=="}}).code(), "BadDigest");
  EXPECT_EQ(gateway_.put("/bucket/bad", "x", {{"Content-MD5", "YWJyYWNhZGFicmE="}}).code(), "InvalidDigest");
  EXPECT_EQ(gateway_.put("/bucket/bad", "x", {{"Content-MD5", ""}}).code(), "InvalidDigest");
  EXPECT_EQ(gateway_.put("/bucket/bad", "x", {{"x-amz-checksum-md4", "AA=="}}).code(), "InvalidRequest");
  EXPECT_EQ(gateway_.put("/bucket/bad", "x", {{"x-amz-sdk-checksum-algorithm", "CRC32"}}).code(), "InvalidRequest");
  EXPECT_EQ(
      gateway_.put("/bucket/bad", "x", {{"x-amz-checksum-crc32", "DUoRhQ=="}, {"x-amz-checksum-crc32c", "DUoRhQ=="}})
          .code(),
      "InvalidRequest");
  EXPECT_EQ(gateway_.get("/bucket/bad").code(), "NoSuchKey");
}

TEST_F(ObjectsTest, AWrongPayloadHashStoresNothing) {
  const std::string hash = to_hex(crypto::sha256(as_bytes("right")));
  const TestResponse put =
      gateway_.send({.method = "PUT", .target = "/bucket/k", .body = "wrong", .payload_hash = hash});
  EXPECT_EQ(put.status, 400u);
  EXPECT_EQ(put.code(), "XAmzContentSHA256Mismatch");
  EXPECT_EQ(gateway_.get("/bucket/k").status, 404u);
  EXPECT_EQ(gateway_.send({.method = "PUT", .target = "/bucket/k", .body = "right", .payload_hash = hash}).status,
            200u);
}

TEST_F(ObjectsTest, SignedChunks) {
  const auto upload = [this](bool forge) {
    net::RequestHead head = TestGateway::head_of(
        {.method = "PUT",
         .target = "/bucket/chunked",
         .headers = {{"x-amz-decoded-content-length", "100005"}, {"Content-Encoding", "aws-chunked"}},
         .with_length = false});
    head.headers.add("Transfer-Encoding", "chunked");
    const sigv4::testing::TestSigner signer = gateway_.signer();
    std::string signature = signer.sign(head, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    std::string wire = signer.chunk(std::string(100'000, 'a'), signature);
    wire.append(signer.chunk("bbbbb", signature)).append(signer.chunk("", signature)).append("\r\n");
    if (forge) wire[wire.find("bbbbb")] = 'c';
    return gateway_.send(std::move(head), wire, false);
  };
  const TestResponse forged = upload(true);
  EXPECT_EQ(forged.status, 403u);
  EXPECT_EQ(forged.code(), "SignatureDoesNotMatch");
  EXPECT_EQ(gateway_.get("/bucket/chunked").status, 404u);
  EXPECT_EQ(upload(false).status, 200u);
  const TestResponse got = gateway_.get("/bucket/chunked");
  EXPECT_TRUE(got.body == std::string(100'000, 'a') + "bbbbb");
  EXPECT_EQ(got.header("Content-Encoding"), "");
}

TEST_F(ObjectsTest, UnsignedChunksWithATrailer) {
  const auto upload = [this](const std::string& checksum) {
    TestRequest request{.method = "PUT",
                        .target = "/bucket/k",
                        .headers = {{"x-amz-trailer", "x-amz-checksum-crc32"}, {"Transfer-Encoding", "chunked"}},
                        .with_length = false};
    net::RequestHead head = TestGateway::head_of(request);
    gateway_.signer().sign(head, "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    return gateway_.send(std::move(head), "b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:" + checksum + "\r\n\r\n",
                         false);
  };
  EXPECT_EQ(upload("DUoRhA==").code(), "BadDigest");
  EXPECT_EQ(gateway_.get("/bucket/k").status, 404u);
  const TestResponse put = upload("DUoRhQ==");
  EXPECT_EQ(put.status, 200u);
  EXPECT_EQ(put.header("x-amz-checksum-crc32"), "DUoRhQ==");
  EXPECT_EQ(gateway_.get("/bucket/k").body, "hello world");
}

TEST_F(ObjectsTest, AWriteSaysItsLength) {
  const TestResponse silent = gateway_.send({.method = "PUT", .target = "/bucket/k", .with_length = false});
  EXPECT_EQ(silent.status, 411u);
  EXPECT_EQ(silent.code(), "MissingContentLength");
  net::RequestHead head = TestGateway::head_of(
      {.method = "PUT", .target = "/bucket/k", .headers = {{"x-amz-decoded-content-length", "5368709121"}}});
  gateway_.signer().sign(head, "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
  const TestResponse large = gateway_.send(std::move(head), "");
  EXPECT_EQ(large.code(), "EntityTooLarge");
  EXPECT_EQ(large.xml("MaxSizeAllowed"), "5368709120");
  EXPECT_FALSE(large.body_was_asked_for);
}

TEST_F(ObjectsTest, RefusesWhatItWouldHaveToIgnore) {
  const std::vector<std::tuple<net::Header, unsigned, std::string>> cases = {
      {{"x-amz-acl", "private"}, 200, ""},
      {{"x-amz-acl", "bucket-owner-full-control"}, 200, ""},
      {{"x-amz-acl", "public-read"}, 400, "AccessControlListNotSupported"},
      {{"x-amz-acl", "public-ready"}, 400, "InvalidArgument"},
      {{"x-amz-grant-read", "id=x"}, 400, "AccessControlListNotSupported"},
      {{"x-amz-tagging", "a=b"}, 501, "NotImplemented"},
      {{"x-amz-website-redirect-location", "https://elsewhere/"}, 200, ""},
      {{"x-amz-website-redirect-location", "elsewhere"}, 400, "InvalidRedirectLocation"},
      {{"x-amz-website-redirect-location", "/" + std::string(2048, 'a')}, 400, "InvalidRedirectLocation"},
      {{"x-amz-server-side-encryption", "AES256"}, 200, ""},
      {{"x-amz-server-side-encryption", "aws:kms"}, 501, "NotImplemented"},
      {{"x-amz-server-side-encryption", "ROT13"}, 400, "InvalidEncryptionAlgorithmError"},
      {{"x-amz-server-side-encryption-customer-algorithm", "AES256"}, 501, "NotImplemented"},
      {{"x-amz-object-lock-mode", "GOVERNANCE"}, 501, "NotImplemented"},
      {{"x-amz-storage-class", "GLACIER_IR"}, 200, ""},
      {{"x-amz-storage-class", "CLOUD"}, 400, "InvalidStorageClass"},
      {{"x-amz-meta-a", std::string(2047, 'a')}, 200, ""},
      {{"x-amz-meta-a", std::string(2048, 'a')}, 400, "MetadataTooLarge"}};
  for (const auto& [header, status, code] : cases) {
    const TestResponse answer = gateway_.put("/bucket/k", "x", {header});
    EXPECT_EQ(answer.status, status) << header.name << ": " << header.value;
    if (!code.empty()) EXPECT_EQ(answer.code(), code) << header.name << ": " << header.value;
  }
}

TEST_F(ObjectsTest, PresignedReadsMayOverrideHeaders) {
  ASSERT_EQ(gateway_.put("/bucket/k", "x").status, 200u);
  net::RequestHead head{.method = "GET",
                        .target = "/bucket/k?response-content-type=text%2Fcsv&response-content-disposition=attachment",
                        .headers = {},
                        .peer_address = {}};
  head.headers.add("Host", "h");
  gateway_.signer().presign(head, "60");
  const TestResponse got = gateway_.send(head, "");
  EXPECT_EQ(got.status, 200u);
  EXPECT_EQ(got.header("Content-Type"), "text/csv");
  EXPECT_EQ(got.header("Content-Disposition"), "attachment");
  EXPECT_EQ(gateway_.get("/bucket/k?response-content-type=a%0d%0aX-Evil:1").code(), "InvalidArgument");
  EXPECT_EQ(gateway_.get("/bucket/k?versionId=null").status, 200u);
  EXPECT_EQ(gateway_.get("/bucket/k?versionId=abc").code(), "InvalidArgument");
  EXPECT_EQ(gateway_.get("/bucket/k", {{"x-amz-server-side-encryption-customer-algorithm", "AES256"}}).code(),
            "InvalidRequest");
  const TestResponse no_part = gateway_.get("/bucket/k?partNumber=2");
  EXPECT_EQ(no_part.status, 416u);
  EXPECT_EQ(no_part.code(), "InvalidPartNumber");
  EXPECT_EQ(no_part.xml("Message"), "The requested partnumber is not satisfiable: the object has 1 part");
  EXPECT_EQ(gateway_.head("/bucket/k?partNumber=2").status, 416u);
}

TEST_F(ObjectsTest, HeadersInAPresignedQueryAreHeaders) {
  const auto put = [this](const std::string& query, const std::vector<net::Header>& headers = {}) {
    net::RequestHead head =
        TestGateway::head_of({.method = "PUT", .target = "/bucket/k?" + query, .headers = headers, .body = "hello"});
    gateway_.signer().presign(head, "60");
    return gateway_.send(std::move(head), "hello");
  };
  ASSERT_EQ(put("x-amz-meta-a=1%202&X-Amz-Meta-Big=3&x-amz-storage-class=GLACIER_IR&x-amz-acl=private").status, 200u);
  TestResponse got = gateway_.get("/bucket/k");
  EXPECT_EQ(got.header("x-amz-meta-a"), "1 2");
  EXPECT_EQ(got.header("x-amz-meta-big"), "3");
  EXPECT_EQ(got.header("x-amz-storage-class"), "GLACIER_IR");

  EXPECT_EQ(put("x-amz-acl=public-read").code(), "AccessControlListNotSupported");
  EXPECT_EQ(put("x-amz-grant-read=id%3d1").code(), "AccessControlListNotSupported");
  EXPECT_EQ(put("x-amz-expected-bucket-owner=000000000002").code(), "AccessDenied");
  EXPECT_EQ(put("x-amz-expected-bucket-owner=000000000001").status, 200u);
  EXPECT_EQ(put("x-amz-tagging=a%3d1").code(), "NotImplemented");
  EXPECT_EQ(put("x-amz-copy-source=%2fbucket%2fk").code(), "AuthorizationQueryParametersError");
  EXPECT_EQ(put("x-amz-meta-a=1%0d%0aX-Evil:1").code(), "AuthorizationQueryParametersError");
  EXPECT_EQ(put("x-amz-meta-a:%0d%0aX-Evil=1").code(), "AuthorizationQueryParametersError");

  // What the SDK for JavaScript writes there of a body that it does not have.
  EXPECT_EQ(put("x-amz-checksum-crc32=AAAAAA%3d%3d&x-amz-sdk-checksum-algorithm=CRC32").status, 200u);
  // Said twice, it must be the same.
  ASSERT_EQ(put("x-amz-meta-a=header", {{"x-amz-meta-a", "header"}}).status, 200u);
  EXPECT_EQ(gateway_.get("/bucket/k").header("x-amz-meta-a"), "header");
  const TestResponse differs = put("x-amz-meta-a=query", {{"x-amz-meta-a", "header"}});
  EXPECT_EQ(differs.status, 400u);
  EXPECT_EQ(differs.code(), "InvalidRequest");
}

TEST_F(ObjectsTest, Copies) {
  ASSERT_EQ(gateway_.put("/bucket/a%20b", "hello", {{"x-amz-meta-x", "1"}, {"Content-Type", "text/plain"}}).status,
            200u);
  const TestResponse copied = gateway_.put("/bucket/copy", "", {{"x-amz-copy-source", "/bucket/a%20b"}});
  EXPECT_EQ(copied.status, 200u);
  EXPECT_EQ(copied.xml("ETag"), "\"5d41402abc4b2a76b9719d911017c592\"");
  TestResponse got = gateway_.get("/bucket/copy");
  EXPECT_EQ(got.body, "hello");
  EXPECT_EQ(got.header("x-amz-meta-x"), "1");
  const std::vector<net::Header> replace = {{"x-amz-copy-source", "bucket/copy?versionId=null"},
                                            {"x-amz-metadata-directive", "REPLACE"},
                                            {"x-amz-meta-y", "2"}};
  EXPECT_EQ(gateway_.put("/bucket/copy", "", replace).status, 200u);
  got = gateway_.get("/bucket/copy");
  EXPECT_EQ(got.header("x-amz-meta-x"), "");
  EXPECT_EQ(got.header("x-amz-meta-y"), "2");
  EXPECT_EQ(got.header("Content-Type"), "binary/octet-stream");

  EXPECT_EQ(gateway_.put("/bucket/copy", "", {{"x-amz-copy-source", "/bucket/copy"}}).code(), "InvalidRequest");
  EXPECT_EQ(gateway_.put("/bucket/c", "", {{"x-amz-copy-source", "/bucket/absent"}}).code(), "NoSuchKey");
  EXPECT_EQ(gateway_.put("/bucket/c", "", {{"x-amz-copy-source", "/bucket/copy"}, {"x-amz-tagging-directive", "MOVE"}})
                .code(),
            "InvalidArgument");
  EXPECT_EQ(gateway_.put("/bucket/c", "", {{"x-amz-copy-source", "/absent/k"}}).code(), "NoSuchBucket");
  for (const std::string source : {"", "/", "bucket", "bucket/", "/bucket/%zz", "/bucket/copy?versionId=x"}) {
    EXPECT_EQ(gateway_.put("/bucket/c", "", {{"x-amz-copy-source", source}}).code(), "InvalidArgument") << source;
  }
  EXPECT_EQ(
      gateway_.put("/bucket/c", "", {{"x-amz-copy-source", "/bucket/copy"}, {"x-amz-copy-source-if-match", "\"no\""}})
          .status,
      412u);
}

TEST_F(ObjectsTest, CopiesOntoThemselves) {
  ASSERT_EQ(gateway_.put("/bucket/k", "hello", {{"x-amz-website-redirect-location", "/a"}}).status, 200u);
  const net::Header source{"x-amz-copy-source", "/bucket/k"};
  EXPECT_EQ(gateway_.put("/bucket/k", "", {source}).code(), "InvalidRequest");
  for (const net::Header& named : std::vector<net::Header>{{"x-amz-storage-class", "STANDARD"},
                                                           {"x-amz-checksum-algorithm", "CRC32"},
                                                           {"x-amz-server-side-encryption", "AES256"},
                                                           {"x-amz-website-redirect-location", "/b"}}) {
    EXPECT_EQ(gateway_.put("/bucket/k", "", {source, named}).status, 200u) << named.name;
    EXPECT_EQ(gateway_.get("/bucket/k").header("x-amz-website-redirect-location"), named.value == "/b" ? "/b" : "");
  }
}

TEST(SlowCopies, AreAnsweredByBlanksUntilTheyAreDone) {
  Options options;
  options.silence = std::chrono::milliseconds(0);
  TestGateway gateway(options);
  ASSERT_EQ(gateway.put("/bucket").status, 200u);
  const std::string body = objects::pattern(6'000'000);
  ASSERT_EQ(gateway.put("/bucket/k", body).status, 200u);
  const net::Header source{"x-amz-copy-source", "/bucket/k"};
  const TestResponse copied = gateway.put("/bucket/copy", "", {source});
  EXPECT_EQ(copied.status, 200u);
  EXPECT_EQ(copied.announced_length, std::nullopt);
  EXPECT_TRUE(copied.finished);
  EXPECT_EQ(copied.header("Content-Type"), "application/xml");
  EXPECT_EQ(copied.header("x-amz-server-side-encryption"), "AES256");
  EXPECT_TRUE(copied.body.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n   ")) << copied.body;
  EXPECT_NE(copied.xml("ETag"), "(none)");
  EXPECT_TRUE(gateway.get("/bucket/copy").body == body);

  const std::string upload = gateway.post("/bucket/m?uploads").xml("UploadId");
  const TestResponse part = gateway.put("/bucket/m?partNumber=1&uploadId=" + upload, "", {source});
  EXPECT_EQ(part.status, 200u);
  EXPECT_EQ(part.announced_length, std::nullopt);
  EXPECT_EQ(part.xml("ETag"), copied.xml("ETag"));

  // What can be known before has its status; what comes up later is told in the document.
  EXPECT_EQ(gateway.put("/bucket/copy", "", {source, {"If-None-Match", "*"}}).status, 412u);
  EXPECT_EQ(gateway.put("/bucket/copy", "", {source, {"x-amz-copy-source-if-match", "no"}}).status, 412u);
  EXPECT_EQ(gateway.put("/bucket/copy", "", {{"x-amz-copy-source", "/bucket/absent"}}).status, 404u);
  gateway.cloud().watch.before_commit = [](const meta::Commit&) {
    return Error(make_error_code(Errc::kNoSpace), "full");
  };
  const TestResponse failed = gateway.put("/bucket/copy", "", {source});
  gateway.cloud().watch.before_commit = {};
  EXPECT_EQ(failed.status, 200u);
  EXPECT_TRUE(failed.finished);
  EXPECT_EQ(failed.code(), "InsufficientStorage");
  EXPECT_EQ(failed.xml("RequestId"), failed.header("x-amz-request-id"));
  EXPECT_NE(gateway.metrics().render().find("507"), std::string::npos);
}

TEST_F(ObjectsTest, Deletes) {
  ASSERT_EQ(gateway_.put("/bucket/k", "x").status, 200u);
  EXPECT_EQ(gateway_.remove("/bucket/k", {{"If-Match", "\"no\""}}).status, 412u);
  EXPECT_EQ(gateway_.remove("/bucket/k", {{"x-amz-if-match-size", "2"}}).status, 412u);
  EXPECT_EQ(gateway_.remove("/bucket/k", {{"x-amz-if-match-size", "two"}}).status, 400u);
  EXPECT_EQ(gateway_.remove("/bucket/k").status, 204u);
  EXPECT_EQ(gateway_.remove("/bucket/k").status, 204u);
  EXPECT_EQ(gateway_.remove("/bucket/k", {{"x-amz-if-match-size", "2"}}).status, 204u);
  const TestResponse gone = gateway_.remove("/bucket/k", {{"If-Match", "*"}});
  EXPECT_EQ(gone.status, 404u);
  EXPECT_EQ(gone.code(), "NoSuchKey");
  EXPECT_EQ(gateway_.get("/bucket/k").status, 404u);
}

std::string md5_of(const std::string& body) { return to_base64(crypto::md5(as_bytes(body))); }

TEST_F(ObjectsTest, DeletesMany) {
  for (const char* key : {"a", "b", "c"}) ASSERT_EQ(gateway_.put(std::string("/bucket/") + key, "x").status, 200u);
  const std::string body =
      "<Delete><Object><Key>a</Key></Object><Object><Key>absent</Key></Object>"
      "<Object><Key>b</Key><ETag>no</ETag></Object><Object><Key>gone</Key><ETag>no</ETag></Object></Delete>";
  const TestResponse unchecked = gateway_.post("/bucket?delete", body);
  EXPECT_EQ(unchecked.code(), "InvalidRequest");
  EXPECT_EQ(gateway_.post("/bucket?delete", body, {{"Content-MD5", md5_of("other")}}).code(), "BadDigest");
  const TestResponse answer = gateway_.post("/bucket?delete", body, {{"Content-MD5", md5_of(body)}});
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.all("Deleted", "Key"), (std::vector<std::string>{"a", "absent"}));
  EXPECT_EQ(answer.all("Error", "Key"), (std::vector<std::string>{"b", "gone"}));
  EXPECT_EQ(answer.all("Error", "Code"), (std::vector<std::string>{"PreconditionFailed", "NoSuchKey"}));

  const std::string quiet = "<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object></Delete>";
  EXPECT_TRUE(gateway_.post("/bucket?delete", quiet, {{"Content-MD5", md5_of(quiet)}}).all("Deleted", "Key").empty());
  EXPECT_EQ(gateway_.get("/bucket/b").status, 404u);

  std::string many = "<Delete>";
  for (int i = 0; i < 1001; ++i) many += "<Object><Key>k</Key></Object>";
  many += "</Delete>";
  for (const std::string& bad : {std::string("<Delete></Delete>"), std::string("<Delete>"), std::string(""),
                                 std::string("<Delete><Object><Key></Key></Object></Delete>"), many}) {
    EXPECT_EQ(gateway_.post("/bucket?delete", bad, {{"Content-MD5", md5_of(bad)}}).code(), "MalformedXML");
  }
}

TEST_F(ObjectsTest, Attributes) {
  ASSERT_EQ(gateway_.put("/bucket/k", "hello world", {{"x-amz-checksum-crc32", "DUoRhQ=="}}).status, 200u);
  const TestResponse all =
      gateway_.get("/bucket/k?attributes", {{"x-amz-object-attributes", "ETag,Checksum, ObjectParts,StorageClass"},
                                            {"x-amz-object-attributes", "ObjectSize"}});
  EXPECT_EQ(all.status, 200u);
  EXPECT_EQ(all.xml("ETag"), "5eb63bbbe01eeed093cb22bb8f5acdc3");
  EXPECT_EQ(all.xml("Checksum/ChecksumCRC32"), "DUoRhQ==");
  EXPECT_EQ(all.xml("Checksum/ChecksumType"), "FULL_OBJECT");
  EXPECT_EQ(all.xml("StorageClass"), "STANDARD");
  EXPECT_EQ(all.xml("ObjectSize"), "11");
  EXPECT_EQ(all.xml("ObjectParts"), "(none)");
  EXPECT_EQ(gateway_.get("/bucket/k?attributes", {{"x-amz-object-attributes", "ETag"}}).xml("ObjectSize"), "(none)");
  EXPECT_EQ(gateway_.get("/bucket/k?attributes&versionId=null", {{"x-amz-object-attributes", "ETag"}}).status, 200u);
  EXPECT_EQ(gateway_.get("/bucket/k?attributes&versionId=x", {{"x-amz-object-attributes", "ETag"}}).code(),
            "InvalidArgument");
  EXPECT_EQ(gateway_.get("/bucket/k?attributes").code(), "InvalidArgument");
  EXPECT_EQ(gateway_.get("/bucket/k?attributes", {{"x-amz-object-attributes", "Shape"}}).code(), "InvalidArgument");
}

}  // namespace
}  // namespace andromede::api::s3
