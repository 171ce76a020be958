// What clients ask about features that are not offered. Each answer is the truth about a bucket or object here.
#include "api/s3/checksums.h"
#include "api/s3/documents.h"
#include "api/s3/errors.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/request.h"

namespace andromede::api::s3 {
namespace {

using Writer = void (*)(codec::XmlWriter& xml);

void write_owner(codec::XmlWriter& xml, std::string_view element, const objects::Owner& owner) {
  xml.open(element);
  xml.element("ID", owner.canonical_id);
  xml.element("DisplayName", owner.display_name);
  xml.close();
}

// The owner, alone, may do everything. The one type attribute of S3's XML, which XmlWriter has no need to know.
std::string render_acl(const objects::Owner& owner) {
  codec::XmlWriter xml;
  xml.open("AccessControlPolicy", kXmlNamespace);
  write_owner(xml, "Owner", owner);
  xml.open("AccessControlList");
  xml.open("Grant");
  write_owner(xml, "Grantee", owner);
  xml.element("Permission", std::string_view("FULL_CONTROL"));
  std::string text = xml.take();
  constexpr std::string_view kPlain = "<Grantee>";
  constexpr std::string_view kTyped =
      "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">";
  if (const std::size_t at = text.find(kPlain); at != std::string::npos) text.replace(at, kPlain.size(), kTyped);
  return text;
}

Task<Status> find_object(Request& request) {
  objects::GetRequest get;
  get.bucket = request.bucket();
  get.key = request.key();
  get.head_only = true;
  CO_TRY(const std::unique_ptr<objects::OpenObject> object,
         co_await request.service().get(request.context(), std::move(get)));
  co_return Status{};
}

// Answers whose the bucket is, and all objects in it.
Task<Result<objects::Owner>> find_bucket(Request& request) {
  CO_TRY(objects::BucketHead bucket, co_await request.service().head_bucket(request.context(), request.bucket()));
  co_return std::move(bucket.owner);
}

// The bucket and, where one is named, the object; answers whose they are.
Task<Result<objects::Owner>> find_subject(Request& request) {
  CO_TRY(objects::Owner owner, co_await find_bucket(request));
  if (!request.key().empty()) CO_CHECK_OK(co_await find_object(request));
  co_return owner;
}

Task<Status> answer_acl(Request& request) {
  CO_TRY(const objects::Owner owner, co_await find_subject(request));
  co_return co_await request.reply_xml(render_acl(owner));
}

Task<Status> answer_document(Request& request, Writer write) {
  CO_CHECK_OK(co_await find_bucket(request));
  codec::XmlWriter xml;
  write(xml);
  co_return co_await request.reply_xml(xml.take());
}

Task<Status> answer_unset(Request& request, S3Errc error) {
  CO_CHECK_OK(co_await find_bucket(request));
  co_return fail(error, "not configured");
}

}  // namespace

Task<Status> get_bucket_acl(Request& request) { return answer_acl(request); }

Task<Status> get_bucket_versioning(Request& request) {
  return answer_document(request, [](codec::XmlWriter& xml) { xml.open("VersioningConfiguration", kXmlNamespace); });
}

Task<Status> get_bucket_logging(Request& request) {
  return answer_document(request, [](codec::XmlWriter& xml) { xml.open("BucketLoggingStatus", kXmlNamespace); });
}

Task<Status> get_bucket_notification(Request& request) {
  return answer_document(request, [](codec::XmlWriter& xml) { xml.open("NotificationConfiguration", kXmlNamespace); });
}

Task<Status> get_bucket_accelerate(Request& request) {
  return answer_document(request, [](codec::XmlWriter& xml) { xml.open("AccelerateConfiguration", kXmlNamespace); });
}

Task<Status> get_bucket_request_payment(Request& request) {
  return answer_document(request, [](codec::XmlWriter& xml) {
    xml.open("RequestPaymentConfiguration", kXmlNamespace);
    xml.element("Payer", std::string_view("BucketOwner"));
  });
}

Task<Status> get_bucket_policy_status(Request& request) {
  return answer_document(request, [](codec::XmlWriter& xml) {
    xml.open("PolicyStatus", kXmlNamespace);
    xml.element("IsPublic", false);
  });
}

Task<Status> get_bucket_ownership_controls(Request& request) {
  return answer_document(request, [](codec::XmlWriter& xml) {
    xml.open("OwnershipControls", kXmlNamespace);
    xml.open("Rule");
    xml.element("ObjectOwnership", std::string_view("BucketOwnerEnforced"));
  });
}

Task<Status> get_bucket_encryption(Request& request) {
  return answer_document(request, [](codec::XmlWriter& xml) {
    xml.open("ServerSideEncryptionConfiguration", kXmlNamespace);
    xml.open("Rule");
    xml.open("ApplyServerSideEncryptionByDefault");
    xml.element("SSEAlgorithm", std::string_view("AES256"));
    xml.close();
    xml.element("BucketKeyEnabled", false);
  });
}

Task<Status> get_bucket_policy(Request& request) { return answer_unset(request, S3Errc::kNoSuchBucketPolicy); }

Task<Status> get_bucket_tagging(Request& request) { return answer_unset(request, S3Errc::kNoSuchTagSet); }

Task<Status> get_bucket_lifecycle(Request& request) { return answer_unset(request, S3Errc::kNoSuchLifecycle); }

Task<Status> get_bucket_cors(Request& request) { return answer_unset(request, S3Errc::kNoSuchCors); }

Task<Status> get_bucket_website(Request& request) { return answer_unset(request, S3Errc::kNoSuchWebsite); }

Task<Status> get_bucket_replication(Request& request) { return answer_unset(request, S3Errc::kNoSuchReplication); }

Task<Status> get_bucket_object_lock(Request& request) { return answer_unset(request, S3Errc::kNoSuchObjectLock); }

Task<Status> get_bucket_public_access_block(Request& request) {
  return answer_unset(request, S3Errc::kNoSuchPublicAccessBlock);
}

Task<Status> delete_bucket_configuration(Request& request) {
  CO_CHECK_OK(co_await find_bucket(request));
  co_return co_await request.reply({.status = 204, .headers = {}});
}

Task<Status> get_object_acl(Request& request) { return answer_acl(request); }

Task<Status> get_object_tagging(Request& request) {
  CO_CHECK_OK(co_await find_object(request));
  codec::XmlWriter xml;
  xml.open("Tagging", kXmlNamespace);
  xml.empty("TagSet");
  co_return co_await request.reply_xml(xml.take());
}

Task<Status> get_object_lock(Request& request) {
  CO_CHECK_OK(co_await find_object(request));
  co_return fail(S3Errc::kInvalidRequest, "Bucket is missing Object Lock Configuration");
}

Task<Status> get_object_torrent(Request& request) {
  CO_CHECK_OK(co_await find_object(request));
  co_return fail(objects::ObjectErrc::kNoSuchKey, "no torrent");
}

Task<Status> delete_object_tagging(Request& request) {
  CO_CHECK_OK(co_await find_object(request));
  co_return co_await request.reply({.status = 204, .headers = {}});
}

Task<Status> preflight(Request& request) {
  const bool complete = request.header("origin") && request.header("access-control-request-method");
  co_return fail(complete ? S3Errc::kCorsForbidden : S3Errc::kCorsIncomplete, "no CORS");
}

Task<Status> not_implemented(Request& request) {
  if (request.head().method == "GET") CO_CHECK_OK(co_await find_subject(request));
  co_return fail(S3Errc::kNotImplemented, "not offered");
}

Task<Status> method_not_allowed(Request&) { co_return fail(S3Errc::kMethodNotAllowed, "not offered"); }

Task<Status> put_acl(Request& request) {
  CO_TRY(const objects::Owner owner, co_await find_subject(request));
  CO_CHECK_OK(check_acl_headers(request));
  if (!request.header("x-amz-acl")) {
    CO_TRY(objects::ChecksumDemand demand, read_checksum_demand(request));
    const auto parse = [&](std::string_view text) { return is_owner_policy(text, owner.canonical_id); };
    CO_TRY(const bool owners, co_await read_document(request, std::move(demand), parse));
    if (!owners) co_return fail(S3Errc::kAclNotSupported, "another ACL than the owner's");
  }
  co_return co_await request.reply({});
}

}  // namespace andromede::api::s3
