// The consortium's record.
#include "api/operator/operations.h"

namespace andromede::api {
namespace {

using nlohmann::json;

Result<OperatorAnswer> change_consortium(const OperatorCall& call, bool apply) {
  CHECK_OK(only_keys(call.body, {"text"}));
  TRY(const std::string text, read_text(call.body, "text"));
  TRY(const auto change,
      apply ? call.services.consortium.apply(text, call.context) : call.services.consortium.check(text));
  json answer{{"version", change.version}, {"digest", to_hex(change.digest)}, {"differences", change.differences}};
  if (!change.file_error.empty()) answer["file_error"] = change.file_error;
  return OperatorAnswer{200, dump(answer)};
}

}  // namespace

Result<OperatorAnswer> get_consortium(const OperatorCall& call) {
  TRY(const auto record, call.services.consortium.current());
  return OperatorAnswer{200, dump({{"version", record.version},
                                   {"applied", to_iso8601(record.applied)},
                                   {"digest", to_hex(record.digest)},
                                   {"text", record.text}})};
}

Result<OperatorAnswer> check_consortium(const OperatorCall& call) { return change_consortium(call, false); }

Result<OperatorAnswer> apply_consortium(const OperatorCall& call) { return change_consortium(call, true); }

}  // namespace andromede::api
