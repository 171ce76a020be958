#include "api/edge/apis.h"

#include <gtest/gtest.h>

#include "api/edge/test_exchange.h"
#include "base/task.h"

namespace andromede::api::edge {
namespace {

std::string service(std::string target, std::string authorization = {}) {
  net::RequestHead head;
  head.target = std::move(target);
  if (!authorization.empty()) head.headers.add("Authorization", std::move(authorization));
  return service_of(head);
}

TEST(ApisTest, TheScopeNamesTheService) {
  const std::string signature = ", SignedHeaders=host, Signature=00";
  EXPECT_EQ(service("/", "AWS4-HMAC-SHA256 Credential=AKIA/20130524/us-east-1/iam/aws4_request" + signature), "iam");
  EXPECT_EQ(service("/", "AWS4-HMAC-SHA256 Credential=A/K/20130524/fr/sts/aws4_request" + signature), "sts");
  EXPECT_EQ(service("/a?x=1&X-Amz-Credential=AKIA%2F20130524%2Fus-east-1%2Fkms%2Faws4_request&X-Amz-Date=1"), "kms");
  EXPECT_EQ(service("/?X-Amz-Credential=AKIA/20130524/us-east-1/s3/aws4_request"), "s3");
  // The header counts, if there is one.
  EXPECT_EQ(service("/?X-Amz-Credential=AKIA/20130524/r/s3/aws4_request", "Bearer x"), "");
  for (const char* none :
       {"/", "/?", "/X-Amz-Credential=A/d/r/s3/aws4_request", "/?x-amz-credential=A/d/r/s3/aws4_request",
        "/?X-Amz-Credential=", "/?X-Amz-Credential=%2", "/?X-Amz-Credential=/", "/?X-Amz-Credential=a/b"}) {
    EXPECT_EQ(service(none), "") << none;
  }
}

Task<void> nothing() { co_return; }

TEST(ApisTest, EachServiceHasItsApi) {
  std::string asked;
  const auto note = [&asked](std::string_view name) -> net::Handler {
    return [&asked, name](net::Exchange&) {
      asked = name;
      return nothing();
    };
  };
  Apis apis(note("s3"));
  apis.add("iam", note("iam"));
  for (const auto& [service, wanted] : {std::pair("iam", "iam"), {"s3", "s3"}, {"ec2", "s3"}, {"", "s3"}}) {
    NoExchange exchange;
    if (*service != '\0') {
      exchange.request.target = "/?X-Amz-Credential=AKIA/20130524/us-east-1/" + std::string(service) + "/aws4_request";
    }
    sync_wait(apis.handle(exchange));
    EXPECT_EQ(asked, wanted) << service;
  }
}

}  // namespace
}  // namespace andromede::api::edge
