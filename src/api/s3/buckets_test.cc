// Buckets and listings over the wire.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "api/s3/answer_memory.h"
#include "api/s3/test_gateway.h"

namespace andromede::api::s3 {
namespace {

using Names = std::vector<std::string>;

TEST(BucketsTest, LiveAndDie) {
  TestGateway gateway;
  EXPECT_EQ(gateway.head("/bucket").status, 404u);
  EXPECT_EQ(gateway.put("/bucket").header("Location"), "/bucket");
  EXPECT_EQ(gateway.head("/bucket").header("x-amz-bucket-region"), "fr-andromede-1");
  EXPECT_EQ(gateway.put("/bucket").code(), "BucketAlreadyOwnedByYou");
  EXPECT_EQ(gateway.get("/bucket?location").xml(""), "fr-andromede-1");
  ASSERT_EQ(gateway.put("/bucket/k", "x").status, 200u);
  EXPECT_EQ(gateway.remove("/bucket").code(), "BucketNotEmpty");
  for (const char* configuration : {"/bucket?policy", "/bucket?cors", "/bucket?tagging", "/bucket/k?tagging"}) {
    EXPECT_EQ(gateway.remove(configuration).status, 204u) << configuration;
  }
  EXPECT_EQ(gateway.remove("/absent?policy").code(), "NoSuchBucket");
  EXPECT_EQ(gateway.remove("/bucket/absent?tagging").code(), "NoSuchKey");
  EXPECT_EQ(gateway.get("/bucket/k").body, "x");
  ASSERT_EQ(gateway.remove("/bucket/k").status, 204u);
  EXPECT_EQ(gateway.remove("/bucket").status, 204u);
  EXPECT_EQ(gateway.remove("/bucket").code(), "NoSuchBucket");
  EXPECT_EQ(gateway.put("/Bad_Name").code(), "InvalidBucketName");
}

TEST(BucketsTest, MakingOnesOwnBucketAgainIsASuccessInTheFirstRegion) {
  TestGateway gateway;
  ASSERT_EQ(gateway.put("/bucket").status, 200u);
  net::RequestHead head = TestGateway::head_of({.method = "PUT", .target = "/bucket"});
  sigv4::testing::TestSigner signer = gateway.signer();
  signer.region = "us-east-1";
  signer.sign(head);
  EXPECT_EQ(gateway.send(std::move(head), "").status, 200u);
}

TEST(BucketsTest, LocationConstraints) {
  TestGateway gateway;
  const auto with = [](const std::string& region) {
    return "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>" +
           region + "</LocationConstraint></CreateBucketConfiguration>";
  };
  EXPECT_EQ(gateway.put("/home", with("fr-andromede-1")).status, 200u);
  EXPECT_EQ(gateway.put("/classic", with("us-east-1")).status, 200u);
  EXPECT_EQ(gateway.put("/plain", with("")).status, 200u);
  EXPECT_EQ(gateway.put("/abroad", with("eu-west-3")).code(), "InvalidLocationConstraint");
  EXPECT_EQ(
      gateway.put("/abroad", with("eu-west-3")).xml("Message"),
      "The specified location-constraint is not valid: it is no policy of this cloud's, which are: standard, apart");
  EXPECT_EQ(gateway.put("/abroad", with("eu-west-3")).xml("LocationConstraint"), "eu-west-3");
  ASSERT_EQ(gateway.put("/apart", with("apart")).status, 200u);
  EXPECT_EQ(gateway.head("/apart").header("x-andromede-policy"), "apart");
  EXPECT_EQ(gateway.head("/home").header("x-andromede-policy"), "standard");
  EXPECT_EQ(gateway.get("/apart?location").body, gateway.get("/plain?location").body) << "clients sign by it";
  EXPECT_EQ(gateway.put("/broken", "<CreateBucketConfiguration>").code(), "MalformedXML");
  EXPECT_EQ(gateway.put("/other", "<Other/>").code(), "MalformedXML");
  EXPECT_EQ(gateway.put("/public", "", {{"x-amz-acl", "public-read"}}).code(), "AccessControlListNotSupported");
  EXPECT_EQ(gateway.put("/locked", "", {{"x-amz-bucket-object-lock-enabled", "true"}}).code(), "NotImplemented");
  const TestResponse list = gateway.get("/");
  EXPECT_EQ(list.xml("Owner/ID"), std::string(64, 'a'));
  EXPECT_NE(list.body.find("<Name>classic</Name>"), std::string::npos);
  EXPECT_EQ(list.body.find("abroad"), std::string::npos);
}

TEST(BucketsTest, AreListedInPages) {
  TestGateway gateway;
  for (const char* name : {"aaa", "bbb", "bbc"}) ASSERT_EQ(gateway.put(std::string("/") + name).status, 200u);
  const TestResponse first = gateway.get("/?max-buckets=2");
  EXPECT_NE(first.body.find("<Name>bbb</Name>"), std::string::npos);
  EXPECT_EQ(first.body.find("<Name>bbc</Name>"), std::string::npos);
  const TestResponse second = gateway.get("/?max-buckets=2&continuation-token=" + first.xml("ContinuationToken"));
  EXPECT_NE(second.body.find("<Name>bbc</Name>"), std::string::npos);
  EXPECT_EQ(second.xml("ContinuationToken"), "(none)");
  const TestResponse prefixed = gateway.get("/?prefix=bb");
  EXPECT_EQ(prefixed.body.find("<Name>aaa</Name>"), std::string::npos);
  EXPECT_EQ(prefixed.xml("Prefix"), "bb");
  EXPECT_EQ(gateway.get("/?max-buckets=0").code(), "InvalidArgument");
  EXPECT_EQ(gateway.get("/?continuation-token=!").code(), "InvalidArgument");
}

class ListingTest : public GatewayTest {
 protected:
  void SetUp() override {
    GatewayTest::SetUp();
    for (const char* key : {"a%2B1/b", "a/b/c", "d%20e/f", "g+h"}) {
      ASSERT_EQ(gateway_.put(std::string("/bucket/") + key, "x").status, 200u);
    }
  }
};

TEST_F(ListingTest, V1) {
  const TestResponse all = gateway_.get("/bucket");
  EXPECT_EQ(all.all("Contents", "Key"), (Names{"a+1/b", "a/b/c", "d e/f", "g+h"}));
  EXPECT_EQ(all.all("Contents", "Size"), (Names{"1", "1", "1", "1"}));
  EXPECT_EQ(all.all("Contents", "ETag")[0], "\"9dd4e461268c8034f5c8564e155c67a6\"");
  EXPECT_EQ(all.xml("Contents/Owner/DisplayName"), "Culture");
  EXPECT_EQ(all.xml("Contents/StorageClass"), "STANDARD");
  EXPECT_EQ(all.xml("MaxKeys"), "1000");
  EXPECT_EQ(all.xml("IsTruncated"), "false");
  EXPECT_EQ(all.xml("Delimiter"), "(none)");
  const std::string time = all.xml("Contents/LastModified");
  EXPECT_EQ(time.substr(time.size() - 5), ".000Z");

  const TestResponse page = gateway_.get("/bucket?delimiter=/&max-keys=2");
  EXPECT_EQ(page.all("CommonPrefixes", "Prefix"), (Names{"a+1/", "a/"}));
  EXPECT_EQ(page.xml("NextMarker"), "a/");
  const TestResponse rest = gateway_.get("/bucket?delimiter=/&max-keys=2&marker=a/");
  EXPECT_EQ(rest.all("CommonPrefixes", "Prefix"), (Names{"d e/"}));
  EXPECT_EQ(rest.all("Contents", "Key"), (Names{"g+h"}));
  EXPECT_EQ(rest.xml("Marker"), "a/");
  EXPECT_EQ(gateway_.get("/bucket?max-keys=1").xml("NextMarker"), "(none)");
}

TEST_F(ListingTest, UrlEncoding) {
  const TestResponse answer = gateway_.get("/bucket?delimiter=/&encoding-type=url");
  EXPECT_EQ(answer.all("CommonPrefixes", "Prefix"), (Names{"a%2B1/", "a/", "d%20e/"}));
  EXPECT_EQ(answer.all("Contents", "Key"), (Names{"g%2Bh"}));
  EXPECT_EQ(answer.xml("EncodingType"), "url");
  EXPECT_EQ(gateway_.get("/bucket?encoding-type=rot13").code(), "InvalidArgument");
}

TEST_F(ListingTest, V2) {
  const TestResponse first = gateway_.get("/bucket?list-type=2&max-keys=3&start-after=a%2B1");
  EXPECT_EQ(first.all("Contents", "Key"), (Names{"a+1/b", "a/b/c", "d e/f"}));
  EXPECT_EQ(first.xml("KeyCount"), "3");
  EXPECT_EQ(first.xml("StartAfter"), "a+1");
  EXPECT_EQ(first.xml("IsTruncated"), "true");
  EXPECT_EQ(first.xml("Contents/Owner"), "(none)");
  const std::string token = first.xml("NextContinuationToken");
  const TestResponse second =
      gateway_.get("/bucket?list-type=2&fetch-owner=true&start-after=a%2B1&continuation-token=" + token);
  EXPECT_EQ(second.all("Contents", "Key"), (Names{"g+h"}));
  EXPECT_EQ(second.xml("ContinuationToken"), token);
  EXPECT_EQ(second.xml("Contents/Owner/ID"), std::string(64, 'a'));
  EXPECT_EQ(second.xml("NextContinuationToken"), "(none)");
  EXPECT_EQ(gateway_.get("/bucket?list-type=2&continuation-token=").xml("ContinuationToken"), "");
  EXPECT_EQ(gateway_.get("/bucket?list-type=2&continuation-token=abcd").code(), "InvalidArgument");
}

TEST_F(ListingTest, MaxKeys) {
  EXPECT_EQ(gateway_.get("/bucket?max-keys=5000").xml("MaxKeys"), "1000");
  const TestResponse none = gateway_.get("/bucket?max-keys=0");
  EXPECT_EQ(none.xml("IsTruncated"), "false");
  EXPECT_TRUE(none.all("Contents", "Key").empty());
  EXPECT_EQ(gateway_.get("/absent?max-keys=0").code(), "NoSuchBucket");
  for (const char* bad : {"blah", "-1", "1.5", "99999999999"}) {
    const TestResponse answer = gateway_.get(std::string("/bucket?max-keys=") + bad);
    EXPECT_EQ(answer.code(), "InvalidArgument") << bad;
    EXPECT_EQ(answer.xml("ArgumentName"), "max-keys");
    EXPECT_EQ(answer.xml("ArgumentValue"), bad);
  }
}

TEST_F(ListingTest, VersionsAreNull) {
  const TestResponse first = gateway_.get("/bucket?versions&max-keys=2");
  EXPECT_EQ(first.all("Version", "Key"), (Names{"a+1/b", "a/b/c"}));
  EXPECT_EQ(first.all("Version", "VersionId"), (Names{"null", "null"}));
  EXPECT_EQ(first.all("Version", "IsLatest"), (Names{"true", "true"}));
  EXPECT_EQ(first.xml("NextKeyMarker"), "a/b/c");
  EXPECT_EQ(first.xml("NextVersionIdMarker"), "null");
  const TestResponse second = gateway_.get("/bucket?versions&key-marker=a/b/c&version-id-marker=null");
  EXPECT_EQ(second.all("Version", "Key"), (Names{"d e/f", "g+h"}));
  EXPECT_EQ(gateway_.get("/bucket?versions&version-id-marker=null").code(), "InvalidArgument");
}

// Listings of several clients at once, each on a thread of its own.
class ParallelListingsTest : public GatewayTest {
 protected:
  static constexpr std::size_t kKeys = 100;

