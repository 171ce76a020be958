// ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation.
#include "api/s3/checksums.h"
#include "api/s3/documents.h"
#include "api/s3/object_headers.h"
#include "api/s3/operations.h"
#include "api/s3/pagination.h"
#include "api/s3/request.h"
#include "base/stretch.h"

namespace andromede::api::s3 {
namespace {

constexpr std::size_t kMaxBucketsPage = 10'000;
// What a bucket takes at most, as it is listed and in the document.
constexpr std::size_t kMostBucketBytes = 768;
constexpr std::string_view kClassicRegion = "us-east-1";

// S3's first region has no name in bucket configurations.
std::string_view location_of(const Options& options) {
  return options.region == kClassicRegion ? std::string_view{} : std::string_view(options.region);
}

// The region's name says nothing of a policy: clients send it by themselves.
PolicyId policy_of(const Request& request, const std::string& location) {
  if (location == request.options().region || location == kClassicRegion) return {};
  return PolicyId(location);
}

Status check_bucket_features(Request& request) {
  CHECK_OK(check_acl_headers(request));
  if (request.header("x-amz-bucket-object-lock-enabled").value_or("false") != "false") {
    return fail(S3Errc::kNotImplemented, "object lock is not offered");
  }
  const auto ownership = request.header("x-amz-object-ownership");
  if (ownership && *ownership != "BucketOwnerEnforced") {
    return fail(S3Errc::kNotImplemented, "a bucket's objects belong to its owner");
  }
  return {};
}

}  // namespace

Task<Status> list_buckets(Request& request) {
  objects::ListBucketsRequest list;
  list.prefix = request.parameter("prefix").value_or("");
  CO_TRY(const auto max, request.number("max-buckets", 1, kMaxBucketsPage));
  list.max = max.value_or(kMaxBucketsPage);
  CO_TRY(auto after, read_token(request, "continuation-token"));
  list.after = std::move(after).value_or("");
  CO_CHECK_OK(co_await request.reserve_answer(list.max * kMostBucketBytes));
  CO_TRY(objects::BucketPage page, co_await request.service().list_buckets(request.context(), std::move(list)));

  codec::XmlWriter xml;
  xml.open("ListAllMyBucketsResult", kXmlNamespace);
  xml.open("Owner");
  xml.element("ID", request.account().canonical_id);
  xml.element("DisplayName", request.account().display_name);
  xml.close();
  xml.open("Buckets");
  Stretch stretch;
  for (const objects::BucketInfo& bucket : page.buckets) {
    co_await stretch.pause();
    xml.open("Bucket");
    xml.element("Name", bucket.name);
    xml.element("CreationDate", xml_time(bucket.created));
    xml.element("BucketRegion", request.options().region);
    xml.close();
  }
  xml.close();
  if (const auto prefix = request.parameter("prefix"); prefix && !prefix->empty()) xml.element("Prefix", *prefix);
  if (!page.next.empty()) xml.element("ContinuationToken", make_token(page.next));
  page = {};
  co_return co_await request.reply_xml(xml.take());
}

Task<Status> create_bucket(Request& request) {
  CO_CHECK_OK(check_bucket_features(request));
  CO_TRY(objects::ChecksumDemand demand, read_checksum_demand(request));
  CO_TRY(const std::string location, co_await read_document(request, std::move(demand), &parse_bucket_configuration));
  // The service takes making one's own bucket again for a success. So does S3 in its first region, which clients sign
  // for when nobody chose one; elsewhere it is an error.
  if (request.signed_region() != kClassicRegion) {
    const auto existing = co_await request.service().head_bucket(request.context(), request.bucket());
    if (existing) co_return fail(objects::ObjectErrc::kBucketAlreadyOwnedByYou, "made before");
  }
  Status made =
      co_await request.service().create_bucket(request.context(), request.bucket(), policy_of(request, location));
  if (!made) {
    if (made.error().code() == objects::ObjectErrc::kNoSuchPolicy) {
      request.error_fields.emplace_back("LocationConstraint", location.substr(0, 100));
    }
    co_return made;
  }
  net::ResponseHead head;
  head.headers.add("Location", "/" + request.bucket());
  co_return co_await request.reply(std::move(head));
}

Task<Status> head_bucket(Request& request) {
  CO_TRY(const objects::BucketHead bucket, co_await request.service().head_bucket(request.context(), request.bucket()));
  net::ResponseHead head;
  head.headers.add("x-amz-bucket-region", request.options().region);
  head.headers.add("x-amz-access-point-alias", "false");
  head.headers.add("x-andromede-policy", bucket.info.policy.value());
  head.headers.add("Content-Type", "application/xml");
  co_return co_await request.reply(std::move(head));
}

Task<Status> delete_bucket(Request& request) {
  CO_CHECK_OK(co_await request.service().delete_bucket(request.context(), request.bucket()));
  co_return co_await request.reply({.status = 204, .headers = {}});
}

Task<Status> get_bucket_location(Request& request) {
  CO_TRY(const objects::BucketHead bucket, co_await request.service().head_bucket(request.context(), request.bucket()));
  // The one S3 answer whose root element holds the text itself; a region's name needs no escaping.
  const std::string_view location = location_of(request.options());
  std::string document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"";
  document.append(kXmlNamespace).append("\">").append(location).append("</LocationConstraint>");
  co_return co_await request.reply_xml(std::move(document));
}

}  // namespace andromede::api::s3
