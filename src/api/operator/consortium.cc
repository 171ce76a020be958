// The consortium's record.
#include "api/operator/call.h"

namespace andromede::api {

using nlohmann::json;

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::get_consortium() {
  TRY(const auto record, consortium_.current());
  return Answer{200, dump({{"version", record.version},
                           {"applied", to_iso8601(record.applied)},
                           {"digest", to_hex(record.digest)},
                           {"text", record.text}})};
}

Result<OperatorFrontEnd::Answer> OperatorFrontEnd::change_consortium(const Call& call, bool apply) {
  CHECK_OK(only_keys(call.body, {"text"}));
  TRY(const std::string text, read_text(call.body, "text"));
  TRY(const auto change, apply ? consortium_.apply(text, call.by) : consortium_.check(text));
  json answer{{"version", change.version}, {"digest", to_hex(change.digest)}, {"differences", change.differences}};
  if (!change.file_error.empty()) answer["file_error"] = change.file_error;
  return Answer{200, dump(answer)};
}

}  // namespace andromede::api
