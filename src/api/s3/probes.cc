// What clients ask about features that are not offered. Each answer is the truth about a bucket or object here.
#include "api/s3/checksums.h"
#include "api/s3/documents.h"
#include "api/s3/errors.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"

namespace andromede::api::s3 {
namespace {

using Writer = void (*)(codec::XmlWriter& xml, const Request& request);

void write_owner(codec::XmlWriter& xml, std::string_view element, const identity::Account& account) {
  xml.open(element);
  xml.element("ID", account.canonical_id);
  xml.element("DisplayName", account.display_name);
  xml.close();
}

// The owner, alone, may do everything. The one type attribute of S3's XML, which XmlWriter has no need to know.
std::string render_acl(const identity::Account& account) {
  codec::XmlWriter xml;
  xml.open("AccessControlPolicy", kXmlNamespace);
  write_owner(xml, "Owner", account);
  xml.open("AccessControlList");
  xml.open("Grant");
  write_owner(xml, "Grantee", account);
  xml.element("Permission", std::string_view("FULL_CONTROL"));
  std::string text = xml.take();
  constexpr std::string_view kPlain = "<Grantee>";
  constexpr std::string_view kTyped =
      "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">";
  if (const std::size_t at = text.find(kPlain); at != std::string::npos) text.replace(at, kPlain.size(), kTyped);
  return text;
}

struct Document {
  std::string_view subresource;
  Writer write;
};

constexpr Document kBucketDocuments[] = {
    {"versioning", [](codec::XmlWriter& xml, const Request&) { xml.open("VersioningConfiguration", kXmlNamespace); }},
    {"logging", [](codec::XmlWriter& xml, const Request&) { xml.open("BucketLoggingStatus", kXmlNamespace); }},
    {"notification",
     [](codec::XmlWriter& xml, const Request&) { xml.open("NotificationConfiguration", kXmlNamespace); }},
    {"accelerate", [](codec::XmlWriter& xml, const Request&) { xml.open("AccelerateConfiguration", kXmlNamespace); }},
    {"requestPayment",
     [](codec::XmlWriter& xml, const Request&) {
       xml.open("RequestPaymentConfiguration", kXmlNamespace);
       xml.element("Payer", std::string_view("BucketOwner"));
     }},
    {"policyStatus",
     [](codec::XmlWriter& xml, const Request&) {
       xml.open("PolicyStatus", kXmlNamespace);
       xml.element("IsPublic", false);
     }},
    {"ownershipControls",
     [](codec::XmlWriter& xml, const Request&) {
       xml.open("OwnershipControls", kXmlNamespace);
       xml.open("Rule");
       xml.element("ObjectOwnership", std::string_view("BucketOwnerEnforced"));
     }},
    {"encryption",
     [](codec::XmlWriter& xml, const Request&) {
       xml.open("ServerSideEncryptionConfiguration", kXmlNamespace);
       xml.open("Rule");
       xml.open("ApplyServerSideEncryptionByDefault");
       xml.element("SSEAlgorithm", std::string_view("AES256"));
       xml.close();
       xml.element("BucketKeyEnabled", false);
     }},
};

struct Absence {
  std::string_view subresource;
  S3Errc error;
};
constexpr Absence kBucketAbsences[] = {
    {"policy", S3Errc::kNoSuchBucketPolicy},    {"tagging", S3Errc::kNoSuchTagSet},
    {"lifecycle", S3Errc::kNoSuchLifecycle},    {"cors", S3Errc::kNoSuchCors},
    {"website", S3Errc::kNoSuchWebsite},        {"replication", S3Errc::kNoSuchReplication},
    {"object-lock", S3Errc::kNoSuchObjectLock}, {"publicAccessBlock", S3Errc::kNoSuchPublicAccessBlock},
};

Task<Status> find_object(Request& request) {
  objects::GetRequest get;
  get.bucket = request.bucket();
  get.key = request.key();
  get.head_only = true;
  CO_TRY(const std::unique_ptr<objects::OpenObject> object,
         co_await request.service().get(request.caller(), std::move(get)));
  co_return Status{};
}

}  // namespace

Task<Status> probe_bucket(Request& request) {
  CO_TRY(const objects::BucketInfo bucket, co_await request.service().head_bucket(request.caller(), request.bucket()));
  if (request.head().method == "DELETE") co_return co_await request.reply({.status = 204, .headers = {}});
  const std::string_view asked = request.target.subresource;
  if (asked == "acl") co_return co_await request.reply_xml(render_acl(request.account()));
  for (const Document& document : kBucketDocuments) {
    if (document.subresource != asked) continue;
    codec::XmlWriter xml;
    document.write(xml, request);
    co_return co_await request.reply_xml(xml.take());
  }
  for (const Absence& absence : kBucketAbsences) {
    if (absence.subresource == asked) co_return fail(absence.error, "not configured");
  }
  co_return fail(S3Errc::kNotImplemented, "an unknown sub-resource");
}

Task<Status> probe_object(Request& request) {
  CO_CHECK_OK(co_await find_object(request));
  if (request.head().method == "DELETE") co_return co_await request.reply({.status = 204, .headers = {}});
  const std::string_view asked = request.target.subresource;
  if (asked == "acl") co_return co_await request.reply_xml(render_acl(request.account()));
  if (asked == "tagging") {
    codec::XmlWriter xml;
    xml.open("Tagging", kXmlNamespace);
    xml.empty("TagSet");
    co_return co_await request.reply_xml(xml.take());
  }
  if (asked == "retention" || asked == "legal-hold") {
    co_return fail(S3Errc::kInvalidRequest, "Bucket is missing Object Lock Configuration");
  }
  // No object has one.
  if (asked == "torrent") co_return fail(objects::ObjectErrc::kNoSuchKey, "no torrent");
  co_return fail(S3Errc::kNotImplemented, "an unknown sub-resource");
}

Task<Status> put_acl(Request& request) {
  if (request.key().empty()) {
    CO_TRY(const objects::BucketInfo bucket,
           co_await request.service().head_bucket(request.caller(), request.bucket()));
  } else {
    CO_CHECK_OK(co_await find_object(request));
  }
  CO_CHECK_OK(check_acl_headers(request));
  if (!request.header("x-amz-acl")) {
    CO_TRY(objects::ChecksumDemand demand, read_checksum_demand(request));
    const auto parse = [&](std::string_view text) { return is_owner_policy(text, request.account().canonical_id); };
    CO_TRY(const bool owners, co_await read_document(request, kMaxConfigurationBytes, std::move(demand), parse));
    if (!owners) co_return fail(S3Errc::kAclNotSupported, "another ACL than the owner's");
  }
  co_return co_await request.reply({});
}

}  // namespace andromede::api::s3
