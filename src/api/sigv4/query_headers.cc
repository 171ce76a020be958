#include "api/sigv4/query_headers.h"

#include <algorithm>

#include "api/sigv4/errors.h"
#include "net/names.h"

namespace andromede::api::sigv4 {
namespace {

// Parameters that begin like a header's and stay what they are.
bool stays_in_query(std::string_view name) {
  for (const std::string_view known :
       {"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders", "x-amz-signature",
        "x-amz-security-token", "x-amz-content-sha256", "x-amz-sdk-checksum-algorithm", "x-amz-trailer",
        "x-amz-decoded-content-length", "x-amz-user-agent"}) {
    if (net::same_name(name, known)) return true;
  }
  return net::has_prefix(name, "x-amz-checksum-");
}

tl::unexpected<Error> two_values(std::string_view name) {
  return fail(SigErrc::kSentTwice,
              "The query and the headers, or the query in two spellings, have several values for " +
                  std::string(name.substr(0, 100)));
}

}  // namespace

Result<std::vector<net::Header>> headers_in_query(const net::Query& query, const net::Headers& sent) {
  std::vector<net::Header> headers;
  for (const net::Parameter& parameter : query.list()) {
    if (!net::has_prefix(parameter.name, "x-amz-") || stays_in_query(parameter.name)) continue;
    if (const auto value = sent.find(parameter.name)) {
      if (*value != parameter.value) return two_values(parameter.name);
      continue;
    }
    if (!net::is_token(parameter.name) || !net::is_field_value(parameter.value)) {
      return fail(SigErrc::kQueryMalformed, "A query parameter stands for a header and has characters that none can");
    }
    if (net::same_name(parameter.name, "x-amz-copy-source")) {
      return fail(SigErrc::kQueryMalformed, "x-amz-copy-source must be sent as a header");
    }
    const bool again = std::any_of(headers.begin(), headers.end(), [&parameter](const net::Header& header) {
      return net::same_name(header.name, parameter.name);
    });
    if (again) return two_values(parameter.name);
    headers.push_back({parameter.name, parameter.value});
  }
  return headers;
}

}  // namespace andromede::api::sigv4