  void SetUp() override {
    GatewayTest::SetUp();
    // The longest names, of what is longest in XML: 0.6 MB a listing.
    std::string name;
    while (name.size() < objects::kMaxKeyBytes * 3 - 9) name += "%22";
    for (std::size_t i = 100; i < 100 + kKeys; ++i) {
      ASSERT_EQ(gateway_.put("/bucket/" + std::to_string(i) + name, "x").status, 200u);
    }
  }
  void TearDown() override {
    threads_.clear();
    for (const std::string& key : gateway_.get("/bucket?encoding-type=url").all("Contents", "Key")) {
      ASSERT_EQ(gateway_.remove("/bucket/" + key).status, 204u);
    }
    EXPECT_EQ(gateway_.front_end().answer_bytes(), 0u);
    GatewayTest::TearDown();
  }
  std::unique_ptr<TestExchange> make(TestRequest request, const std::string& peer = "10.0.0.1") {
    net::RequestHead head = TestGateway::head_of(request);
    gateway_.signer(request.account).sign(head, request.payload_hash);
    head.peer = peer;
    return std::make_unique<TestExchange>(std::move(head), request.body, true);
  }
  void start(TestExchange& exchange) {
    threads_.emplace_back([&] { sync_wait(gateway_.front_end().handler()(exchange)); });
  }
  unsigned status_of(TestRequest request, const std::string& peer) {
    const auto exchange = make(std::move(request), peer);
    sync_wait(gateway_.front_end().handler()(*exchange));
    return exchange->response.status;
  }

