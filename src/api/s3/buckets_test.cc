// Buckets and listings over the wire.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace andromede::api::s3
