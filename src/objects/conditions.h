// If-Match and its kin, decided against an object as it is now (RFC 9110 section 13; "Conditional requests" in the S3
// user guide).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "objects/records.h"
#include "objects/service.h"

namespace andromede::objects {

// Whether `etag` (without quotes) is in `list`: "*", or ETags separated by commas, quoted or not, weak or not.
bool etag_listed(std::string_view list, std::string_view etag);

// For GET and HEAD. kPreconditionFailed, kNotModified.
Status check_read(const Conditions& conditions, const ObjectHead& head);
// Whether If-Range lets the range count: the same ETag, compared strongly, or exactly the same Last-Modified.
bool range_counts(const RangeCondition& condition, const ObjectHead& head);
// For the source of a copy: as check_read, where what would be "not modified" is a failed precondition.
Status check_copy_source(const Conditions& conditions, const ObjectHead& head);
// For PUT, copy and complete; `head` is null where there is no object. kPreconditionFailed; kNoSuchKey: If-Match where
// nothing is.
Status check_write(const Conditions& conditions, const ObjectHead* head);
// For DELETE; `head` is null where there is no object. kPreconditionFailed; kNoSuchKey: If-Match where nothing is, so
// that of two deletions of the same ETag one only succeeds. Size and time, as S3 has it, say nothing of what is not
// there.
Status check_delete(const DeleteItem& item, const ObjectHead* head);

}  // namespace andromede::objects
