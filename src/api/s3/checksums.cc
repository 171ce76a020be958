#include "api/s3/checksums.h"

#include <charconv>

#include "api/s3/errors.h"
#include "api/s3/request.h"
#include "api/sigv4/canonical.h"
#include "net/names.h"

namespace andromede::api::s3 {
namespace {

using net::same_name;

constexpr std::string_view kChecksumPrefix = "x-amz-checksum-";

const ChecksumName* find_header(std::string_view header) {
  for (const ChecksumName& name : kChecksumNames) {
    if (same_name(name.header, header)) return &name;
  }
  return nullptr;
}

// Headers that begin like a checksum's and are none.
bool is_modifier(std::string_view header) {
  return same_name(header, "x-amz-checksum-mode") || same_name(header, "x-amz-checksum-type") ||
         same_name(header, "x-amz-checksum-algorithm");
}

tl::unexpected<Error> bad_value(std::string_view header) {
  return fail(S3Errc::kBadDigest, "Value for " + std::string(header) + " header is invalid.");
}

struct SentChecksum {
  const ChecksumName* name = nullptr;  // null: none was sent
  std::string_view text;
};

Result<SentChecksum> sent_checksum(const net::Headers& headers) {
  SentChecksum sent;
  for (const net::Header& header : headers.list()) {
    const std::string_view start = std::string_view(header.name).substr(0, kChecksumPrefix.size());
    if (!same_name(start, kChecksumPrefix) || is_modifier(header.name)) continue;
    if (sent.name != nullptr) {
      return fail(S3Errc::kInvalidRequest,
                  "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
    }
    sent.name = find_header(header.name);
    if (sent.name == nullptr) {
      return fail(S3Errc::kInvalidRequest,
                  "Checksum algorithm provided is unsupported. Please try again with any of "
                  "the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
    }
    sent.text = header.value;
  }
  return sent;
}

}  // namespace

const ChecksumName* name_of(crypto::Checksum kind) {
  for (const ChecksumName& name : kChecksumNames) {
    if (name.kind == kind) return &name;
  }
  return nullptr;
}

Result<crypto::Checksum> parse_algorithm(std::string_view algorithm) {
  for (const ChecksumName& name : kChecksumNames) {
    if (same_name(name.algorithm, algorithm)) return name.kind;
  }
  return fail(S3Errc::kInvalidRequest,
              "Checksum algorithm provided is unsupported. Please try again with any of the "
              "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
}

Result<objects::ChecksumType> parse_checksum_type(std::string_view type) {
  if (same_name(type, "FULL_OBJECT")) return objects::ChecksumType::kFullObject;
  if (same_name(type, "COMPOSITE")) return objects::ChecksumType::kComposite;
  return fail(S3Errc::kInvalidRequest, "Value for x-amz-checksum-type header is invalid.");
}

std::string_view type_name(objects::ChecksumType type) {
  return type == objects::ChecksumType::kComposite ? "COMPOSITE" : "FULL_OBJECT";
}

std::string checksum_text(const objects::StoredChecksum& checksum) {
  std::string text = to_base64(checksum.value);
  if (checksum.type == objects::ChecksumType::kComposite && checksum.parts > 0) {
    text.append("-").append(std::to_string(checksum.parts));
  }
  return text;
}

Result<objects::StoredChecksum> parse_checksum(const ChecksumName& name, std::string_view text) {
  objects::StoredChecksum out;
  out.kind = name.kind;
  const std::size_t dash = text.find('-');  // not a digit of base64
  if (dash != std::string_view::npos) {
    const std::string_view digits = text.substr(dash + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), out.parts);
    if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || out.parts > objects::kMaxParts) {
      return bad_value(name.header);
    }
    out.type = objects::ChecksumType::kComposite;
    text = text.substr(0, dash);
  }
  Result<Bytes> value = from_base64(text);
  if (!value || value->size() != crypto::checksum_size(name.kind)) return bad_value(name.header);
  out.value = std::move(*value);
  return out;
}

Result<objects::ChecksumDemand> read_checksum_demand(const Request& request) {
  objects::ChecksumDemand demand;
  TRY(const SentChecksum sent, sent_checksum(request.head().headers));
  if (sent.name != nullptr) {
    TRY(objects::StoredChecksum checksum, parse_checksum(*sent.name, sent.text));
    if (checksum.type == objects::ChecksumType::kComposite) return bad_value(sent.name->header);
    demand.kind = checksum.kind;
    demand.value = std::move(checksum.value);
  }
  if (const auto trailer = request.header("x-amz-trailer")) {
    const ChecksumName* name = find_header(*trailer);
    if (name == nullptr) {
      return fail(S3Errc::kInvalidRequest, "The value specified in the x-amz-trailer header is not supported");
    }
    if (sent.name != nullptr) {
      return fail(S3Errc::kInvalidRequest, "Expecting a single x-amz-checksum- header");
    }
    demand.kind = name->kind;
    demand.in_trailer = true;
  }
  if (const auto algorithm = request.header("x-amz-sdk-checksum-algorithm")) {
    TRY(const crypto::Checksum kind, parse_algorithm(*algorithm));
    if (demand.kind == crypto::Checksum::kNone && !request.header("content-md5")) {
      return fail(S3Errc::kInvalidRequest,
                  "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                  "headers were found.");
    }
    if (demand.kind != crypto::Checksum::kNone && demand.kind != kind) {
      return fail(S3Errc::kInvalidRequest, "Value for x-amz-sdk-checksum-algorithm header is invalid.");
    }
  }
  TRY(demand.content_md5, read_content_md5(request));
  return demand;
}

Result<std::optional<Bytes>> read_content_md5(const Request& request) {
  const auto md5 = request.header("content-md5");
  if (!md5) return std::optional<Bytes>{};
  Result<Bytes> value = from_base64(*md5);
  if (!value || value->size() != crypto::checksum_size(crypto::Checksum::kMd5)) {
    return fail(S3Errc::kInvalidDigest, "Content-MD5 is not 16 bytes in base64");
  }
  return std::optional(std::move(*value));
}

Result<std::optional<objects::StoredChecksum>> read_object_checksum(const Request& request) {
  TRY(const SentChecksum sent, sent_checksum(request.head().headers));
  if (sent.name == nullptr) return std::optional<objects::StoredChecksum>{};
  TRY(objects::StoredChecksum checksum, parse_checksum(*sent.name, sent.text));
  return std::optional(std::move(checksum));
}

Status check_digests(const objects::ChecksumDemand& demand, ByteView body, const std::optional<Bytes>& trailer) {
  const auto matches = [&body](crypto::Checksum kind, const Bytes& value) {
    const std::unique_ptr<crypto::Hasher> hasher = crypto::make_hasher(kind);
    hasher->update(body);
    return hasher->finish() == value;
  };
  if (demand.content_md5 && !matches(crypto::Checksum::kMd5, *demand.content_md5)) {
    return fail(S3Errc::kBadDigest, "The Content-MD5 you specified did not match what we received.");
  }
  const std::optional<Bytes>& value = demand.in_trailer ? trailer : demand.value;
  if (demand.kind == crypto::Checksum::kNone) return {};
  if (!value || !matches(demand.kind, *value)) {
    return fail(S3Errc::kBadDigest, "The " + std::string(name_of(demand.kind)->algorithm) +
                                        " you specified did not match the calculated checksum.");
  }
  return {};
}

void add_checksum_headers(net::Headers& headers, const objects::StoredChecksum& checksum) {
  const ChecksumName* name = name_of(checksum.kind);
  if (name == nullptr) return;
  headers.add(std::string(name->header), checksum_text(checksum));
  headers.add("x-amz-checksum-type", std::string(type_name(checksum.type)));
}

void write_checksum(codec::XmlWriter& xml, const objects::StoredChecksum& checksum, bool with_type) {
  const ChecksumName* name = name_of(checksum.kind);
  if (name == nullptr) return;
  xml.element(name->element, checksum_text(checksum));
  if (with_type) xml.element("ChecksumType", type_name(checksum.type));
}

}  // namespace andromede::api::s3
