// Multipart uploads over the wire.
#include <gtest/gtest.h>

#include "api/s3/test_gateway.h"
#include "crypto/digest.h"

namespace andromede::api::s3 {
namespace {

constexpr std::size_t kPart = 5 << 20;

class MultipartTest : public GatewayTest {
 protected:
  std::string create(std::vector<net::Header> headers = {}) {
    const TestResponse answer = gateway_.post("/bucket/k?uploads", "", std::move(headers));
    EXPECT_EQ(answer.status, 200u) << answer.body;
    return answer.xml("UploadId");
  }
  static std::string part_target(const std::string& upload, int number) {
    return "/bucket/k?partNumber=" + std::to_string(number) + "&uploadId=" + upload;
  }
  TestResponse complete(const std::string& upload, const std::vector<std::pair<int, std::string>>& parts,
                        std::vector<net::Header> headers = {}) {
    std::string body = "<CompleteMultipartUpload>";
    for (const auto& [number, etag] : parts) {
      body += "<Part><PartNumber>" + std::to_string(number) + "</PartNumber><ETag>" + etag + "</ETag></Part>";
    }
    body += "</CompleteMultipartUpload>";
    return gateway_.post("/bucket/k?uploadId=" + upload, body, std::move(headers));
  }
};

TEST_F(MultipartTest, AssemblesParts) {
  const std::string upload = create({{"Content-Type", "text/plain"}, {"x-amz-meta-a", "b"}});
  const std::string one = objects::pattern(kPart, 1);
  const std::string two = "the end";
  const TestResponse first = gateway_.put(part_target(upload, 1), one);
  const TestResponse second = gateway_.put(part_target(upload, 2), two);
  ASSERT_EQ(first.status, 200u);
  ASSERT_EQ(second.status, 200u);
  const TestResponse parts = gateway_.get("/bucket/k?uploadId=" + upload + "&max-parts=1");
  EXPECT_EQ(parts.all("Part", "PartNumber"), (std::vector<std::string>{"1"}));
  EXPECT_EQ(parts.xml("NextPartNumberMarker"), "1");
  EXPECT_EQ(parts.xml("IsTruncated"), "true");
  EXPECT_EQ(parts.xml("Part/Size"), std::to_string(kPart));
  const TestResponse uploads = gateway_.get("/bucket?uploads");
  EXPECT_EQ(uploads.all("Upload", "UploadId"), (std::vector<std::string>{upload}));
  EXPECT_EQ(uploads.xml("Upload/Owner/DisplayName"), "Culture");

  const TestResponse done = complete(upload, {{1, first.header("ETag")}, {2, second.header("ETag")}});
  ASSERT_EQ(done.status, 200u) << done.body;
  EXPECT_TRUE(done.xml("ETag").ends_with("-2\""));
  EXPECT_EQ(done.xml("Location"), "http://127.0.0.1:8333/bucket/k");
  const TestResponse got = gateway_.get("/bucket/k");
  EXPECT_TRUE(got.body == one + two);
  EXPECT_EQ(got.header("Content-Type"), "text/plain");
  EXPECT_EQ(got.header("x-amz-mp-parts-count"), "");
  const TestResponse part = gateway_.get("/bucket/k?partNumber=2");
  EXPECT_EQ(part.status, 206u);
  EXPECT_EQ(part.body, two);
  EXPECT_EQ(part.header("x-amz-mp-parts-count"), "2");
  for (const int number : {3, 10'000}) {
    const TestResponse beyond = gateway_.get("/bucket/k?partNumber=" + std::to_string(number));
    EXPECT_EQ(beyond.status, 416u);
    EXPECT_EQ(beyond.code(), "InvalidPartNumber");
    EXPECT_EQ(beyond.xml("Message"), "The requested partnumber is not satisfiable: the object has 2 parts");
    EXPECT_EQ(beyond.xml("PartNumberRequested"), std::to_string(number));
    EXPECT_EQ(gateway_.head("/bucket/k?partNumber=" + std::to_string(number)).status, 416u);
  }
  EXPECT_EQ(gateway_.get("/bucket/k?partNumber=0").code(), "InvalidArgument");
  const TestResponse attributes =
      gateway_.get("/bucket/k?attributes", {{"x-amz-object-attributes", "ObjectParts"}, {"x-amz-max-parts", "1"}});
  EXPECT_EQ(attributes.xml("ObjectParts/PartsCount"), "2");
  EXPECT_EQ(attributes.xml("ObjectParts/IsTruncated"), "true");
  EXPECT_EQ(attributes.xml("ObjectParts/NextPartNumberMarker"), "1");
  EXPECT_EQ(attributes.xml("ObjectParts/Part/Size"), std::to_string(kPart));
}

TEST_F(MultipartTest, TellsWhereTheObjectIsAsItWasAddressed) {
  const net::Header host{"Host", "bucket.s3.example"};
  const std::string upload = gateway_.post("/a%20b/k?uploads", "", {host}).xml("UploadId");
  const std::string etag = gateway_.put("/a%20b/k?partNumber=1&uploadId=" + upload, "x", {host}).header("ETag");
  const TestResponse done = gateway_.post("/a%20b/k?uploadId=" + upload,
                                          "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + etag +
                                              "</ETag></Part></CompleteMultipartUpload>",
                                          {host});
  ASSERT_EQ(done.status, 200u) << done.body;
  EXPECT_EQ(done.xml("Location"), "http://bucket.s3.example/a%20b/k");
  EXPECT_EQ(gateway_.remove("/bucket/a%20b/k").status, 204u);
}

TEST_F(MultipartTest, CompositeChecksumsOfParts) {
  const TestResponse created = gateway_.post("/bucket/k?uploads", "", {{"x-amz-checksum-algorithm", "SHA256"}});
  EXPECT_EQ(created.header("x-amz-checksum-algorithm"), "SHA256");
  EXPECT_EQ(created.header("x-amz-checksum-type"), "COMPOSITE");
  const std::string upload = created.xml("UploadId");
  const std::string digest = to_base64(crypto::sha256(as_bytes("hello")));
  const TestResponse part = gateway_.put(part_target(upload, 1), "hello", {{"x-amz-checksum-sha256", digest}});
  EXPECT_EQ(part.header("x-amz-checksum-sha256"), digest);
  const std::string whole = to_base64(crypto::sha256(crypto::sha256(as_bytes("hello")))) + "-1";
  EXPECT_EQ(complete(upload, {{1, part.header("ETag")}}, {{"x-amz-checksum-sha256", "bad"}}).code(), "BadDigest");
  const TestResponse unlike = complete(upload, {{1, part.header("ETag")}}, {{"x-amz-checksum-type", "FULL_OBJECT"}});
  EXPECT_EQ(unlike.code(), "InvalidRequest");
  EXPECT_EQ(unlike.xml("Message"),
            "The upload was created using the COMPOSITE checksum mode. The complete request must use the same checksum "
            "mode.");
  EXPECT_EQ(complete(upload, {{1, "*"}}).code(), "InvalidPart");
  const TestResponse done = complete(upload, {{1, part.header("ETag")}},
                                     {{"x-amz-checksum-sha256", whole}, {"x-amz-checksum-type", "COMPOSITE"}});
  ASSERT_EQ(done.status, 200u) << done.body;
  EXPECT_EQ(done.xml("ChecksumSHA256"), whole);
  EXPECT_EQ(done.xml("ChecksumType"), "COMPOSITE");
  const TestResponse got = gateway_.get("/bucket/k", {{"x-amz-checksum-mode", "ENABLED"}});
  EXPECT_EQ(got.header("x-amz-checksum-sha256"), whole);
  const TestResponse one = gateway_.get("/bucket/k?partNumber=1", {{"x-amz-checksum-mode", "ENABLED"}});
  EXPECT_EQ(one.header("x-amz-checksum-sha256"), digest);
  EXPECT_EQ(one.header("x-amz-checksum-type"), "COMPOSITE");
  const TestResponse attributes =
      gateway_.get("/bucket/k?attributes", {{"x-amz-object-attributes", "ObjectParts,Checksum"}});
  EXPECT_EQ(attributes.xml("Checksum/ChecksumSHA256"), whole);
  EXPECT_EQ(attributes.xml("ObjectParts/Part/ChecksumSHA256"), digest);
}

TEST_F(MultipartTest, ChecksumTypesThatDoNotExist) {
  const auto code = [this](std::vector<net::Header> headers) {
    return gateway_.post("/bucket/k?uploads", "", std::move(headers)).code();
  };
  EXPECT_EQ(code({{"x-amz-checksum-algorithm", "MD4"}}), "InvalidRequest");
  EXPECT_EQ(code({{"x-amz-checksum-type", "FULL_OBJECT"}}), "InvalidRequest");
  EXPECT_EQ(code({{"x-amz-checksum-algorithm", "SHA1"}, {"x-amz-checksum-type", "FULL_OBJECT"}}), "InvalidRequest");
  EXPECT_EQ(code({{"x-amz-checksum-algorithm", "CRC64NVME"}, {"x-amz-checksum-type", "COMPOSITE"}}), "InvalidRequest");
}

TEST_F(MultipartTest, CopiesParts) {
  ASSERT_EQ(gateway_.put("/bucket/source", "0123456789").status, 200u);
  const std::string upload = create();
  const TestResponse copied = gateway_.put(
      part_target(upload, 1), "", {{"x-amz-copy-source", "bucket/source"}, {"x-amz-copy-source-range", "bytes=2-5"}});
  ASSERT_EQ(copied.status, 200u) << copied.body;
  EXPECT_EQ(complete(upload, {{1, copied.xml("ETag")}}).status, 200u);
  EXPECT_EQ(gateway_.get("/bucket/k").body, "2345");
  for (const std::string range : {"0-2", "bytes=0", "bytes=hello-world", "bytes=0-2,3-5"}) {
    EXPECT_EQ(gateway_
                  .put(part_target(upload, 1), "",
                       {{"x-amz-copy-source", "bucket/source"}, {"x-amz-copy-source-range", range}})
                  .code(),
              "InvalidArgument");
  }
}

TEST_F(MultipartTest, ConditionsOfACompletion) {
  const std::string etag = gateway_.put("/bucket/k", "before").header("ETag");
  const std::string upload = create();
  const std::vector<std::pair<int, std::string>> parts{{1, gateway_.put(part_target(upload, 1), "x").header("ETag")}};
  const TestResponse exists = complete(upload, parts, {{"If-None-Match", "*"}});
  EXPECT_EQ(exists.status, 412u);
  EXPECT_EQ(exists.code(), "PreconditionFailed");
  EXPECT_EQ(complete(upload, parts, {{"If-Match", "\"other\""}}).status, 412u);
  EXPECT_EQ(gateway_.get("/bucket/k").body, "before");
  EXPECT_EQ(complete(upload, parts, {{"If-Match", etag}}).status, 200u);
  EXPECT_EQ(gateway_.get("/bucket/k").body, "x");
}

TEST_F(MultipartTest, ConditionsOfACopiedPart) {
  const std::string etag = gateway_.put("/bucket/source", "0123456789").header("ETag");
  const std::string modified = gateway_.head("/bucket/source").header("Last-Modified");
  const std::string upload = create();
  const auto copy = [&](const net::Header& condition) {
    return gateway_.put(part_target(upload, 1), "", {{"x-amz-copy-source", "bucket/source"}, condition});
  };
  const std::string past = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (const net::Header& broken : std::vector<net::Header>{{"x-amz-copy-source-if-match", "\"other\""},
                                                            {"x-amz-copy-source-if-none-match", etag},
                                                            {"x-amz-copy-source-if-modified-since", modified},
                                                            {"x-amz-copy-source-if-unmodified-since", past}}) {
    const TestResponse refused = copy(broken);
    EXPECT_EQ(refused.status, 412u) << broken.name;
    EXPECT_EQ(refused.code(), "PreconditionFailed") << broken.name;
  }
  EXPECT_EQ(gateway_.get("/bucket/k?uploadId=" + upload).all("Part", "PartNumber"), std::vector<std::string>{});
  for (const net::Header& holds : std::vector<net::Header>{{"x-amz-copy-source-if-match", etag},
                                                           {"x-amz-copy-source-if-none-match", "\"other\""},
                                                           {"x-amz-copy-source-if-modified-since", past},
                                                           {"x-amz-copy-source-if-unmodified-since", modified}}) {
    EXPECT_EQ(copy(holds).status, 200u) << holds.name;
  }
}

TEST_F(MultipartTest, APartIsCopiedFromTheExpectedOwnersBucketOnly) {
  ASSERT_EQ(gateway_.put("/bucket/source", "0123456789").status, 200u);
  const std::string upload = create();
  const auto copy = [&](const std::string& owner) {
    return gateway_.put(part_target(upload, 1), "",
                        {{"x-amz-copy-source", "bucket/source"}, {"x-amz-source-expected-bucket-owner", owner}});
  };
  const TestResponse refused = copy("000000000002");
  EXPECT_EQ(refused.status, 403u);
  EXPECT_EQ(refused.code(), "AccessDenied");
  EXPECT_EQ(copy("000000000001").status, 200u);
}

TEST_F(MultipartTest, WhatTakesNoConditionSaysSo) {
  const std::string upload = create();
  for (const std::string name : {"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}) {
    for (const TestResponse& answer :
         {gateway_.post("/bucket/k?uploads", "", {{name, "*"}}),
          gateway_.put(part_target(upload, 1), "x", {{name, "*"}}),
          gateway_.put(part_target(upload, 1), "", {{"x-amz-copy-source", "bucket/source"}, {name, "*"}})}) {
      EXPECT_EQ(answer.status, 501u) << name;
      EXPECT_EQ(answer.code(), "NotImplemented") << name;
      EXPECT_EQ(answer.xml("Header"), name);
      EXPECT_FALSE(answer.body_was_asked_for) << name;
    }
  }
}

TEST_F(MultipartTest, PartsAreListedOnceAndInOrder) {
  const std::string upload = create();
  const std::string etag = gateway_.put(part_target(upload, 1), "x").header("ETag");
  const TestResponse twice = complete(upload, {{1, etag}, {1, etag}});
  EXPECT_EQ(twice.status, 400u);
  EXPECT_EQ(twice.code(), "InvalidPartOrder");
  EXPECT_EQ(complete(upload, {{2, etag}, {1, etag}}).code(), "InvalidPartOrder");
  EXPECT_EQ(complete(upload, {{1, etag}}).status, 200u);
  // With an algorithm, from 1 on and without a gap.
  const std::string crc = create({{"x-amz-checksum-algorithm", "CRC32"}});
  const std::string second = gateway_.put(part_target(crc, 2), "x").header("ETag");
  EXPECT_EQ(complete(crc, {{2, second}}).code(), "InvalidPartOrder");
}

TEST_F(MultipartTest, Refusals) {
  const std::string upload = create();
  const TestResponse part = gateway_.put(part_target(upload, 1), "x");
  for (const int number : {0, 10'001})
    EXPECT_EQ(gateway_.put(part_target(upload, number), "x").code(), "InvalidArgument");
  EXPECT_EQ(gateway_.put("/bucket/k?partNumber=x&uploadId=" + upload, "x").code(), "InvalidArgument");
  EXPECT_EQ(gateway_.put(part_target("abc1234def", 1), "x").code(), "NoSuchUpload");
  EXPECT_EQ(gateway_.put(part_target(std::string(32, '0'), 1), "x").code(), "NoSuchUpload");
  EXPECT_EQ(complete("abc1234def", {{1, "e"}}).code(), "NoSuchUpload");
  EXPECT_EQ(complete(upload, {}).code(), "MalformedXML");
  EXPECT_EQ(gateway_.post("/bucket/k?uploadId=" + upload, "").code(), "MalformedXML");
  EXPECT_EQ(gateway_.post("/bucket/k?uploadId=" + upload, "<CompleteMultipartUpload><Part/></CompleteMultipartUpload>")
                .code(),
            "MalformedXML");
  EXPECT_EQ(complete(upload, {{9999, part.header("ETag")}}).code(), "InvalidPart");
  EXPECT_EQ(complete(upload, {{1, std::string(32, 'f')}}).code(), "InvalidPart");
  EXPECT_EQ(complete(upload, {{1, part.header("ETag")}}, {{"x-amz-mp-object-size", "2"}}).status, 400u);
  EXPECT_EQ(gateway_.remove("/bucket/k?uploadId=" + upload).status, 204u);
  EXPECT_EQ(gateway_.remove("/bucket/k?uploadId=" + upload).code(), "NoSuchUpload");
  EXPECT_EQ(gateway_.get("/bucket/k?uploadId=" + upload).code(), "NoSuchUpload");
}

TEST_F(MultipartTest, WhatWaitsForItsTurnGoesWithItsConnection) {
  std::stop_source cut;
  cut.request_stop();
  const std::string upload = create();
  const std::string etag = gateway_.put(part_target(upload, 1), "x").header("ETag");
  const std::string target = "/bucket/k?uploadId=" + upload;
  const std::string parts = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + etag +
                            "</ETag></Part></CompleteMultipartUpload>";
  EXPECT_EQ(gateway_.send({.method = "POST", .target = target, .body = parts}, cut), 0U);
  EXPECT_EQ(gateway_.send({.method = "DELETE", .target = target}, cut), 0U);
  ASSERT_EQ(complete(upload, {{1, etag}}).status, 200U);

  gateway_.cloud().put_long_object(
      objects::TestCloud::must(sync_wait(gateway_.cloud().service().head_bucket(gateway_.cloud().context(), "bucket")))
          .info.id,
      "long");
  const std::string document = "<Delete><Object><Key>k</Key></Object></Delete>";
  EXPECT_EQ(gateway_.send({.method = "POST",
                           .target = "/bucket?delete",
                           .headers = {{"Content-MD5", to_base64(crypto::md5(as_bytes(document)))}},
                           .body = document},
                          cut),
            0U);
  EXPECT_EQ(gateway_.send({.method = "PUT", .target = "/bucket/long", .body = "x"}, cut), 0U);
  EXPECT_EQ(gateway_.send({.method = "DELETE", .target = "/bucket/long"}, cut), 0U);
  // A copy is given up at its first byte already; this one once all of them are there.
  cut = std::stop_source();
  gateway_.cloud().watch.after_get = [&](const std::string& key) {
    if (key.ends_with("long")) cut.request_stop();
  };
  EXPECT_EQ(
      gateway_.send({.method = "PUT", .target = "/bucket/long", .headers = {{"x-amz-copy-source", "/bucket/k"}}}, cut),
      0U);
  gateway_.cloud().watch.after_get = {};
  EXPECT_TRUE(cut.stop_requested());
  EXPECT_EQ(gateway_.head("/bucket/k").status, 200U);
  EXPECT_TRUE(gateway_.head("/bucket/long").header("ETag").ends_with("-1500\""));
}

}  // namespace
}  // namespace andromede::api::s3
