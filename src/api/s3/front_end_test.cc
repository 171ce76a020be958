// What holds for every operation: signatures before bodies, errors and their form, metrics.
#include "api/s3/front_end.h"

#include <gtest/gtest.h>

#include "api/edge/fault_lines.h"
#include "api/s3/test_gateway.h"

namespace andromede::api::s3 {
namespace {

using FrontEndTest = GatewayTest;

TEST_F(FrontEndTest, AnUnsignedRequestIsRefusedBeforeItsBody) {
  const TestResponse answer =
      gateway_.send(TestGateway::head_of({.method = "PUT", .target = "/bucket/k", .body = "x"}), "x");
  EXPECT_EQ(answer.status, 403u);
  EXPECT_EQ(answer.code(), "AccessDenied");
  EXPECT_FALSE(answer.body_was_asked_for);
}

TEST_F(FrontEndTest, AWrongSignatureIsRefusedBeforeTheBody) {
  net::RequestHead head = TestGateway::head_of({.method = "PUT", .target = "/bucket/k", .body = "x"});
  sigv4::testing::TestSigner signer = gateway_.signer();
  signer.secret = "wrong";
  signer.sign(head);
  const TestResponse answer = gateway_.send(std::move(head), "x");
  EXPECT_EQ(answer.status, 403u);
  EXPECT_EQ(answer.code(), "SignatureDoesNotMatch");
  EXPECT_FALSE(answer.body_was_asked_for);
  EXPECT_EQ(answer.xml("AWSAccessKeyId"), signer.access_key_id);
}

TEST_F(FrontEndTest, ABucketThatIsNotThereIsToldBeforeTheBody) {
  const TestResponse answer = gateway_.put("/absent/k", "x");
  EXPECT_EQ(answer.status, 404u);
  EXPECT_EQ(answer.code(), "NoSuchBucket");
  EXPECT_EQ(answer.xml("BucketName"), "absent");
  EXPECT_FALSE(answer.body_was_asked_for);
}

TEST_F(FrontEndTest, ErrorsNameRequestAndResource) {
  const TestResponse answer = gateway_.get("/bucket/a%20b");
  EXPECT_EQ(answer.status, 404u);
  EXPECT_EQ(answer.header("Content-Type"), "application/xml");
  EXPECT_EQ(answer.code(), "NoSuchKey");
  EXPECT_EQ(answer.xml("Key"), "a b");
  EXPECT_EQ(answer.xml("Resource"), "/bucket/a b");
  EXPECT_EQ(answer.xml("RequestId"), answer.header("x-amz-request-id"));
  EXPECT_EQ(answer.xml("HostId"), answer.header("x-amz-id-2"));
}

TEST_F(FrontEndTest, ErrorsOfHeadHaveNoBody) {
  const TestResponse answer = gateway_.head("/bucket/absent");
  EXPECT_EQ(answer.status, 404u);
  EXPECT_EQ(answer.body, "");
}

TEST_F(FrontEndTest, AWrongRegionNamesTheRightOne) {
  net::RequestHead head = TestGateway::head_of({.target = "/bucket"});
  sigv4::testing::TestSigner signer = gateway_.signer();
  signer.region = "eu-west-3";
  signer.sign(head);
  const TestResponse answer = gateway_.send(std::move(head), "");
  EXPECT_EQ(answer.status, 400u);
  EXPECT_EQ(answer.code(), "AuthorizationHeaderMalformed");
  EXPECT_EQ(answer.xml("Region"), "fr-andromede-1");
}

TEST_F(FrontEndTest, AnotherAccountIsShutOut) {
  ASSERT_EQ(gateway_.put("/bucket/k", "x").status, 200u);
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    const TestResponse answer = gateway_.send({.method = method, .target = "/bucket/k", .account = 1});
    EXPECT_EQ(answer.status, 403u) << method;
    EXPECT_EQ(answer.code(), "AccessDenied") << method;
  }
  EXPECT_EQ(gateway_.send({.method = "GET", .target = "/bucket", .account = 1}).status, 403u);
  EXPECT_EQ(gateway_.send({.method = "HEAD", .target = "/bucket", .account = 1}).status, 403u);
  EXPECT_EQ(gateway_.send({.method = "PUT", .target = "/bucket", .account = 1}).code(), "BucketAlreadyExists");
  EXPECT_EQ(gateway_.send({.target = "/", .account = 1}).body.find("<Name>"), std::string::npos);
}

TEST_F(FrontEndTest, TheExpectedOwnerMustBeTheOwner) {
  EXPECT_EQ(gateway_.head("/bucket", {{"x-amz-expected-bucket-owner", "000000000001"}}).status, 200u);
  EXPECT_EQ(gateway_.head("/bucket", {{"x-amz-expected-bucket-owner", "000000000002"}}).status, 403u);
}

TEST_F(FrontEndTest, VirtualHostsNameTheBucket) {
  EXPECT_EQ(gateway_.put("/key", "x", {{"Host", "bucket.s3.example"}}).status, 200u);
  EXPECT_EQ(gateway_.get("/bucket/key").body, "x");
}

TEST_F(FrontEndTest, WhatIsNotOfferedIsSaid) {
  EXPECT_EQ(gateway_.put("/bucket?versioning", "<a/>").code(), "NotImplemented");
  EXPECT_EQ(gateway_.put("/bucket/k?tagging", "<a/>").status, 501u);
  EXPECT_EQ(gateway_.send({.method = "POST", .target = "/"}).code(), "MethodNotAllowed");
  const TestResponse method = gateway_.send({.method = "PATCH", .target = "/bucket/k"});
  EXPECT_EQ(method.status, 405u);
  EXPECT_EQ(method.xml("Method"), "PATCH");
}

TEST_F(FrontEndTest, PreflightsNeedNoSignature) {
  net::RequestHead bare{.method = "OPTIONS", .target = "/bucket/k", .headers = {}, .peer_address = {}};
  EXPECT_EQ(gateway_.send(bare, "").status, 400u);
  bare.headers.add("Origin", "https://example");
  bare.headers.add("Access-Control-Request-Method", "GET");
  EXPECT_EQ(gateway_.send(bare, "").status, 403u);
}

TEST_F(FrontEndTest, KeysHaveALimit) {
  const std::string longest(1024, 'k');
  EXPECT_EQ(gateway_.put("/bucket/" + longest, "x").status, 200u);
  EXPECT_EQ(gateway_.get("/bucket/" + longest).body, "x");
  for (const TestResponse& answer :
       {gateway_.put("/bucket/" + longest + "k", "x"), gateway_.get("/bucket/" + longest + "k")}) {
    EXPECT_EQ(answer.status, 400u);
    EXPECT_EQ(answer.code(), "KeyTooLongError");
    EXPECT_EQ(answer.xml("MaxSizeAllowed"), "1024");
  }
}

TEST_F(FrontEndTest, AnAclMaySayWhatHoldsAnyway) {
  ASSERT_EQ(gateway_.put("/bucket/k", "x").status, 200u);
  for (const std::string target : {"/bucket?acl", "/bucket/k?acl"}) {
    EXPECT_EQ(gateway_.put(target, "", {{"x-amz-acl", "private"}}).status, 200u);
    EXPECT_EQ(gateway_.put(target, "", {{"x-amz-acl", "public-read"}}).code(), "AccessControlListNotSupported");
    // What was read may be written back, as copying clients do.
    const std::string read = gateway_.get(target).body;
    EXPECT_EQ(gateway_.put(target, read).status, 200u);
    std::string other = read;
    other.replace(other.rfind("<ID>aaaa"), 8, "<ID>bbbb");
    EXPECT_EQ(gateway_.put(target, other).code(), "AccessControlListNotSupported");
    EXPECT_EQ(gateway_.put(target, "<AccessControlPolicy/>").code(), "MalformedXML");
  }
  EXPECT_EQ(gateway_.put("/bucket/absent?acl", "", {{"x-amz-acl", "private"}}).code(), "NoSuchKey");
  EXPECT_EQ(gateway_.put("/absent?acl", "", {{"x-amz-acl", "private"}}).code(), "NoSuchBucket");
}

TEST_F(FrontEndTest, ClientsProbesAreAnsweredTruthfully) {
  EXPECT_EQ(gateway_.get("/bucket?versioning").status, 200u);
  EXPECT_EQ(gateway_.get("/bucket?acl").xml("AccessControlList/Grant/Permission"), "FULL_CONTROL");
  EXPECT_EQ(gateway_.get("/bucket?acl").xml("Owner/ID"), std::string(64, 'a'));
  EXPECT_EQ(gateway_.get("/bucket?encryption").xml("Rule/ApplyServerSideEncryptionByDefault/SSEAlgorithm"), "AES256");
  EXPECT_EQ(gateway_.get("/bucket?ownershipControls").xml("Rule/ObjectOwnership"), "BucketOwnerEnforced");
  const std::vector<std::pair<std::string, std::string>> absent = {
      {"policy", "NoSuchBucketPolicy"},
      {"tagging", "NoSuchTagSet"},
      {"lifecycle", "NoSuchLifecycleConfiguration"},
      {"cors", "NoSuchCORSConfiguration"},
      {"website", "NoSuchWebsiteConfiguration"},
      {"replication", "ReplicationConfigurationNotFoundError"},
      {"object-lock", "ObjectLockConfigurationNotFoundError"},
      {"publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"}};
  for (const auto& [subresource, code] : absent) {
    const TestResponse answer = gateway_.get("/bucket?" + subresource);
    EXPECT_EQ(answer.status, 404u) << subresource;
    EXPECT_EQ(answer.code(), code);
  }
  EXPECT_EQ(gateway_.get("/bucket?inventory").status, 501u);
  EXPECT_EQ(gateway_.get("/absent?acl").code(), "NoSuchBucket");
  ASSERT_EQ(gateway_.put("/bucket/k", "x").status, 200u);
  EXPECT_EQ(gateway_.get("/bucket/k?acl").xml("AccessControlList/Grant/Grantee/ID"), std::string(64, 'a'));
  EXPECT_EQ(gateway_.get("/bucket/k?tagging").status, 200u);
  EXPECT_EQ(gateway_.get("/bucket/absent?acl").code(), "NoSuchKey");
}

TEST(FrontEndMetricsTest, CountsRequestsByOperationAndStatus) {
  TestGateway gateway;
  gateway.put("/bucket");
  gateway.put("/bucket/k", "x");
  gateway.get("/bucket/absent");
  const std::string text = gateway.metrics().render();
  EXPECT_NE(text.find("andromede_s3_requests_total{operation=\"PutObject\",status=\"200\"} 1"), std::string::npos)
      << text;
  EXPECT_NE(text.find("andromede_s3_requests_total{operation=\"GetObject\",status=\"404\"} 1"), std::string::npos);
  EXPECT_NE(text.find("andromede_s3_request_seconds_count{operation=\"PutObject\"} 1"), std::string::npos);
  EXPECT_NE(text.find("andromede_s3_received_bytes_total 1"), std::string::npos);
}

// Its own doing or ours: an account that fails as fast as it asks leaves the log to others, and no failure is untold.
TEST_F(FrontEndTest, FailuresOfOneAccountAreLoggedSoManyASecond) {
  constexpr unsigned kFailures = 100;
  gateway_.cloud().watch.before_commit = [](const meta::Commit&) {
    return Error(make_error_code(Errc::kInternal), "the test says so");
  };
  const auto second = [this] {
    return std::chrono::floor<std::chrono::seconds>(gateway_.clock().steady().time_since_epoch()).count();
  };
  testing::internal::CaptureStderr();
  const auto from = second();
  for (unsigned i = 0; i < kFailures; ++i) EXPECT_EQ(gateway_.put("/bucket/k", "x").status, 500U);
  const auto seconds = second() - from + 1;
  gateway_.clock().advance(std::chrono::seconds(1));
  EXPECT_EQ(gateway_.put("/bucket/k", "x").status, 500U);
  gateway_.cloud().watch.before_commit = {};
  const std::string log = testing::internal::GetCapturedStderr();
  const std::string left_out = "\"failuresNotLogged\":";
  unsigned lines = 0;
  unsigned told = 0;
  for (std::size_t at = log.find("s3 request failed"); at != std::string::npos;
       at = log.find("s3 request failed", at + 1)) {
    ++lines;
    told += 1 + static_cast<unsigned>(std::stoul(log.substr(log.find(left_out, at) + left_out.size())));
  }
  EXPECT_LE(lines, edge::FaultLines::kPerSecond * seconds + 1);
  EXPECT_EQ(told, kFailures + 1);
}

TEST_F(FrontEndTest, WhoHasNoKeyForNowIsToldToComeBack) {
  keys::TestCustody& custody = gateway_.cloud().custody();
  keys::KeyService& service = gateway_.cloud().key_service();
  // So that custody is asked for it.
  service.forget(sync_wait(service.erasure_of(AccountId("000000000001")))->key);
  custody.change = [](auto) { return fail(Errc::kTimeout, "the HSM hangs"); };
  EXPECT_EQ(gateway_.put("/bucket/k", "x").status, 503U);
  EXPECT_EQ(gateway_.put("/bucket/k", "x").code(), "ServiceUnavailable");
  custody.change = [](auto) { return fail(Errc::kOverloaded, "too many wait for the HSM"); };
  EXPECT_EQ(gateway_.put("/bucket/k", "x").status, 503U);
  EXPECT_EQ(gateway_.put("/bucket/k", "x").code(), "SlowDown");
  custody.change = nullptr;
  EXPECT_EQ(gateway_.put("/bucket/k", "x").status, 200U);
  EXPECT_EQ(gateway_.get("/bucket/k").body, "x");
}

TEST_F(FrontEndTest, RendersTheServersOwnErrors) {
  const std::string xml = gateway_.front_end().render_protocol_error(431, "The head is too long");
  EXPECT_NE(xml.find("<Code>RequestHeaderSectionTooLarge</Code><Message>The head is too long</Message>"),
            std::string::npos)
      << xml;
}

}  // namespace
}  // namespace andromede::api::s3
