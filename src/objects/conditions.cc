#include "objects/conditions.h"

namespace andromede::objects {
namespace {

// HTTP dates have whole seconds: so has every comparison with one.
std::int64_t seconds_of(Timestamp time) { return time.ms / 1000; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool etag_listed(std::string_view list, std::string_view etag) {
  while (true) {
    const std::size_t comma = list.find(',');
    std::string_view one = trimmed(list.substr(0, comma));
    if (one == "*") return true;
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one.size() >= 2 && one.front() == '"' && one.back() == '"') one = one.substr(1, one.size() - 2);
    if (one == etag) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

Status check_read(const Conditions& conditions, const ObjectHead& head) {
  const std::string etag = etag_text(head);
  if (conditions.if_match) {
    if (!etag_listed(*conditions.if_match, etag)) {
      return fail(ObjectErrc::kPreconditionFailed, "If-Match: the object's ETag is another");
    }
  } else if (conditions.if_unmodified_since &&
             seconds_of(head.modified) > seconds_of(*conditions.if_unmodified_since)) {
    return fail(ObjectErrc::kPreconditionFailed, "If-Unmodified-Since: the object was modified later");
  }
  if (conditions.if_none_match) {
    if (etag_listed(*conditions.if_none_match, etag)) return fail(ObjectErrc::kNotModified, "Not Modified");
  } else if (conditions.if_modified_since && seconds_of(head.modified) <= seconds_of(*conditions.if_modified_since)) {
    return fail(ObjectErrc::kNotModified, "Not Modified");
  }
  return {};
}

bool range_counts(const RangeCondition& condition, const ObjectHead& head) {
  if (condition.modified) return seconds_of(*condition.modified) == seconds_of(head.modified);
  std::string_view etag = trimmed(condition.etag);
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return etag == etag_text(head);
}

Status check_copy_source(const Conditions& conditions, const ObjectHead& head) {
  Status status = check_read(conditions, head);
  if (!status && status.error().code() == ObjectErrc::kNotModified) {
    return fail(ObjectErrc::kPreconditionFailed, "a condition on the copy's source does not hold");
  }
  return status;
}

Status check_write(const Conditions& conditions, const ObjectHead* head) {
  if (conditions.if_match) {
    if (head == nullptr) return fail(ObjectErrc::kNoSuchKey, "If-Match: there is no such object");
    if (!etag_listed(*conditions.if_match, etag_text(*head))) {
      return fail(ObjectErrc::kPreconditionFailed, "If-Match: the object's ETag is another");
    }
  }
  if (conditions.if_none_match && head != nullptr && etag_listed(*conditions.if_none_match, etag_text(*head))) {
    return fail(ObjectErrc::kPreconditionFailed, "If-None-Match: there is such an object");
  }
  return {};
}

Status check_delete(const DeleteItem& item, const ObjectHead* head) {
  if (head == nullptr) {
    if (!item.conditions.if_match) return {};
    return fail(ObjectErrc::kNoSuchKey, "If-Match: there is no such object");
  }
  if (item.conditions.if_match && !etag_listed(*item.conditions.if_match, etag_text(*head))) {
    return fail(ObjectErrc::kPreconditionFailed, "If-Match: the object's ETag is another");
  }
  if (item.if_size_bytes && *item.if_size_bytes != head->size_bytes) {
    return fail(ObjectErrc::kPreconditionFailed, "the object has another size");
  }
  if (item.if_modified && seconds_of(*item.if_modified) != seconds_of(head->modified)) {
    return fail(ObjectErrc::kPreconditionFailed, "the object was modified at another time");
  }
  return {};
}

}  // namespace andromede::objects
