#include "api/s3/errors.h"

#include <gtest/gtest.h>

#include "api/sigv4/errors.h"
#include "objects/service.h"

namespace andromede::api::s3 {
namespace {

template <typename Code>
WireError of(Code code, std::string message = "detail") {
  return wire_error(Error(make_error_code(code), std::move(message)));
}

// Every code of every module has a row: what has none falls back to InternalError, which only these may say.
template <typename Code>
void expect_all_known(Code last) {
  for (int value = 1; value <= static_cast<int>(last); ++value) {
    const WireError error = of(static_cast<Code>(value));
    EXPECT_NE(error.code, "InternalError") << make_error_code(static_cast<Code>(value)).category().name() << value;
    EXPECT_FALSE(error.message.empty());
    EXPECT_GE(error.status, 300u);
    EXPECT_LT(error.status, 600u);
  }
}

TEST(ErrorsTest, TheTableIsComplete) {
  expect_all_known(objects::ObjectErrc::kNoSuchPolicy);
  expect_all_known(sigv4::SigErrc::kBodyBroken);
  expect_all_known(S3Errc::kNotImplemented);
}

TEST(ErrorsTest, SaysWhatS3Says) {
  struct Case {
    WireError error;
    const char* code;
    unsigned status;
  };
  const Case cases[] = {
      {of(objects::ObjectErrc::kNoSuchKey), "NoSuchKey", 404},
      {of(objects::ObjectErrc::kNoSuchBucket), "NoSuchBucket", 404},
      {of(objects::ObjectErrc::kBucketAlreadyOwnedByYou), "BucketAlreadyOwnedByYou", 409},
      {of(objects::ObjectErrc::kInvalidRange), "InvalidRange", 416},
      {of(objects::ObjectErrc::kPreconditionFailed), "PreconditionFailed", 412},
      {of(objects::ObjectErrc::kKeyTooLong), "KeyTooLongError", 400},
      {of(objects::ObjectErrc::kMissingContentLength), "MissingContentLength", 411},
      {of(objects::ObjectErrc::kRequestTimeout), "RequestTimeout", 400},
      {of(sigv4::SigErrc::kAnonymous), "AccessDenied", 403},
      {of(sigv4::SigErrc::kSignatureMismatch), "SignatureDoesNotMatch", 403},
      {of(sigv4::SigErrc::kUnknownAccessKey), "InvalidAccessKeyId", 403},
      {of(sigv4::SigErrc::kTimeSkewed), "RequestTimeTooSkewed", 403},
      {of(sigv4::SigErrc::kContentHashMismatch), "XAmzContentSHA256Mismatch", 400},
      {of(S3Errc::kNotImplemented), "NotImplemented", 501},
      {of(Errc::kOverloaded), "SlowDown", 503},
      {of(Errc::kUnavailable), "ServiceUnavailable", 503},
      {of(Errc::kIo), "ServiceUnavailable", 503},
      {of(Errc::kNotBegun), "ServiceUnavailable", 503},
      {of(Errc::kNoSpace), "InsufficientStorage", 507},
      {of(Errc::kRefused), "AccessDenied", 403},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(one.error.code, one.code);
    EXPECT_EQ(one.error.status, one.status) << one.code;
  }
}

TEST(ErrorsTest, FaultsOfOursKeepTheirDetails) {
  for (const Errc code : {Errc::kInternal, Errc::kCorrupt, Errc::kNotFound, Errc::kAlreadyExists}) {
    const WireError error = of(code, "/var/secret/path");
    EXPECT_EQ(error.code, "InternalError");
    EXPECT_EQ(error.status, 500u);
    EXPECT_EQ(error.message.find("secret"), std::string::npos);
  }
  EXPECT_EQ(of(Errc::kIo, "/var/secret/path").message.find("secret"), std::string::npos);
  const WireError unknown = wire_error(Error(std::make_error_code(std::errc::io_error), "/var/secret/path"));
  EXPECT_EQ(unknown.code, "InternalError");
  EXPECT_EQ(unknown.message.find("secret"), std::string::npos);
}

TEST(ErrorsTest, RendersS3sXml) {
  const std::string xml =
      render_error({"NoSuchKey", 404, "The specified key does not exist."}, "/b/<k>", "ID", "HOST", {{"Key", "<k>"}});
  EXPECT_EQ(
      xml,
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not "
      "exist.</Message><Key>&lt;k&gt;</Key><Resource>/b/&lt;k&gt;</Resource><RequestId>ID</RequestId>"
      "<HostId>HOST</HostId></Error>");
}

TEST(ErrorsTest, ProtocolErrorsHaveACode) {
  EXPECT_EQ(code_of_status(400), "BadRequest");
  EXPECT_EQ(code_of_status(408), "RequestTimeout");
  EXPECT_EQ(code_of_status(431), "RequestHeaderSectionTooLarge");
  EXPECT_EQ(code_of_status(418), "BadRequest");
  EXPECT_EQ(code_of_status(599), "InternalError");
}

}  // namespace
}  // namespace andromede::api::s3
