// The XML documents that S3 clients send: no crash, and what is accepted keeps its limits.
#include <string_view>

#include "api/s3/documents.h"
#include "api/s3/errors.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace andromede;
  using namespace andromede::api::s3;
  const std::string_view text = as_text({data, size});
  const auto told = [](const Error& error) {
    const unsigned status = wire_error(error).status;
    CHECK((status >= 400 && status < 500) || status == 501, "a bad document is the client's error");
  };
  if (const auto document = parse_delete(text)) {
    CHECK(!document->items.empty() && document->items.size() <= kMaxDeleteKeys, "1 to 1000 keys");
    for (const objects::DeleteItem& item : document->items) CHECK(!item.key.empty(), "every item has a key");
  } else {
    told(document.error());
  }
  if (const auto parts = parse_complete(text)) {
    CHECK(!parts->empty() && parts->size() <= objects::kMaxParts, "1 to 10,000 parts");
    for (const objects::CompletedPart& part : *parts) CHECK(!part.etag.empty(), "every part has an ETag");
  } else {
    told(parts.error());
  }
  if (const auto owners = is_owner_policy(text, "owner"); !owners) told(owners.error());
  if (const auto location = parse_bucket_configuration(text); !location) told(location.error());
  return 0;
}
