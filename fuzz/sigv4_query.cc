// Presigned targets and query strings: parsing, canonical form and the checks behind them.
#include <string>

#include "api/sigv4/authenticator.h"
#include "api/sigv4/canonical.h"
#include "base/check.h"

namespace {

using namespace andromede;
using namespace andromede::api::sigv4;

std::string canonical(const net::Query& query) {
  std::string out;
  append_canonical_query(out, query, {});
  return out;
}

void check_query(std::string_view raw) {
  const auto query = net::Query::parse(raw);
  if (!query) return;
  const std::string once = canonical(*query);
  const auto again = net::Query::parse(once);
  CHECK(again.has_value(), "a canonical query is a query");
  // A parameter without a name and value disappears when it is parsed; all others stay.
  CHECK(again->list().size() == query->list().size(), "nothing is lost");
  CHECK(canonical(*again) == once, "the canonical form is a fixed point");
}

void check_path(std::string_view raw) {
  std::string once;
  if (!append_canonical_path(once, raw)) return;
  std::string twice;
  CHECK(append_canonical_path(twice, once), "a canonical path is a path");
  CHECK(once == twice, "the canonical path is a fixed point");
}

void check_presigned(std::string_view query_text) {
  static const ManualClock clock(Timestamp{1369353600000});
  static Authenticator authenticator(
      [](std::string_view) {
        static const auto known = std::make_shared<const identity::Credential>(identity::Credential{
            "AKIAIOSFODNN7EXAMPLE", crypto::SecretText("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}});
        return known;
      },
      clock, Options{});
  const auto query = net::Query::parse(query_text);
  if (!query) return;
  net::RequestHead head;
  head.method = "GET";
  head.headers.add("Host", "examplebucket.s3.amazonaws.com");
  RefusalFields fields;
  const auto answer = authenticator.authenticate(head, "/test.txt", *query, fields);
  if (answer) {
    CHECK(answer->presigned, "only the query can be signed here");
  } else {
    CHECK(answer.error().code().category() == sig_category(), "refusals are this module's");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text({data, size});
  check_query(text);
  check_path(text);
  check_presigned(text);
  return 0;
}
