#include "api/s3/router.h"

#include <gtest/gtest.h>

#include "api/s3/errors.h"
#include "api/sigv4/errors.h"

namespace andromede::api::s3 {
namespace {

net::RequestHead head_of(std::string method, std::string target, std::vector<net::Header> headers = {}) {
  net::RequestHead head{.method = std::move(method), .target = std::move(target), .headers = {}, .peer_address = {}};
  for (net::Header& header : headers) head.headers.add(header.name, header.value);
  return head;
}

TEST(RouterTest, TurnsEveryRequestLineIntoItsOperation) {
  struct Case {
    const char* method;
    const char* target;
    const char* operation;
  };
  const Case cases[] = {
      {"GET", "/", "ListBuckets"},
      {"GET", "/?x-id=ListBuckets", "ListBuckets"},
      {"POST", "/", "MethodNotAllowed"},
      {"PUT", "/b", "CreateBucket"},
      {"PUT", "/b/", "CreateBucket"},
      {"HEAD", "/b", "HeadBucket"},
      {"DELETE", "/b", "DeleteBucket"},
      {"GET", "/b?location", "GetBucketLocation"},
      {"GET", "/b", "ListObjects"},
      {"GET", "/b/?prefix=a&delimiter=/", "ListObjects"},
      {"GET", "/b?list-type=2", "ListObjectsV2"},
      {"GET", "/b?list-type=1", "ListObjects"},
      {"GET", "/b?versions", "ListObjectVersions"},
      {"GET", "/b?uploads", "ListMultipartUploads"},
      {"POST", "/b?delete", "DeleteObjects"},
      {"POST", "/b", "PostObject"},
      {"GET", "/b?versioning", "GetBucketVersioning"},
      {"GET", "/b?acl", "GetBucketAcl"},
      {"PUT", "/b?versioning", "PutBucketVersioning"},
      {"PUT", "/b?location", "NotImplemented"},
      {"GET", "/b?restore", "NotImplemented"},
      {"PUT", "/b?acl", "PutBucketAcl"},
      {"PUT", "/b/k?acl", "PutObjectAcl"},
      {"DELETE", "/b?policy", "DeleteBucketPolicy"},
      {"DELETE", "/b?versioning", "NotImplemented"},
      {"PATCH", "/b", "MethodNotAllowed"},
      {"PUT", "/b/k", "PutObject"},
      {"PUT", "/b/k?x-id=PutObject", "PutObject"},
      {"GET", "/b/k", "GetObject"},
      {"GET", "/b/k?partNumber=1", "GetObject"},
      {"GET", "/b/k?response-content-type=a", "GetObject"},
      {"HEAD", "/b/k", "HeadObject"},
      {"DELETE", "/b/k", "DeleteObject"},
      {"DELETE", "/b/k?versionId=null", "DeleteObject"},
      {"GET", "/b/k?attributes", "GetObjectAttributes"},
      {"GET", "/b/k?acl", "GetObjectAcl"},
      {"GET", "/b/k?tagging", "GetObjectTagging"},
      {"PUT", "/b/k?tagging", "PutObjectTagging"},
      {"DELETE", "/b/k?tagging", "DeleteObjectTagging"},
      {"DELETE", "/b/k?acl", "NotImplemented"},
      {"POST", "/b/k?uploads", "CreateMultipartUpload"},
      {"POST", "/b/k?uploads=", "CreateMultipartUpload"},
      {"PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart"},
      {"PUT", "/b/k?partNumber=1", "UploadPart"},
      {"PUT", "/b/k?uploadId=u", "UploadPart"},
      {"GET", "/b/k?uploadId=u", "ListParts"},
      {"POST", "/b/k?uploadId=u", "CompleteMultipartUpload"},
      {"DELETE", "/b/k?uploadId=u", "AbortMultipartUpload"},
      {"POST", "/b/k?select&select-type=2", "SelectObjectContent"},
      {"POST", "/b/k", "MethodNotAllowed"},
      {"OPTIONS", "/b/k", "Preflight"},
  };
  for (const Case& one : cases) {
    const auto target = route(head_of(one.method, one.target), {});
    ASSERT_TRUE(target) << one.target;
    EXPECT_EQ(target->operation->is.name, one.operation) << one.method << " " << one.target;
  }
}

TEST(RouterTest, ACopySourceMakesACopy) {
  const std::vector<net::Header> copy = {{"X-Amz-Copy-Source", "/a/b"}};
  EXPECT_EQ(route(head_of("PUT", "/b/k", copy), {})->operation->is.name, "CopyObject");
  EXPECT_EQ(route(head_of("PUT", "/b/k?partNumber=1&uploadId=u", copy), {})->operation->is.name, "UploadPartCopy");
}

TEST(RouterTest, DecodesBucketAndKey) {
  const net::RequestHead head = head_of("GET", "/b/a%20b/%C3%A9+%25//c?versionId=null");
  const auto target = route(head, {});
  ASSERT_TRUE(target);
  EXPECT_EQ(target->bucket, "b");
  EXPECT_EQ(target->key, "a b/é+%//c");
  EXPECT_EQ(target->raw_path, "/b/a%20b/%C3%A9+%25//c");
}

TEST(RouterTest, ReadsTheBucketFromTheHost) {
  const std::vector<std::string> suffixes = {"s3.example", "localhost"};
  struct Case {
    const char* host;
    const char* target;
    const char* bucket;
    const char* key;
  };
  const Case cases[] = {{"b.s3.example", "/k/l", "b", "k/l"}, {"b.s3.example:8333", "/", "b", ""},
                        {"a.b.S3.Example", "/k", "a.b", "k"}, {"s3.example", "/b/k", "b", "k"},
                        {"other.example", "/b/k", "b", "k"},  {"127.0.0.1:80", "/b/k", "b", "k"},
                        {"b.localhost", "/k", "b", "k"},      {"xs3.example", "/b/k", "b", "k"},
                        {"[::1]:80", "/b/k", "b", "k"},       {"", "/b/k", "b", "k"}};
  for (const Case& one : cases) {
    const auto target = route(head_of("GET", one.target, {{"Host", one.host}}), suffixes);
    ASSERT_TRUE(target);
    EXPECT_EQ(target->bucket, one.bucket) << one.host;
    EXPECT_EQ(target->key, one.key) << one.host;
  }
}

TEST(RouterTest, RefusesTargetsThatAreNotText) {
  for (const char* target : {"*", "b/k", "/b/%", "/b/%zz", "/b/%ff", "/b/%c0%80", "/b/%ed%a0%80", "/b/%f4%90%80%80",
                             "/b/a%00b", "/b/%e2%82", "//k"}) {
    const auto answer = route(head_of("GET", target), {});
    ASSERT_FALSE(answer) << target;
    EXPECT_EQ(wire_error(answer.error()).code, "InvalidURI") << target;
  }
  EXPECT_FALSE(route(head_of("GET", "/b/k?a=%"), {}));
}

}  // namespace
}  // namespace andromede::api::s3
