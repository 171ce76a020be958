#include "api/s3/operations.h"

#include <array>
#include <utility>

#include "api/s3/documents.h"
#include "objects/service.h"

namespace andromede::api::s3 {
namespace {

using enum Level;
using enum Support;
using enum edge::Access;

constexpr std::string_view kBucketArn = "bucket";
constexpr std::string_view kObjectArn = "object";

// Names, matches and actions: "Actions" of the Amazon S3 API reference, and "Actions, resources, and condition keys for
// Amazon S3" of the service authorization reference.
constexpr auto kOperations = std::to_array<Operation>({
    {{"ListBuckets", "s3:ListAllMyBuckets", "account", kRead}, {"GET", kService, kAnySubresource}, list_buckets},

    {{"ListObjectsV2", "s3:ListBucket", kBucketArn, kRead},
     {.method = "GET", .level = kBucket, .parameter = "list-type", .value = "2"},
     list_objects_v2},
    {{"ListObjects", "s3:ListBucket", kBucketArn, kRead}, {"GET", kBucket}, list_objects},
    {{"ListObjectVersions", "s3:ListBucketVersions", kBucketArn, kRead},
     {"GET", kBucket, "versions"},
     list_object_versions},
    {{"ListMultipartUploads", "s3:ListBucketMultipartUploads", kBucketArn, kRead},
     {"GET", kBucket, "uploads"},
     list_multipart_uploads},
    {{"GetBucketLocation", "s3:GetBucketLocation", kBucketArn, kRead},
     {"GET", kBucket, "location"},
     get_bucket_location},
    {{"GetBucketAcl", "s3:GetBucketAcl", kBucketArn, kRead}, {"GET", kBucket, "acl"}, get_bucket_acl},
    {{"GetBucketVersioning", "s3:GetBucketVersioning", kBucketArn, kRead},
     {"GET", kBucket, "versioning"},
     get_bucket_versioning,
     kUnset},
    {{"GetBucketEncryption", "s3:GetEncryptionConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "encryption"},
     get_bucket_encryption},
    {{"GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", kBucketArn, kRead},
     {"GET", kBucket, "ownershipControls"},
     get_bucket_ownership_controls},
    {{"GetBucketPolicy", "s3:GetBucketPolicy", kBucketArn, kRead},
     {"GET", kBucket, "policy"},
     get_bucket_policy,
     kUnset},
    {{"GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", kBucketArn, kRead},
     {"GET", kBucket, "policyStatus"},
     get_bucket_policy_status,
     kUnset},
    {{"GetBucketTagging", "s3:GetBucketTagging", kBucketArn, kRead},
     {"GET", kBucket, "tagging"},
     get_bucket_tagging,
     kUnset},
    {{"GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "lifecycle"},
     get_bucket_lifecycle,
     kUnset},
    {{"GetBucketCors", "s3:GetBucketCORS", kBucketArn, kRead}, {"GET", kBucket, "cors"}, get_bucket_cors, kUnset},
    {{"GetBucketWebsite", "s3:GetBucketWebsite", kBucketArn, kRead},
     {"GET", kBucket, "website"},
     get_bucket_website,
     kUnset},
    {{"GetBucketReplication", "s3:GetReplicationConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "replication"},
     get_bucket_replication,
     kUnset},
    {{"GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "object-lock"},
     get_bucket_object_lock,
     kUnset},
    {{"GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", kBucketArn, kRead},
     {"GET", kBucket, "publicAccessBlock"},
     get_bucket_public_access_block,
     kUnset},
    {{"GetBucketLogging", "s3:GetBucketLogging", kBucketArn, kRead},
     {"GET", kBucket, "logging"},
     get_bucket_logging,
     kUnset},
    {{"GetBucketNotificationConfiguration", "s3:GetBucketNotification", kBucketArn, kRead},
     {"GET", kBucket, "notification"},
     get_bucket_notification,
     kUnset},
    {{"GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "accelerate"},
     get_bucket_accelerate,
     kUnset},
    {{"GetBucketRequestPayment", "s3:GetBucketRequestPayment", kBucketArn, kRead},
     {"GET", kBucket, "requestPayment"},
     get_bucket_request_payment,
     kUnset},
    {{"GetBucketAnalyticsConfiguration", "s3:GetAnalyticsConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "analytics", "id"},
     not_implemented,
     kNotOffered},
    {{"ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "analytics"},
     not_implemented,
     kNotOffered},
    {{"GetBucketIntelligentTieringConfiguration", "s3:GetIntelligentTieringConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "intelligent-tiering", "id"},
     not_implemented,
     kNotOffered},
    {{"ListBucketIntelligentTieringConfigurations", "s3:GetIntelligentTieringConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "intelligent-tiering"},
     not_implemented,
     kNotOffered},
    {{"GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "inventory", "id"},
     not_implemented,
     kNotOffered},
    {{"ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "inventory"},
     not_implemented,
     kNotOffered},
    {{"GetBucketMetricsConfiguration", "s3:GetMetricsConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "metrics", "id"},
     not_implemented,
     kNotOffered},
    {{"ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "metrics"},
     not_implemented,
     kNotOffered},
    {{"GetBucketMetadataConfiguration", "s3:GetBucketMetadataTableConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "metadataConfiguration"},
     not_implemented,
     kNotOffered},
    {{"GetBucketMetadataTableConfiguration", "s3:GetBucketMetadataTableConfiguration", kBucketArn, kRead},
     {"GET", kBucket, "metadataTable"},
     not_implemented,
     kNotOffered},
    {{"GetBucketAbac", "s3:GetBucketAbac", kBucketArn, kRead}, {"GET", kBucket, "abac"}, not_implemented, kNotOffered},
    {{"CreateSession", "s3express:CreateSession", kBucketArn, kRead},
     {"GET", kBucket, "session"},
     not_implemented,
     kNotOffered},

    {{"HeadBucket", "s3:ListBucket", kBucketArn, kRead}, {"HEAD", kBucket, kAnySubresource}, head_bucket},

    {{"CreateBucket", "s3:CreateBucket", kBucketArn, kWrite, kMaxConfigurationBytes}, {"PUT", kBucket}, create_bucket},
    {{"PutBucketAcl", "s3:PutBucketAcl", kBucketArn, kWrite, kMaxConfigurationBytes}, {"PUT", kBucket, "acl"}, put_acl},
    {{"PutBucketVersioning", "s3:PutBucketVersioning", kBucketArn, kWrite},
     {"PUT", kBucket, "versioning"},
     not_implemented,
     kNotOffered},
    {{"PutBucketEncryption", "s3:PutEncryptionConfiguration", kBucketArn, kWrite},
     {"PUT", kBucket, "encryption"},
     not_implemented,
     kNotOffered},
    {{"PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", kBucketArn, kWrite},
     {"PUT", kBucket, "ownershipControls"},
     not_implemented,
     kNotOffered},
    {{"PutBucketPolicy", "s3:PutBucketPolicy", kBucketArn, kWrite},
     {"PUT", kBucket, "policy"},
     not_implemented,
     kNotOffered},
    {{"PutBucketTagging", "s3:PutBucketTagging", kBucketArn, kWrite},
     {"PUT", kBucket, "tagging"},
     not_implemented,
     kNotOffered},
    {{"PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", kBucketArn, kWrite},
     {"PUT", kBucket, "lifecycle"},
     not_implemented,
     kNotOffered},
    {{"PutBucketCors", "s3:PutBucketCORS", kBucketArn, kWrite}, {"PUT", kBucket, "cors"}, not_implemented, kNotOffered},
    {{"PutBucketWebsite", "s3:PutBucketWebsite", kBucketArn, kWrite},
     {"PUT", kBucket, "website"},
     not_implemented,
     kNotOffered},
    {{"PutBucketReplication", "s3:PutReplicationConfiguration", kBucketArn, kWrite},
     {"PUT", kBucket, "replication"},
     not_implemented,
     kNotOffered},
    {{"PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", kBucketArn, kWrite},
     {"PUT", kBucket, "object-lock"},
     not_implemented,
     kNotOffered},
    {{"PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", kBucketArn, kWrite},
     {"PUT", kBucket, "publicAccessBlock"},
     not_implemented,
     kNotOffered},
    {{"PutBucketLogging", "s3:PutBucketLogging", kBucketArn, kWrite},
     {"PUT", kBucket, "logging"},
     not_implemented,
     kNotOffered},
    {{"PutBucketNotificationConfiguration", "s3:PutBucketNotification", kBucketArn, kWrite},
     {"PUT", kBucket, "notification"},
     not_implemented,
     kNotOffered},
    {{"PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration", kBucketArn, kWrite},
     {"PUT", kBucket, "accelerate"},
     not_implemented,
     kNotOffered},
    {{"PutBucketRequestPayment", "s3:PutBucketRequestPayment", kBucketArn, kWrite},
     {"PUT", kBucket, "requestPayment"},
     not_implemented,
     kNotOffered},
    {{"PutBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", kBucketArn, kWrite},
     {"PUT", kBucket, "analytics"},
     not_implemented,
     kNotOffered},
    {{"PutBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration", kBucketArn, kWrite},
     {"PUT", kBucket, "intelligent-tiering"},
     not_implemented,
     kNotOffered},
    {{"PutBucketInventoryConfiguration", "s3:PutInventoryConfiguration", kBucketArn, kWrite},
     {"PUT", kBucket, "inventory"},
     not_implemented,
     kNotOffered},
    {{"PutBucketMetricsConfiguration", "s3:PutMetricsConfiguration", kBucketArn, kWrite},
     {"PUT", kBucket, "metrics"},
     not_implemented,
     kNotOffered},
    {{"PutBucketAbac", "s3:PutBucketAbac", kBucketArn, kWrite}, {"PUT", kBucket, "abac"}, not_implemented, kNotOffered},

    {{"DeleteBucket", "s3:DeleteBucket", kBucketArn, kWrite}, {"DELETE", kBucket}, delete_bucket},
    {{"DeleteBucketPolicy", "s3:DeleteBucketPolicy", kBucketArn, kWrite},
     {"DELETE", kBucket, "policy"},
     delete_bucket_configuration,
     kUnset},
    {{"DeleteBucketTagging", "s3:PutBucketTagging", kBucketArn, kWrite},
     {"DELETE", kBucket, "tagging"},
     delete_bucket_configuration,
     kUnset},
    {{"DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", kBucketArn, kWrite},
     {"DELETE", kBucket, "lifecycle"},
     delete_bucket_configuration,
     kUnset},
    {{"DeleteBucketCors", "s3:PutBucketCORS", kBucketArn, kWrite},
     {"DELETE", kBucket, "cors"},
     delete_bucket_configuration,
     kUnset},
    {{"DeleteBucketWebsite", "s3:DeleteBucketWebsite", kBucketArn, kWrite},
     {"DELETE", kBucket, "website"},
     delete_bucket_configuration,
     kUnset},
    {{"DeleteBucketReplication", "s3:PutReplicationConfiguration", kBucketArn, kWrite},
     {"DELETE", kBucket, "replication"},
     delete_bucket_configuration,
     kUnset},
    {{"DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", kBucketArn, kWrite},
     {"DELETE", kBucket, "publicAccessBlock"},
     delete_bucket_configuration,
     kUnset},
    {{"DeleteBucketEncryption", "s3:PutEncryptionConfiguration", kBucketArn, kWrite},
     {"DELETE", kBucket, "encryption"},
     not_implemented,
     kNotOffered},
    {{"DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", kBucketArn, kWrite},
     {"DELETE", kBucket, "ownershipControls"},
     not_implemented,
     kNotOffered},
    {{"DeleteBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", kBucketArn, kWrite},
     {"DELETE", kBucket, "analytics"},
     not_implemented,
     kNotOffered},
    {{"DeleteBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration", kBucketArn, kWrite},
     {"DELETE", kBucket, "intelligent-tiering"},
     not_implemented,
     kNotOffered},
    {{"DeleteBucketInventoryConfiguration", "s3:PutInventoryConfiguration", kBucketArn, kWrite},
     {"DELETE", kBucket, "inventory"},
     not_implemented,
     kNotOffered},
    {{"DeleteBucketMetricsConfiguration", "s3:PutMetricsConfiguration", kBucketArn, kWrite},
     {"DELETE", kBucket, "metrics"},
     not_implemented,
     kNotOffered},
    {{"DeleteBucketMetadataConfiguration", "s3:DeleteBucketMetadataTableConfiguration", kBucketArn, kWrite},
     {"DELETE", kBucket, "metadataConfiguration"},
     not_implemented,
     kNotOffered},
    {{"DeleteBucketMetadataTableConfiguration", "s3:DeleteBucketMetadataTableConfiguration", kBucketArn, kWrite},
     {"DELETE", kBucket, "metadataTable"},
     not_implemented,
     kNotOffered},

    {{"DeleteObjects", "s3:DeleteObject", kObjectArn, kWrite, kMaxDeleteBytes},
     {"POST", kBucket, "delete"},
     delete_objects},
    {{"CreateBucketMetadataConfiguration", "s3:CreateBucketMetadataTableConfiguration", kBucketArn, kWrite},
     {"POST", kBucket, "metadataConfiguration"},
     not_implemented,
     kNotOffered},
    {{"CreateBucketMetadataTableConfiguration", "s3:CreateBucketMetadataTableConfiguration", kBucketArn, kWrite},
     {"POST", kBucket, "metadataTable"},
     not_implemented,
     kNotOffered},
    {{"PostObject", "s3:PutObject", kObjectArn, kWrite}, {"POST", kBucket}, not_implemented, kNotOffered},

    {{"ListParts", "s3:ListMultipartUploadParts", kObjectArn, kRead},
     {.method = "GET", .level = kObject, .parameter = "uploadId"},
     list_parts},
    {{"GetObject", "s3:GetObject", kObjectArn, kRead}, {"GET", kObject}, get_object},
    {{"GetObjectAttributes", "s3:GetObjectAttributes", kObjectArn, kRead},
     {"GET", kObject, "attributes"},
     get_object_attributes},
    {{"GetObjectAcl", "s3:GetObjectAcl", kObjectArn, kRead}, {"GET", kObject, "acl"}, get_object_acl},
    {{"GetObjectTagging", "s3:GetObjectTagging", kObjectArn, kRead},
     {"GET", kObject, "tagging"},
     get_object_tagging,
     kUnset},
    {{"GetObjectRetention", "s3:GetObjectRetention", kObjectArn, kRead},
     {"GET", kObject, "retention"},
     get_object_lock,
     kUnset},
    {{"GetObjectLegalHold", "s3:GetObjectLegalHold", kObjectArn, kRead},
     {"GET", kObject, "legal-hold"},
     get_object_lock,
     kUnset},
    {{"GetObjectTorrent", "s3:GetObjectTorrent", kObjectArn, kRead},
     {"GET", kObject, "torrent"},
     get_object_torrent,
     kUnset},

    {{"HeadObject", "s3:GetObject", kObjectArn, kRead}, {"HEAD", kObject, kAnySubresource}, get_object},

    {{"UploadPartCopy", "s3:PutObject", kObjectArn, kWrite},
     {.method = "PUT",
      .level = kObject,
      .parameter = "uploadId",
      .or_parameter = "partNumber",
      .header = "x-amz-copy-source"},
     upload_part_copy},
    {{"UploadPart", "s3:PutObject", kObjectArn, kWrite, objects::kMaxPutBytes},
     {.method = "PUT", .level = kObject, .parameter = "uploadId", .or_parameter = "partNumber"},
     upload_part},
    {{"CopyObject", "s3:PutObject", kObjectArn, kWrite},
     {.method = "PUT", .level = kObject, .header = "x-amz-copy-source"},
     copy_object},
    {{"PutObject", "s3:PutObject", kObjectArn, kWrite, objects::kMaxPutBytes}, {"PUT", kObject}, put_object},
    {{"PutObjectAcl", "s3:PutObjectAcl", kObjectArn, kWrite, kMaxConfigurationBytes}, {"PUT", kObject, "acl"}, put_acl},
    {{"PutObjectTagging", "s3:PutObjectTagging", kObjectArn, kWrite},
     {"PUT", kObject, "tagging"},
     not_implemented,
     kNotOffered},
    {{"PutObjectRetention", "s3:PutObjectRetention", kObjectArn, kWrite},
     {"PUT", kObject, "retention"},
     not_implemented,
     kNotOffered},
    {{"PutObjectLegalHold", "s3:PutObjectLegalHold", kObjectArn, kWrite},
     {"PUT", kObject, "legal-hold"},
     not_implemented,
     kNotOffered},
    {{"RenameObject", "s3express:CreateSession", kObjectArn, kWrite},
     {"PUT", kObject, "renameObject"},
     not_implemented,
     kNotOffered},

    {{"CreateMultipartUpload", "s3:PutObject", kObjectArn, kWrite},
     {"POST", kObject, "uploads"},
     create_multipart_upload},
    {{"CompleteMultipartUpload", "s3:PutObject", kObjectArn, kWrite, kMaxCompleteBytes},
     {.method = "POST", .level = kObject, .parameter = "uploadId"},
     complete_multipart_upload},
    {{"RestoreObject", "s3:RestoreObject", kObjectArn, kWrite},
     {"POST", kObject, "restore"},
     not_implemented,
     kNotOffered},
    {{"SelectObjectContent", "s3:GetObject", kObjectArn, kRead},
     {"POST", kObject, "select"},
     not_implemented,
     kNotOffered},

    {{"AbortMultipartUpload", "s3:AbortMultipartUpload", kObjectArn, kWrite},
     {.method = "DELETE", .level = kObject, .parameter = "uploadId"},
     abort_multipart_upload},
    {{"DeleteObject", "s3:DeleteObject", kObjectArn, kWrite}, {"DELETE", kObject}, delete_object},
    {{"DeleteObjectTagging", "s3:DeleteObjectTagging", kObjectArn, kWrite},
     {"DELETE", kObject, "tagging"},
     delete_object_tagging,
     kUnset},

    // Browsers do not sign it.
    {{.name = "Preflight", .open_to_anybody = true}, {}, preflight},
    {{"NotImplemented"}, {}, not_implemented},
    {{"MethodNotAllowed"}, {}, method_not_allowed},
});

constexpr const Operation* kMethodNotAllowed = &kOperations.back();
constexpr const Operation* kNotImplemented = kMethodNotAllowed - 1;
constexpr const Operation* kPreflight = kNotImplemented - 1;

// Where the rows of a method and level stand.
struct Group {
  std::string_view method;
  Level level = kService;
  std::size_t begin = 0;
  std::size_t end = 0;
};

constexpr bool begins_group(std::size_t row) {
  const Match& match = kOperations[row].match;
  if (match.method.empty()) return false;
  if (row == 0) return true;
  const Match& before = kOperations[row - 1].match;
  return match.method != before.method || match.level != before.level;
}

constexpr std::size_t count_groups() {
  std::size_t count = 0;
  for (std::size_t row = 0; row < kOperations.size(); ++row) count += begins_group(row) ? 1 : 0;
  return count;
}

constexpr auto kGroups = [] {
  std::array<Group, count_groups()> groups{};
  std::size_t count = 0;
  for (std::size_t row = 0; row < kOperations.size(); ++row) {
    const Match& match = kOperations[row].match;
    if (begins_group(row)) groups[count++] = {match.method, match.level, row, row};
    if (!match.method.empty()) groups[count - 1].end = row + 1;
  }
  return groups;
}();

constexpr bool groups_are_whole() {
  for (std::size_t i = 0; i < kGroups.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (kGroups[i].method == kGroups[k].method && kGroups[i].level == kGroups[k].level) return false;
    }
  }
  return true;
}
static_assert(groups_are_whole(), "the rows of one method and level stand together");

constexpr bool names_subresource(std::size_t row) {
  const std::string_view name = kOperations[row].match.subresource;
  if (name.empty() || name == kAnySubresource) return false;
  for (std::size_t before = 0; before < row; ++before) {
    if (kOperations[before].match.subresource == name) return false;
  }
  return true;
}

constexpr std::size_t count_subresources() {
  std::size_t count = 0;
  for (std::size_t row = 0; row < kOperations.size(); ++row) count += names_subresource(row) ? 1 : 0;
  return count;
}

constexpr auto kSubresources = [] {
  std::array<std::string_view, count_subresources()> names;
  std::size_t count = 0;
  for (std::size_t row = 0; row < kOperations.size(); ++row) {
    if (names_subresource(row)) names[count++] = kOperations[row].match.subresource;
  }
  return names;
}();

bool has_parameter(const Match& match, const net::Query& query) {
  if (match.parameter.empty()) return true;
  const auto value = query.find(match.parameter);
  if (value) return match.value.empty() || *value == match.value;
  return !match.or_parameter.empty() && query.has(match.or_parameter);
}

bool matches(const Match& match, const net::RequestHead& head, std::string_view subresource, const net::Query& query) {
  if (match.subresource != subresource && match.subresource != kAnySubresource) return false;
  return has_parameter(match, query) && (match.header.empty() || head.headers.find(match.header));
}

}  // namespace

std::span<const Operation> operations() { return kOperations; }

std::string_view find_subresource(const net::Query& query) {
  for (const net::Parameter& parameter : query.list()) {
    for (const std::string_view name : kSubresources) {
      if (parameter.name == name) return name;
    }
  }
  return {};
}

const Operation* find_operation(const net::RequestHead& head, Level level, std::string_view subresource,
                                const net::Query& query) {
  for (const Group& group : kGroups) {
    if (group.level != level || group.method != head.method) continue;
    for (std::size_t row = group.begin; row < group.end; ++row) {
      if (matches(kOperations[row].match, head, subresource, query)) return &kOperations[row];
    }
    return subresource.empty() ? kMethodNotAllowed : kNotImplemented;
  }
  return head.method == "OPTIONS" ? kPreflight : kMethodNotAllowed;
}

const Operation* no_operation() { return kMethodNotAllowed; }

}  // namespace andromede::api::s3