  std::vector<std::unique_ptr<TestExchange>> exchanges_;
  std::vector<std::jthread> threads_;
};

TEST_F(ParallelListingsTest, WhatIsNotReadIsBoundedAndOthersGoOn) {
  ASSERT_EQ(gateway_.send({.method = "PUT", .target = "/others", .account = 1}).status, 200u);
  std::atomic<bool> reads = false;
  std::atomic<std::size_t> unread = 0;
  for (int i = 0; i < 120; ++i) {
    exchanges_.push_back(make({.target = i % 2 == 0 ? "/bucket" : "/bucket?versions"}));
    exchanges_.back()->before_more = [&] {
      ++unread;
      reads.wait(false);
    };
  }
  for (const auto& exchange : exchanges_) start(*exchange);
  std::size_t before = 0;
  for (unsigned quiet = 0; before == 0 || quiet < 10;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    quiet = unread == before ? quiet + 1 : 0;
    before = unread;
  }
  const std::size_t held = gateway_.front_end().answer_bytes();
  EXPECT_GE(held, before * kKeys * objects::kMaxKeyBytes * 6) << "what is unread is counted";
  EXPECT_LE(held, kAnswerMemoryBytes / 3);
  EXPECT_LT(before, exchanges_.size()) << "the rest waits";
  EXPECT_GE(before, 32u);
  EXPECT_EQ(status_of({.target = "/bucket?list-type=2"}, "10.0.0.2"), 200u);
  EXPECT_EQ(status_of({.target = "/others", .account = 1}, "10.0.0.1"), 200u);
  EXPECT_EQ(status_of({.target = "/bucket?max-keys=2"}, "10.0.0.1"), 200u) << "a short one is not counted";

  reads = true;
  reads.notify_all();
  threads_.clear();
  for (const auto& exchange : exchanges_) {
    EXPECT_EQ(exchange->response.status, 200u);
    EXPECT_EQ(exchange->response.announced_length, exchange->response.body.size());
    EXPECT_TRUE(exchange->response.finished);
  }
  ASSERT_EQ(gateway_.send({.method = "DELETE", .target = "/others", .account = 1}).status, 204u);
}

TEST_F(ParallelListingsTest, EveryLongAnswerIsCountedUntilItIsSent) {
  std::string document = "<Delete>";
  for (std::size_t i = 0; i < kKeys; ++i) document += "<Object><Key>" + std::string(1000, '\'') + "</Key></Object>";
  document += "</Delete>";
  std::string key = "/bucket/";
  while (key.size() < objects::kMaxKeyBytes * 3) key += "%22";
  for (int i = 0; i < 20; ++i) ASSERT_EQ(gateway_.post(key + "?uploads").status, 200u);
  const std::string md5 = to_base64(crypto::md5(as_bytes(document)));
  for (const TestRequest& request :
       {TestRequest{.target = "/bucket"}, TestRequest{.target = "/bucket?list-type=2"},
        TestRequest{.target = "/bucket?versions"}, TestRequest{.target = "/bucket?uploads"},
        TestRequest{
            .method = "POST", .target = "/bucket?delete", .headers = {{"Content-MD5", md5}}, .body = document}}) {
    const auto exchange = make(request);
    std::size_t held = 0;
    exchange->before_more = [&] { held = gateway_.front_end().answer_bytes(); };
    sync_wait(gateway_.front_end().handler()(*exchange));
    EXPECT_EQ(exchange->response.status, 200u) << exchange->response.body;
    EXPECT_GT(exchange->response.body.size(), kShortAnswerBytes);
    EXPECT_EQ(held, exchange->response.body.size()) << request.target;
    EXPECT_EQ(gateway_.front_end().answer_bytes(), 0u);
  }
}

TEST_F(ParallelListingsTest, AllAreAnswered) {
  for (int i = 0; i < 64; ++i) exchanges_.push_back(make({.target = "/bucket?list-type=2"}));
  for (const auto& exchange : exchanges_) start(*exchange);
  threads_.clear();
  for (const auto& exchange : exchanges_) {
    EXPECT_EQ(exchange->response.status, 200u) << exchange->response.body;
    EXPECT_EQ(exchange->response.all("Contents", "Key").size(), kKeys);
  }
}

TEST_F(ParallelListingsTest, WhoTakesALongAnswerTooSlowlyIsCutOff) {
  const auto exchange = make({.target = "/bucket"});
  exchange->before_more = [&] { gateway_.clock().advance(std::chrono::seconds(15)); };
  sync_wait(gateway_.front_end().handler()(*exchange));
  EXPECT_EQ(exchange->response.status, 200u);
  EXPECT_FALSE(exchange->response.finished);
  EXPECT_LT(exchange->response.body.size(), exchange->response.announced_length);
  EXPECT_EQ(gateway_.front_end().answer_bytes(), 0u);
}

}  // namespace
}  // namespace andromede::api::s3
