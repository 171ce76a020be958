// Which operation a request asks for: method, path or virtual host, and sub-resource ("Virtual hosting of buckets" and
// "Operations", Amazon S3 user guide and API reference).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/s3/operations.h"
#include "base/result.h"
#include "net/http.h"
#include "net/query.h"

namespace andromede::api::s3 {

struct Target {
  const Operation* operation = no_operation();
  std::string_view raw_path;  // of the head's target
  std::string bucket;         // empty: the service itself
  std::string key;            // decoded; empty: the bucket itself
  net::Query query;
};

// `host_suffixes`: names under which the service is reached; "b.s3.example" is bucket b when "s3.example" is one.
// The Target looks into `head`. Errors: net::QueryErrc, S3Errc::kInvalidUri.
Result<Target> route(const net::RequestHead& head, const std::vector<std::string>& host_suffixes);

}  // namespace andromede::api::s3
