// What clients of every protocol send: no crash, and what was read is read again from what is written of it. The first
// byte chooses the protocol.
#include <string_view>

#include "api/protocols/awsjson.h"
#include "api/protocols/awsquery.h"
#include "api/protocols/test_shapes.h"
#include "api/protocols/xml_shapes.h"
#include "base/check.h"

namespace {

using namespace andromede;
using namespace andromede::api::protocols;

void check_told(const Error& error) {
  CHECK(error.code().category() == shape_category() && !error.message().empty(), "refusals say what is wrong");
}

void check_json(std::string_view text) {
  const auto document = parse_awsjson(text);
  if (!document) return check_told(document.error());
  const auto shape = read_awsjson<Everything>(*document);
  if (!shape) return check_told(shape.error());
  const std::string once = render_awsjson(*shape);
  const auto again = read_awsjson<Everything>(parse_awsjson(once).value());
  CHECK(again.has_value() && render_awsjson(*again) == once, "an answer is read as it was written");
}

void check_xml(std::string_view text) {
  const auto shape = read_xml<Everything>(text, "E");
  if (!shape) return check_told(shape.error());
  const std::string once = render_xml("E", "", *shape);
  const auto again = read_xml<Everything>(once, "E");
  CHECK(again.has_value() && render_xml("E", "", *again) == once, "an answer is read as it was written");
}

void check_query(std::string_view text) {
  const auto request = parse_awsquery(text);
  if (!request) return check_told(request.error());
  const auto shape = read_awsquery<Everything>(*request);
  if (!shape) return check_told(shape.error());
  CHECK(!render_awsquery(request->action, "", "id", *shape).empty(), "an answer is written");
  if (const auto deep = read_awsquery<Deep>(*request); !deep) check_told(deep.error());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = as_text({data + 1, size - 1});
  switch (data[0] % 3) {
    case 0:
      check_json(text);
      break;
    case 1:
      check_xml(text);
      break;
    default:
      check_query(text);
  }
  return 0;
}
